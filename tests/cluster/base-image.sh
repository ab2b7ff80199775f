#!/usr/bin/env bash
# Makes localhost/debian:bookworm-slim, which builders take for "debian:bookworm-slim", in the local store from packages, so that the Dockerfiles build
# where no container registry is reached. Does nothing when there is such an image.
# It gets packages as this machine does: the same sources, apt settings and certificates.
set -euo pipefail
IMAGE=localhost/debian:bookworm-slim
! buildah images -q $IMAGE >/dev/null 2>&1 || exit 0
command -v debootstrap >/dev/null || { echo "base-image.sh: debootstrap is not installed: make deps-cluster" >&2; exit 1; }
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
echo "making $IMAGE from Debian's packages"
root=$(mktemp -d)
container=
trap '[ -z "$container" ] || buildah rm "$container" >/dev/null; rm -rf --one-file-system "$root"' EXIT

mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) bookworm .*/\2/p' /etc/apt/sources.list | head -n 1)
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
for f in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    if [ -f $f ]; then cp $f "$root$f"; else rm -f "$root$f"; fi
done
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mkdir -p "$root/usr/local/share/ca-certificates"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true

# Slim: neither documents nor translations, now or of packages installed later, and no lists.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'C'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
C
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete
rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*.log

container=$(buildah from scratch)
mounted=$(buildah mount "$container")
cp -a "$root/." "$mounted/"
buildah umount "$container" >/dev/null
buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit -q --rm "$container" $IMAGE >/dev/null
container=
