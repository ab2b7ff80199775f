#!/bin/sh
# Installs the sections of packages.txt that are named and not there yet. usage: deps.sh SECTION...
# Says what it installs; does nothing, at once, when nothing is missing. sudo only when not root.
set -eu
cd "$(dirname "$0")"

# Packages of the sections that neither are installed nor have their command.
missing() {
    for section; do
        sed -n "/^\[$section\]/,/^\[/p" packages.txt
    done | grep -v '^[[#]' | sort -u | while read -r package command; do
        [ -n "$package" ] || continue
        if [ -n "$command" ] && PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$command" >/dev/null; then continue; fi
        case $installed in *" $package "*) ;; *) echo "$package" ;; esac
    done
}

if ! command -v apt-get >/dev/null; then
    echo "deps: no apt-get here; install what corresponds to packages.txt" >&2
    exit 0
fi
installed=" $(dpkg-query -Wf '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | tr '\n' ' ') "
packages=$(missing "$@" | tr '\n' ' ')
[ -n "$packages" ] || exit 0

root=
[ "$(id -u)" = 0 ] || root=sudo
echo "deps: installing $packages"
install() {
    # shellcheck disable=SC2086 # a list of words
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages </dev/null >"$log" 2>&1
}
log=$(mktemp)
policy=/usr/sbin/policy-rc.d own_policy=
trap 'rm -f "$log"; [ -z "$own_policy" ] || $root rm -f $policy' EXIT
# The servers among the packages are for tests, which start their own: Debian shall not start them now.
if [ ! -e $policy ]; then
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    $root chmod 755 $policy
fi
# Fresh machines have no package lists, others may have old ones: fetch them only when needed.
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || ! install; then
    $root apt-get update -qq </dev/null
    install || {
        cat "$log" >&2
        exit 1
    }
fi
