#!/usr/bin/env bash
# Puts what a local Kubernetes needs into CARGOCD_CLUSTER_BIN (lib.sh says where that is by default). What is there already
# in the right version stays: then this takes a second. `make deps-cluster` has installed what it needs.
#
# - kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubemark (hollow nodes), built from
#   Debian 12's source package: about six minutes on two cores and 3 GB of scratch.
# - helm and kubectl: see tools.sh.
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
ROOT=$(cd ../.. && pwd)
WORK=${CARGOCD_CLUSTER_WORK:-/var/tmp/cargocd-cluster-build}
APPS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubemark"
VERSION=v1.20.2
# Debian builds this Kubernetes with Go 1.19, for which its vendored reflect2 is too old: every custom resource would
# crash the API server. The reflect2 that Debian packages by itself is put in its place; this file of it tells.
GO=/usr/lib/go-1.19/bin REFLECT2=/usr/share/gocode/src/github.com/modern-go/reflect2
MARK=modern-go/reflect2/go_above_118.go

have_kubernetes() {
    local a
    for a in $APPS; do [ -x "$BIN/$a" ] || return 1; done
    [ "$("$BIN/kube-apiserver" --version 2>/dev/null)" = "Kubernetes $VERSION" ] && grep -aq "$MARK" "$BIN/kube-apiserver"
}

# Sources come through a private list, so that the machine's own one stays as it is.
fetch_source() {
    mkdir -p "$WORK/apt/lists/partial" "$WORK/apt/parts"
    cd "$WORK"
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        sed -n '1,/^$/p' /etc/apt/sources.list.d/debian.sources |
            sed 's/^Types:.*/Types: deb-src/; s/^Suites:.*/Suites: bookworm/' >apt/parts/src.sources
    else
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep -E '^deb .*bookworm main' |
            head -n 1 | sed 's/^deb /deb-src /' >apt/parts/src.list
    fi
    local options=(-oAPT::Sandbox::User=root "-oDir::State::Lists=$WORK/apt/lists" -oDir::Etc::sourcelist=/dev/null "-oDir::Etc::sourceparts=$WORK/apt/parts")
    apt-get "${options[@]}" update -qq
    apt-get "${options[@]}" source -qq kubernetes >/dev/null
    mkdir -p "${1%/*}"
    mv "$WORK"/kubernetes-*/ "$1"
}

build_kubernetes() {
    local tree=$WORK/gopath/src/k8s.io/kubernetes a what=()
    [ -x $GO/go ] && [ -d $REFLECT2 ] || fail "run 'make deps-cluster' first: Go 1.19 or its reflect2 package is not installed"
    echo "building Kubernetes $VERSION into $BIN (about six minutes)"
    [ -d "$tree" ] || fetch_source "$tree"
    cd "$tree"
    rm -f vendor/github.com/modern-go/reflect2/*.{go,s}
    cp $REFLECT2/*.{go,s} vendor/github.com/modern-go/reflect2/
    rm -f vendor/github.com/modern-go/reflect2/*_test.go
    mkdir -p .go/src/k8s.io "$WORK/home"
    ln -sfn ../../.. .go/src/k8s.io/kubernetes
    for a in $APPS; do what+=("cmd/$a"); done
    env -u GOFLAGS -u GOROOT -u GO111MODULE -u GOBIN GOPATH="$PWD/.go" PATH="$GO:$PATH" CGO_ENABLED=0 HOME="$WORK/home" \
        make WHAT="${what[*]}" >"$WORK/build.log" 2>&1 || { tail -n 30 "$WORK/build.log" >&2; fail "the build failed"; }
    for a in $APPS; do install -m755 "_output/bin/$a" "$BIN/$a.new" && mv "$BIN/$a.new" "$BIN/$a"; done
    cd /
    chmod -R u+w "$WORK"
    rm -rf "$WORK"
}

mkdir -p "$BIN"
have_kubernetes || build_kubernetes
"$ROOT/tools.sh" "$BIN"
