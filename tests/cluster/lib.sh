# Shared by the scripts of this folder: where programs are, and processes that are found again. To be sourced.
# shellcheck shell=bash disable=SC2034

# Kept outside of the source tree, because making them takes minutes.
BIN=${CARGOCD_CLUSTER_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/cargocd/kubernetes-1.20.2}
# The status of a script that cannot do its work on this machine; callers skip what needs it.
SKIP=77
# Addresses within the cluster: pods and the node's end of their bridge, and Services.
BRIDGE=cargocd0
POD_NET=10.250.7
SERVICE_NET=10.251

fail() { echo "${0##*/}: $*" >&2; exit 1; }
skip() { echo "${0##*/}: $*" >&2; exit $SKIP; }

# When a process began, in ticks since the machine started: with it a number that was given to another process is told
# from the one that was meant.
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# start NAME COMMAND...: in the background, in a session of its own; output to $DIR/NAME.log, and $DIR/NAME.pid.
start() {
    local name=$1
    shift
    setsid nohup "$@" </dev/null >"$DIR/$name.log" 2>&1 &
    echo "$! $(began $!)" >"$DIR/$name.pid"
}

# running FILE: whether the process of a .pid file is there.
running() {
    local pid time
    [ -s "$1" ] && read -r pid time <"$1" && [ -n "$time" ] && [ "$(began "$pid")" = "$time" ]
}

# stop FILE...: asks processes to end, all at once, and ends after ten seconds those that have not.
stop() {
    local f pid i
    for f; do
        if running "$f"; then read -r pid _ <"$f" && kill "$pid" 2>/dev/null; fi
    done
    for f; do
        for ((i = 0; i < 100; i++)); do
            running "$f" || break
            sleep 0.1
        done
        if running "$f"; then read -r pid _ <"$f" && kill -9 "$pid" 2>/dev/null; fi
        rm -f "$f"
    done
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; with WHAT's log when it does not.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            [ ! -f "$DIR/$what.log" ] || tail -n 20 "$DIR/$what.log" >&2
            fail "waited in vain for $what"
        fi
        sleep 0.2
    done
}

kubectl() { "$BIN/kubectl" --kubeconfig "$DIR/kubeconfig" "$@"; }
