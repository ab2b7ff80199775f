#!/usr/bin/env bash
# The integration suite on a real Kubernetes: the one of KUBECONFIG, or a local control plane with a simulated node.
# Arguments are those of tests/integration/run.py, or of SUITE.
set -euo pipefail
cd "$(dirname "$0")/../.."
DIR=$PWD/build/e2e/suite
if [ -z "${KUBECONFIG:-}" ]; then
    tests/cluster/build.sh
    tests/cluster/down.sh "$DIR"
    rm -rf "$DIR"
    trap 'tests/cluster/down.sh "$DIR"' EXIT
    tests/cluster/up.sh "$DIR"
    # shellcheck source=tests/cluster/lib.sh
    BIN=$(. tests/cluster/lib.sh && echo "$BIN")
    export KUBECONFIG=$DIR/kubeconfig PATH=$PATH:$BIN
fi
python3 "${SUITE:-tests/integration/run.py}" "$@"
