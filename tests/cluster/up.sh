#!/usr/bin/env bash
# Starts a Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and HOLLOW
# simulated nodes, on which any image runs at once and never ends. usage: up.sh DIR [PORT] [HOLLOW]
# The admin's kubeconfig is DIR/kubeconfig. PORT and some twenty ports after it are used, by default the first of 7600,
# 7640, ... where nothing listens. down.sh stops it.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
DIR=$(cd "$1" && pwd) PORT=${2:-} HOLLOW=${3:-1}
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

free_ports() {
    local port=7600
    while (: </dev/tcp/127.0.0.1/$port) 2>/dev/null || (: </dev/tcp/127.0.0.1/$((port + 1))) 2>/dev/null; do
        port=$((port + 40))
    done
    echo $port
}

[ -n "$PORT" ] || PORT=$(free_ports)
ETCD=$((PORT + 1)) PEER=$((PORT + 2)) MANAGER=$((PORT + 3)) SCHEDULER=$((PORT + 4)) KUBELETS=$((PORT + 10))
[ -x "$BIN/kube-apiserver" ] || fail "no Kubernetes in $BIN: build.sh makes one"
command -v etcd >/dev/null || fail "etcd is not installed: make deps-cluster"
for f in "$DIR"/*.pid; do
    if [ -e "$f" ] && running "$f"; then fail "something runs in $DIR already; down.sh stops it"; fi
done
cd "$DIR"

# make_certificate NAME SUBJECT EXTENSION: signed by the cluster's authority, for a year.
make_certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$1.crt" \
        -extfile <(echo "$3") 2>/dev/null
}

make_keys() {
    umask 077
    openssl genrsa -out sa.key 2048 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 365 -subj /CN=cargocd-test-cluster 2>/dev/null
    make_certificate apiserver /CN=kube-apiserver "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$SERVICE_NET.0.1,IP:$POD_NET.1"
    make_certificate admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
    cat >kubeconfig <<K
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: admin, user: {client-certificate-data: $(base64 -w0 admin.crt), client-key-data: $(base64 -w0 admin.key)}}]
contexts: [{name: local, context: {cluster: local, user: admin}}]
current-context: local
K
}

start_control_plane() {
    start etcd etcd --data-dir "$DIR/etcd" --unsafe-no-fsync --initial-cluster "default=http://127.0.0.1:$PEER" \
        --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
        --listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER"
    # The Service "kubernetes" gets its endpoint from node.sh: an endpoint on loopback is none that pods could reach.
    start apiserver "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD" --secure-port="$PORT" \
        --bind-address=127.0.0.1 --advertise-address="$POD_NET.1" --endpoint-reconciler-type=none \
        --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key --client-ca-file=ca.crt \
        --service-cluster-ip-range="$SERVICE_NET.0.0/16" --service-account-key-file=sa.key \
        --service-account-signing-key-file=sa.key --service-account-issuer=https://kubernetes.default.svc \
        --authorization-mode=RBAC --allow-privileged=true --enable-aggregator-routing=false \
        --kubelet-preferred-address-types=InternalIP,Hostname --kubelet-client-certificate=admin.crt \
        --kubelet-client-key=admin.key
    wait_for 60 apiserver kubectl get --raw /readyz
    start controller-manager "$BIN/kube-controller-manager" --kubeconfig=kubeconfig --root-ca-file=ca.crt \
        --service-account-private-key-file=sa.key --use-service-account-credentials --secure-port="$MANAGER" --port=0 \
        --bind-address=127.0.0.1 --leader-elect=false
    start scheduler "$BIN/kube-scheduler" --kubeconfig=kubeconfig --secure-port="$SCHEDULER" --port=0 \
        --bind-address=127.0.0.1 --leader-elect=false
}

ready_nodes() { [ "$(kubectl get nodes --no-headers | grep -c ' Ready ')" -ge "$HOLLOW" ]; }

[ -f kubeconfig ] || make_keys
start_control_plane
for ((i = 0; i < HOLLOW; i++)); do
    start "hollow-$i" "$BIN/kubemark" --morph=kubelet --name="hollow-$i" --kubeconfig=kubeconfig --v=1 \
        --kubelet-port=$((KUBELETS + 2 * i)) --kubelet-read-only-port=$((KUBELETS + 2 * i + 1))
done
wait_for 60 controller-manager kubectl -n default get serviceaccount default
[ "$HOLLOW" = 0 ] || wait_for 60 hollow-0 ready_nodes
echo "KUBECONFIG=$DIR/kubeconfig"
