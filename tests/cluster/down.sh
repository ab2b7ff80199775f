#!/usr/bin/env bash
# Stops what up.sh and node.sh started in DIR, by process id, and takes back what node.sh changed. usage: down.sh DIR
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
[ -d "$1" ] || exit 0
DIR=$(cd "$1" && pwd)
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
N=$DIR/node LABEL=cargocd-test-cluster
shopt -s nullglob

pods() { "$DIR/ctr" "$@" 2>/dev/null || true; }

# Containers are children of shims, which outlive containerd: they end while it is still there.
stop_containers() {
    local id i
    for id in $(pods tasks list -q); do pods tasks kill -s SIGKILL "$id"; done
    for ((i = 0; i < 50; i++)); do
        pods tasks list | grep -q RUNNING || break
        sleep 0.1
    done
    for id in $(pods tasks list -q); do pods tasks delete -f "$id" >/dev/null; done
    for id in $(pods containers list -q); do pods containers delete "$id" >/dev/null; done
}

unmount_below() {
    local m
    for m in $(awk -v d="$N/" 'index($2, d) == 1 {print $2}' /proc/self/mounts | sort -r); do umount -l "$m" || true; done
}

# What kubelet and kube-proxy put into the tables and leave there; node.sh has seen that no other kubelet runs here.
remove_chains() {
    local command table rule chain
    for command in iptables ip6tables; do
        for table in filter nat mangle; do
            $command -t $table -S 2>/dev/null | grep -E '^-A .*-j KUBE-' | while read -r rule; do
                eval "$command -t $table ${rule/-A/-D}" || true
            done || true
            for chain in $($command -t $table -S 2>/dev/null | sed -n 's/^-N \(KUBE-.*\)/\1/p'); do $command -t $table -F "$chain"; done
            for chain in $($command -t $table -S 2>/dev/null | sed -n 's/^-N \(KUBE-.*\)/\1/p'); do $command -t $table -X "$chain" || true; done
        done
    done
}

remove_network() {
    local ns rule
    for ns in /run/netns/cni-*; do
        # Only pods of ours: their address is in our net.
        if nsenter --net="$ns" ip -4 -o addr 2>/dev/null | grep -q " $POD_NET\."; then
            umount -l "$ns" 2>/dev/null || true
            rm -f "$ns"
        fi
    done
    while rule=$(iptables -t nat -S POSTROUTING | grep -m 1 -- "$LABEL"); do
        eval "iptables -t nat ${rule/-A/-D}"
    done
    while rule=$(iptables -S FORWARD | grep -m 1 -- "$LABEL"); do
        eval "iptables ${rule/-A/-D}"
    done
    "$BIN/kube-proxy" --cleanup >/dev/null 2>&1 || true
    remove_chains 2>/dev/null
    ip route delete "$SERVICE_NET.0.0/16" 2>/dev/null || true
    ip link delete "$BRIDGE" 2>/dev/null || true
    [ ! -s "$N/ip_forward" ] || cat "$N/ip_forward" >/proc/sys/net/ipv4/ip_forward
}

if [ -e "$N/joined" ]; then
    stop "$DIR"/{kubelet,kube-proxy,node-services}.pid
    stop_containers
    stop "$DIR/containerd.pid"
    unmount_below
    remove_network
    rm -rf --one-file-system "$N"
fi
# The control plane's own order: what writes before what stores.
stop "$DIR"/hollow-*.pid "$DIR"/{controller-manager,scheduler}.pid
stop "$DIR/apiserver.pid"
stop "$DIR/etcd.pid"
