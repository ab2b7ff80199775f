#!/usr/bin/env bash
# Builds the container images with buildah, podman or docker, whichever is there and works. Called by `make images`.
# usage: images.sh [NAME...]      of api-server repo-server app-controller redis; without names: all
# Environment: REGISTRY (localhost), TAG (the version), WITH_UI (1), WITH_TOOLS (1: helm and kubectl for the repository
# server), PUSH=1 pushes them too, BUILDER names the program.
# Images are called REGISTRY/cargocd-NAME:TAG. The daemons share one build stage; layers are kept between builds.
set -euo pipefail
cd "$(dirname "$0")"
VERSION=$(head -n 1 VERSION)
REGISTRY=${REGISTRY:-localhost} TAG=${TAG:-$VERSION} WITH_UI=${WITH_UI:-1} WITH_TOOLS=${WITH_TOOLS:-1}
# Steps run in a plain chroot: that needs neither namespaces nor a network plugin.
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}

builder() {
    local b
    for b in buildah podman docker; do
        if command -v $b >/dev/null && $b info >/dev/null 2>&1; then echo $b && return; fi
    done
    echo "images.sh: neither buildah nor podman nor docker is there and works" >&2
    return 1
}

dockerfile() {
    case $1 in
    redis) echo charts/redis/Dockerfile ;;
    api-server | repo-server | app-controller) echo "$1/Dockerfile" ;;
    *) echo "images.sh: no image $1" >&2 && return 1 ;;
    esac
}

build() {
    local options=(-f "$1" -t "$2" --build-arg "VERSION=$VERSION")
    [ "$1" = charts/redis/Dockerfile ] || options+=(--build-arg "WITH_UI=$WITH_UI" --build-arg "WITH_TOOLS=$WITH_TOOLS")
    case $BUILDER in
    buildah) buildah build --layers "${options[@]}" . ;;
    podman) podman build --layers "${options[@]}" . ;;
    docker) DOCKER_BUILDKIT=1 docker build "${options[@]}" . ;;
    esac
}

size() {
    local bytes
    case $BUILDER in
    buildah) buildah images --format '{{.Size}}' "$1" ;;
    *) bytes=$($BUILDER image inspect --format '{{.Size}}' "$1") && echo "$((bytes / 1000000)) MB" ;;
    esac
}

BUILDER=${BUILDER:-$(builder)}
[ $# -gt 0 ] || set -- api-server repo-server app-controller redis
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for name; do
    image=$REGISTRY/cargocd-$name:$TAG
    began=$SECONDS
    file=$(dockerfile "$name")
    build "$file" "$image" >"$log" 2>&1 || { tail -n 40 "$log" >&2; echo "images.sh: $image failed" >&2; exit 1; }
    echo "$image  $(size "$image")  $((SECONDS - began)) s"
    [ -z "${PUSH:-}" ] || $BUILDER push "$image" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
done
