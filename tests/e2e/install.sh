#!/usr/bin/env bash
# Images and chart on a real node: this machine joins a local control plane. Where it cannot be a node, that is said and
# nothing is tried. Arguments are those of tests/integration/run.py. KEEP=1 leaves the node as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
DIR=$PWD/build/e2e/install
IMAGES=(api-server repo-server app-controller redis)
TEST_IMAGE=localhost/guestbook:1
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} BUILDER=buildah

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed"
    exit 0
}

# The node has a store of images of its own.
bring() {
    buildah push -q "$1" "docker-archive:$DIR/image.tar:$1"
    "$DIR/ctr" images import "$DIR/image.tar" >/dev/null
    rm -f "$DIR/image.tar"
}

[ -z "${KUBECONFIG:-}" ] || skip "a cluster of yours (KUBECONFIG) does not have the images; it is tried on a local one"
tests/cluster/build.sh
tests/cluster/down.sh "$DIR"
rm -rf --one-file-system "$DIR"
[ -n "${KEEP:-}" ] || trap 'tests/cluster/down.sh "$DIR"' EXIT
tests/cluster/up.sh "$DIR" "" 0
status=0
tests/cluster/node.sh "$DIR" 2>"$DIR/why" || status=$?
[ $status != 77 ] || skip "$(cat "$DIR/why")"
[ $status = 0 ] || { cat "$DIR/why" >&2; exit 1; }

tests/cluster/base-image.sh
./images.sh "${IMAGES[@]}"
buildah build -q --layers -f tests/e2e/Dockerfile -t $TEST_IMAGE tests/integration/lib >/dev/null 2>"$DIR/why" || { cat "$DIR/why" >&2; exit 1; }
version=$(cat VERSION)
for name in "${IMAGES[@]}"; do bring "localhost/cargocd-$name:$version"; done
bring $TEST_IMAGE
# shellcheck source=tests/cluster/lib.sh
. tests/cluster/lib.sh
KUBECONFIG=$DIR/kubeconfig PATH=$BIN:$PATH python3 tests/integration/run.py "$@" tests/e2e/test_install.py
