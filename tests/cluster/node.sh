#!/usr/bin/env bash
# Joins this machine as a real node to the control plane that up.sh started in DIR: containerd, kubelet, kube-proxy, cluster
# DNS. Pods then run, Services and exec work. usage: node.sh DIR [NAME]        Needs root; one node at a time.
# Where the machine cannot be a node (no root, cgroups, iptables ...) it says why and exits with 77: callers skip.
# `DIR/ctr images import FILE` gives it an image; down.sh stops it and takes back what it changed.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
HERE=$(cd "$(dirname "$0")" && pwd)
DIR=$(cd "$1" && pwd) NAME=${2:-real-0}
. "$HERE/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
N=$DIR/node PAUSE=localhost/pause:1 LABEL=cargocd-test-cluster
PORT=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$DIR/kubeconfig" | head -n 1)

# ---- can this machine be a node? ----

can_cgroups() {
    local c
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir /sys/fs/cgroup/cargocd-probe 2>/dev/null && rmdir /sys/fs/cgroup/cargocd-probe
        return
    fi
    for c in cpu memory pids devices; do
        mkdir /sys/fs/cgroup/$c/cargocd-probe 2>/dev/null && rmdir /sys/fs/cgroup/$c/cargocd-probe || return 1
    done
}

can_overlay() {
    local t status=0
    t=$(mktemp -d -p "$DIR")
    mkdir "$t"/{lower,upper,work,merged}
    mount -t overlay overlay -o "lowerdir=$t/lower,upperdir=$t/upper,workdir=$t/work" "$t/merged" 2>/dev/null || status=1
    umount "$t/merged" 2>/dev/null || true
    rm -rf "$t"
    return $status
}

check_machine() {
    local c
    [ "$(id -u)" = 0 ] || skip "a real node needs root"
    for c in containerd runc iptables ip conntrack python3 ctr gcc; do
        command -v $c >/dev/null || skip "a real node needs $c: make deps-cluster"
    done
    [ -x /usr/lib/cni/bridge ] || skip "a real node needs containernetworking-plugins: make deps-cluster"
    can_cgroups || skip "a real node needs cgroups that may be written"
    can_overlay || skip "a real node needs the overlay filesystem"
    iptables -t nat -nL >/dev/null 2>&1 || skip "a real node needs iptables with its nat table"
    ip link add cargocd-probe type bridge 2>/dev/null || skip "a real node needs to make network bridges"
    ip link delete cargocd-probe
    ! pgrep -x kubelet >/dev/null || skip "another kubelet runs on this machine"
}

# ---- its parts ----

make_network() {
    ip link show $BRIDGE >/dev/null 2>&1 || ip link add $BRIDGE type bridge
    ip addr replace $POD_NET.1/24 dev $BRIDGE
    ip link set $BRIDGE up
    ip route replace $SERVICE_NET.0.0/16 dev $BRIDGE # addresses of Services never leave this machine
    cat /proc/sys/net/ipv4/ip_forward >"$N/ip_forward"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    modprobe br_netfilter 2>/dev/null || true
    [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
    iptables -t nat -A POSTROUTING -s $POD_NET.0/24 ! -d $POD_NET.0/24 -m comment --comment $LABEL -j MASQUERADE
    iptables -I FORWARD -i $BRIDGE -m comment --comment $LABEL -j ACCEPT
    iptables -I FORWARD -o $BRIDGE -m comment --comment $LABEL -j ACCEPT
}

# The image of the process that holds a pod's namespaces, as an OCI layout made by hand: no builder is needed.
make_pause_image() {
    local t=$N/pause layer
    [ ! -f "$N/pause.tar" ] || return 0
    mkdir -p "$t/root" "$t/image"
    cat >"$t/pause.c" <<'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void on_end(int s) { (void)s; _exit(0); }
static void on_child(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) { signal(SIGINT, on_end); signal(SIGTERM, on_end); signal(SIGCHLD, on_child); for (;;) pause(); }
C
    gcc -O2 -static -o "$t/root/pause" "$t/pause.c"
    tar -C "$t/root" --owner=0 --group=0 -cf "$t/image/layer.tar" pause
    layer=$(sha256sum "$t/image/layer.tar" | cut -d' ' -f1)
    cat >"$t/image/config.json" <<J
{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/pause"]},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
J
    echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$PAUSE\"],\"Layers\":[\"layer.tar\"]}]" >"$t/image/manifest.json"
    tar -C "$t/image" -cf "$N/pause.tar" manifest.json config.json layer.tar
}

start_containerd() {
    cat >"$N/containerd.toml" <<T
version = 2
root = "$N/containerd"
state = "$N/containerd-state"
[grpc]
  address = "$N/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$N/cni"
T
    cat >"$N/cni/10-pods.conflist" <<J
{"cniVersion": "0.4.0", "name": "cargocd-pods", "plugins": [
  {"type": "bridge", "bridge": "$BRIDGE", "isGateway": true, "isDefaultGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$N/addresses",
            "ranges": [[{"subnet": "$POD_NET.0/24", "rangeStart": "$POD_NET.10", "rangeEnd": "$POD_NET.250"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
    printf '#!/bin/sh\nexec ctr -a %s/containerd.sock -n k8s.io "$@"\n' "$N" >"$DIR/ctr"
    chmod +x "$DIR/ctr"
    start containerd containerd -c "$N/containerd.toml"
    wait_for 30 containerd "$DIR/ctr" version
    "$DIR/ctr" images import "$N/pause.tar" >/dev/null
}

start_kubelet() {
    echo "nameserver $POD_NET.1" >"$N/resolv.conf"
    cat >"$N/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $POD_NET.1
port: 20250
healthzPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $DIR/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
enforceNodeAllocatable: []
failSwapOn: false
evictionHard: {nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
clusterDomain: cluster.local
clusterDNS: ["$POD_NET.1"]
resolvConf: $N/resolv.conf
Y
    start kubelet "$BIN/kubelet" --config="$N/kubelet.yaml" --kubeconfig="$DIR/kubeconfig" --container-runtime=remote \
        --container-runtime-endpoint="unix://$N/containerd.sock" --root-dir="$N/kubelet" --hostname-override="$NAME" \
        --node-ip=$POD_NET.1 --node-labels=cargocd.io/real=true --volume-plugin-dir="$N/volume-plugins" --v=1
}

start_proxy() {
    cat >"$N/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $DIR/kubeconfig}
clusterCIDR: $POD_NET.0/24
hostnameOverride: $NAME
mode: iptables
iptables: {minSyncPeriod: 0s, syncPeriod: 30s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:20256
metricsBindAddress: 127.0.0.1:20249
Y
    start kube-proxy "$BIN/kube-proxy" --config="$N/kube-proxy.yaml"
    kubectl apply -f - >/dev/null <<Y
apiVersion: v1
kind: Endpoints
metadata: {name: kubernetes, namespace: default}
subsets: [{addresses: [{ip: $POD_NET.1}], ports: [{name: https, port: $PORT, protocol: TCP}]}]
Y
}

ready() { kubectl get node "$NAME" --no-headers | grep -q ' Ready '; }

check_machine
mkdir -p "$N"/{cni,kubelet,containerd,containerd-state}
# What down.sh has to take back is known before it is done.
touch "$N/joined"
make_network
make_pause_image
start_containerd
start node-services python3 "$HERE/node_services.py" "$DIR/kubeconfig" $POD_NET.1 "$PORT"
start_kubelet
start_proxy
wait_for 90 kubelet ready
echo "node $NAME is ready"
