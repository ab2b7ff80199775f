#!/usr/bin/env bash
# Builds a real Kubernetes from Debian 12's source package into ${KUBE_BIN:-/opt/cargocd-kube/bin}: kube-apiserver,
# kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubemark (hollow nodes). Once per machine: about seven
# minutes on two cores and 3 GB of scratch; nothing when they are there. `make deps-cluster` has installed what it needs.
#
# Debian builds this Kubernetes (1.20) with Go 1.19, for which its vendored reflect2 is too old: every custom resource
# would crash the API server. The reflect2 that Debian packages by itself is put in its place.
set -euo pipefail
BIN=${KUBE_BIN:-/opt/cargocd-kube/bin} WORK=${KUBE_WORK:-/var/tmp/cargocd-kube-build}
APPS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubemark"
GO=/usr/lib/go-1.19/bin REFLECT2=/usr/share/gocode/src/github.com/modern-go/reflect2

missing=0
for a in $APPS; do [ -x "$BIN/$a" ] || missing=1; done
[ $missing = 1 ] || exit 0
[ -x $GO/go ] && [ -d $REFLECT2 ] || { echo "run 'make deps-cluster' first: Go 1.19 or its reflect2 package is not installed" >&2; exit 1; }

# Sources come through a private list, so that the machine's own one stays as it is.
mkdir -p "$WORK/apt/lists/partial" "$WORK/apt/parts"
cd "$WORK"
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sed -n '1,/^$/p' /etc/apt/sources.list.d/debian.sources | sed 's/^Types:.*/Types: deb-src/; s/^Suites:.*/Suites: bookworm/' > apt/parts/src.sources
else
    grep -hE '^deb .*bookworm main' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -1 | sed 's/^deb /deb-src /' > apt/parts/src.list
fi
OPTIONS="-oDir::State::Lists=$WORK/apt/lists -oDir::Etc::sourcelist=/dev/null -oDir::Etc::sourceparts=$WORK/apt/parts"
TREE=$WORK/gopath/src/k8s.io/kubernetes
if [ ! -d "$TREE" ]; then
    apt-get $OPTIONS update -qq
    apt-get $OPTIONS source -qq kubernetes >/dev/null
    mkdir -p "${TREE%/*}"
    mv "$WORK"/kubernetes-*/ "$TREE"
fi
cd "$TREE"
rm -f vendor/github.com/modern-go/reflect2/*.go vendor/github.com/modern-go/reflect2/*.s
cp $REFLECT2/*.go vendor/github.com/modern-go/reflect2/
cp $REFLECT2/*.s vendor/github.com/modern-go/reflect2/ 2>/dev/null || true
rm -f vendor/github.com/modern-go/reflect2/*_test.go
mkdir -p .go/src/k8s.io "$WORK/home"
ln -sfn ../../.. .go/src/k8s.io/kubernetes
env -u GOFLAGS -u GOROOT -u GO111MODULE -u GOBIN GOPATH="$PWD/.go" PATH="$GO:$PATH" CGO_ENABLED=0 HOME="$WORK/home" \
    make WHAT="$(for a in $APPS; do printf 'cmd/%s ' "$a"; done)"
mkdir -p "$BIN"
for a in $APPS; do install -m755 "_output/bin/$a" "$BIN/$a.new" && mv "$BIN/$a.new" "$BIN/$a"; done
cd /
chmod -R u+w "$WORK"
rm -rf "$WORK"
"$BIN/kube-apiserver" --version
