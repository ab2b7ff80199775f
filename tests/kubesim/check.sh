#!/bin/sh
# Starts kubesim, runs its conformance cases, stops it and looks at how it ended. usage: check.sh PROGRAM [ARGUMENTS FOR conformance.py]
program=$1
shift
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT INT TERM
"$program" --port 0 --port-file "$dir/port" --kubeconfig-out "$dir/kubeconfig" --version "${VERSION:-v1.34.0}" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 100); do
    [ ! -s "$dir/port" ] || break
    sleep 0.1
done
KUBECONFIG=$dir/kubeconfig python3 "$(dirname "$0")/conformance.py" "$@"
status=$?
kill "$pid"
wait "$pid"
ended=$?
pid=
[ $ended -eq 0 ] || { echo "kubesim ended with $ended" && cat "$dir/log"; }
[ $status -eq 0 ] && [ $ended -eq 0 ]
