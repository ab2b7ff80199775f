#!/usr/bin/env python3
"""Figures of the daemons as processes on an in-memory cluster: a line each, judged by the budgets of the design.
usage: system.py [-k PATTERN] [--apps N] [--objects N]   (CARGOCD_BIN: where the programs are)"""
import argparse
import datetime
import http.client
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
os.environ.setdefault("CARGOCD_LOGLEVEL", "warn")
os.environ.pop("KUBECONFIG", None)

from lib.env import APP, BIN, Environment  # noqa: E402
from lib.proc import wait_for  # noqa: E402

RESYNC_NEVER = ["--app-resync", "0"]


def figure(name, value, unit, budget=0, at_least=False):
    verdict = "" if not budget else " budget %g %s" % (budget, "ok" if (value >= budget if at_least else value <= budget) else "over")
    print("bench %s %.3g %s%s" % (name, value, unit, verdict), flush=True)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def anonymous_kib(process):
    with open("/proc/%d/smaps_rollup" % process.child.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))


def daemons(env):
    return [env.repo_server, env.controller, env.server]


class Suite:
    """An environment with all daemons, ended when the block ends."""

    def __init__(self, before=None, options=None, variables=None):
        self.before, self.options, self.variables = before, options, variables

    def __enter__(self):
        self.env = Environment(options=self.options)
        if self.variables:
            make = self.env._process
            self.env._process = lambda name, argv, env=None: make(name, argv, dict(env or {}, **self.variables))
            for p in (self.env.repo_server, self.env.controller):
                p.env.update(self.variables)
        if self.before:
            self.before(self.env)
        self.env.start()
        self.env.start_api_server()
        return self.env

    def __exit__(self, *_):
        self.env.close()


# ---- idle and start ----

def many_processors(folder):
    """A library that makes a program see 64 processors."""
    source = os.path.join(folder, "many.c")
    with open(source, "w", encoding="ascii") as f:
        f.write("#include <unistd.h>\n#include <dlfcn.h>\n"
                "long __sysconf(int name) { static long (*next)(int);\n"
                "  if (!next) next = (long (*)(int))dlsym(RTLD_NEXT, \"__sysconf\");\n"
                "  return name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF ? 64 : next(name); }\n")
    library = os.path.join(folder, "many.so")
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def idle():
    with Suite() as env:
        time.sleep(3)
        for p in daemons(env):
            figure("idle-pss-" + p.name.replace("cargocd-", ""), p.memory_kib() / 1024, "MB")
        figure("idle-pss-three-daemons", sum(p.memory_kib() for p in daemons(env)) / 1024, "MB", 30)
        figure("idle-anonymous-three-daemons", sum(anonymous_kib(p) for p in daemons(env)) / 1024, "MB")
    with tempfile.TemporaryDirectory() as folder:
        with Suite(variables={"LD_PRELOAD": many_processors(folder)}) as env:
            time.sleep(3)
            figure("idle-pss-three-daemons-64-processors", sum(p.memory_kib() for p in daemons(env)) / 1024, "MB", 30)


def healthy(port, tls=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def start():
    """From exec to the first good answer of /healthz, with nothing else starting."""
    with Suite() as env:
        for p, port in ((env.repo_server, int(env.repo_server.argv[env.repo_server.argv.index("--metrics-port") + 1])),
                        (env.controller, env.metrics_port)):
            times = []
            for _ in range(5):
                p.stop()
                begun = time.monotonic()
                p.start()
                wait_for(p.name, lambda: healthy(port), interval=0.002, alive=[p])
                times.append((time.monotonic() - begun) * 1000)
            figure("start-" + p.name.replace("cargocd-", ""), percentile(times, 50), "ms", 200)
        times = []
        for _ in range(5):
            env.server.stop()
            os.unlink(env.ports)
            begun = time.monotonic()
            env.server.start()
            wait_for("ports", lambda: os.path.exists(env.ports) and os.path.getsize(env.ports), interval=0.002, alive=[env.server])
            with open(env.ports, encoding="ascii") as f:
                port = int(f.read().split()[0])
            wait_for("api-server", lambda: healthy(port), interval=0.002, alive=[env.server])
            times.append((time.monotonic() - begun) * 1000)
        figure("start-api-server", percentile(times, 50), "ms", 200)


# ---- applications ----

def config_map(name, size=1000):
    return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  text: %s\n" % (name, "x" * size)


def make_apps(env, count, objects, namespace, automated=True):
    """`count` applications of `objects` ConfigMaps each, from one repository with a folder for each."""
    repo = env.repo("mono")
    files = {}
    for i in range(count):
        for k in range(objects):
            files["apps/%d/%d.yaml" % (i, k)] = config_map("app-%d-%d" % (i, k))
    repo.commit(files)
    policy = {"syncPolicy": {"automated": {"selfHeal": False}}} if automated else {}
    for i in range(count):
        env.app("app-%d" % i, env.git.url(repo), "apps/%d" % i, namespace, **policy)
    return repo


def counts(env):
    """How many applications are Synced, and with a successful operation."""
    apps = env.kube.list(*APP, env.ns)
    synced = sum(1 for a in apps if a.get("status", {}).get("sync", {}).get("status") == "Synced")
    done = sum(1 for a in apps if a.get("status", {}).get("operationState", {}).get("phase") == "Succeeded")
    return len(apps), synced, done


def settle(env, count, timeout=300):
    wait_for("all applications to be Synced", lambda: counts(env)[1] == count, timeout, 0.5, alive=[env.controller])


def requests(env, verb, resource):
    """How many such requests the cluster has answered; resource "": any."""
    return sum(r["count"] for r in env.kube.call("GET", "/kubesim/requests")["requests"]
               if r["verb"] == verb and resource in ("", r["resource"]))


def metric(env, name):
    connection = http.client.HTTPConnection("127.0.0.1", env.metrics_port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name) and not line.startswith("#"))


def reconciled(env):
    return metric(env, "argocd_app_reconcile_count")


def refresh_rate(env, name, count, budget, change, writes_each=0):
    """All applications are refreshed after `change`: how many for a second of the controller's processor time. Its metrics
    look at all applications: where the end shows by what is written they are not asked while it is measured."""
    before, writes, cpu = reconciled(env), app_writes(env), env.controller.cpu_seconds()
    change()
    over = (lambda: app_writes(env) - writes >= count * writes_each) if writes_each else (lambda: reconciled(env) - before >= count)
    wait_for("refreshes", over, 120, 0.5, alive=[env.controller])
    time.sleep(0.5)
    used = env.controller.cpu_seconds() - cpu
    done = reconciled(env) - before
    assert done >= count, "%d refreshes of %d" % (done, count)
    figure(name, done / max(used, 0.01), "apps/s/core", budget, at_least=True)


def app_writes(env):
    """Patches of applications, by whomever."""
    return requests(env, "patch", "applications.argoproj.io")


def refresh(apps):
    """Each application is refreshed by its timer once a second; its source is asked about, nothing has changed."""
    with Suite(options={"controller": ["--app-resync", "1", "--app-resync-jitter", "0"]}) as env:
        make_apps(env, apps, 5, env.create_namespace())
        settle(env, apps)
        time.sleep(3)
        cpu, before = env.controller.cpu_seconds(), metric(env, "argocd_app_reconcile_count")
        time.sleep(8)
        done, used = metric(env, "argocd_app_reconcile_count") - before, env.controller.cpu_seconds() - cpu
        figure("refresh-unchanged", done / max(used, 0.01), "apps/s/core", 1000, at_least=True)


def sync(apps):
    with Suite(options={"controller": RESYNC_NEVER}) as env:
        namespace = env.create_namespace()
        cpu = env.controller.cpu_seconds() + env.repo_server.cpu_seconds()
        begun = time.monotonic()
        make_apps(env, apps, 1, namespace)
        settle(env, apps)
        used = env.controller.cpu_seconds() + env.repo_server.cpu_seconds() - cpu
        figure("sync-one-configmap-apps", apps / used, "apps/s/core", 40, at_least=True)
        figure("sync-one-configmap-apps-elapsed", time.monotonic() - begun, "s")


def applications(apps, objects):
    """Memory, refreshes and idle processor time with many applications of five objects."""
    with Suite(options={"controller": RESYNC_NEVER}) as env:
        namespace = env.create_namespace()
        time.sleep(2)
        before = env.controller.memory_kib()
        make_apps(env, apps, 5, namespace)
        settle(env, apps, 600)
        time.sleep(25)  # idle threads end after 15 s, and what they used is given back within 5 s more
        # with fewer the connection to the cluster itself is what weighs
        figure("controller-memory-an-app-of-%d" % apps, (env.controller.memory_kib() - before) / apps, "KiB", 10 if apps >= 5000 else 0)
        cpu = env.controller.cpu_seconds()
        time.sleep(10)
        figure("controller-idle-cpu-%d-apps" % apps, (env.controller.cpu_seconds() - cpu) / 10, "cores", 0.01)
        refresh_rate(env, "refresh-unchanged-by-annotation", apps, 1000,
                     lambda: [env.refresh("app-%d" % i) for i in range(apps)], 2)
        refresh_rate(env, "refresh-all-objects-changed", apps, 200, lambda: touch(env, namespace, apps))
        latency(env, namespace, objects)


def touch(env, namespace, apps):
    for i in range(apps):
        for k in range(5):
            env.kube.merge("v1", "ConfigMap", namespace, "app-%d-%d" % (i, k), {"metadata": {"labels": {"touched": "now"}}})


# ---- a cluster full of what is nobody's ----

NAMESPACES = 200
CLUSTER_MIX = (  # of each ten: how many, of what, owned by which, and what the controller reads of it
    (1, "deployments.apps", None, {
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "{name}"}}},
        "status": {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}}),
    (2, "replicasets.apps", "deployments.apps", {
        "metadata": {"labels": {"app": "{owner}", "pod-template-hash": "{name}"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "{owner}"}}},
        "status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}}),
    (3, "pods", "replicasets.apps", {
        "metadata": {"labels": {"app": "bulk", "pod-template-hash": "{owner}"}},
        "spec": {"nodeName": "node-1", "containers": [
            {"name": "main", "image": "registry.example.org/team/program:1.2.3",
             "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1",
                   "conditions": [{"type": t, "status": "True"} for t in ("Initialized", "Ready", "ContainersReady", "PodScheduled")],
                   "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}}]}}),
    (1, "services", None, {"spec": {"selector": {"app": "{name}"}, "type": "ClusterIP", "ports": [{"port": 80}]}}),
    (1, "endpointslices.discovery.k8s.io", "services", {"addressType": "IPv4", "endpoints": []}),
    (1, "configmaps", None, {"data": {"text": "bulk"}}),
    (1, "secrets", None, {"type": "Opaque", "data": {"key": "YnVsaw=="}}),
)


def fill(env, objects):
    """Objects of 1.5 KB that no application has, in many namespaces: half of them pods and replica sets."""
    for i in range(NAMESPACES):
        env.create_namespace("bulk-%d" % i)
    env.kube.call("PUT", "/kubesim/faults", {"paused": ["all"]})  # their controllers would work on what is made here
    made = {}
    for tenths, resource, owner, like in CLUSTER_MIX:
        made[resource] = objects * tenths // 10 // NAMESPACES * NAMESPACES  # owners are in the namespace of what they own
        for start in range(0, made[resource], 5000):
            env.kube.call("POST", "/kubesim/bulk", {
                "resource": resource, "count": min(5000, made[resource] - start), "from": start, "size": 1500, "namespace": "bulk-",
                "namespaces": NAMESPACES, "prefix": resource.split(".")[0] + "-6d4cf56db6-", "object": like,
                "owner": {"resource": owner, "prefix": owner.split(".")[0] + "-6d4cf56db6-", "count": made[owner]} if owner else None})
    return sum(made.values())


def cached(env):
    return metric(env, "argocd_cluster_api_resource_objects")


def peak_kib(process):
    with open("/proc/%d/status" % process.child.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def resident_kib(process):
    with open("/proc/%d/status" % process.child.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def forget_peak(process):
    with open("/proc/%d/clear_refs" % process.child.pid, "w", encoding="ascii") as f:
        f.write("5")


def lists(env):
    """How many pages of lists the cluster has answered."""
    return requests(env, "list", "")


def relist(env, held, name):
    """Every kind is listed again, because its version is forgotten: the peak above what is resident before."""
    forget_peak(env.controller)
    steady, cpu, begun = resident_kib(env.controller), env.controller.cpu_seconds(), lists(env)
    env.kube.call("POST", "/kubesim/bulk", {"resource": "events", "count": 1})  # nobody watches them: all watches are behind
    env.kube.call("POST", "/kubesim/compact", {"keep": 0})
    env.kube.call("POST", "/kubesim/drop-watches", {})
    wait_for("everything to be listed again", lambda: lists(env) - begun >= held / 500, 120, 0.2, alive=[env.controller])
    time.sleep(5)
    figure(name + "-spike", (peak_kib(env.controller) / steady - 1) * 100, "%", 10)
    figure(name + "-cpu", env.controller.cpu_seconds() - cpu, "s")


def cluster(objects, apps=100):
    """A cluster of many objects of which few are an application's."""
    with Suite(options={"controller": RESYNC_NEVER}) as env:
        namespace = env.create_namespace()
        make_apps(env, apps, 1, namespace)
        settle(env, apps)
        env.controller.restart()
        time.sleep(25)  # idle threads end after 15 s, and what they used is given back within 5 s more
        before, empty = env.controller.memory_kib(), cached(env)
        env.controller.stop()
        held = fill(env, objects)
        env.controller.start()
        begun = time.monotonic()
        wait_for("the cluster to be listed", lambda: healthy(env.metrics_port) and cached(env) - empty >= held, 300, 0.5, alive=[env.controller])
        figure("cluster-of-%d-listed" % held, time.monotonic() - begun, "s")
        figure("cluster-of-%d-listed-cpu" % held, env.controller.cpu_seconds(), "s")
        time.sleep(25)  # idle threads end after 15 s, and what they used is given back within 5 s more
        figure("controller-memory-an-unmanaged-object", (env.controller.memory_kib() - before) * 1024 / held, "B", 600)
        figure("controller-memory-peak-of-first-list", (peak_kib(env.controller) / resident_kib(env.controller) - 1) * 100, "%")
        cpu = env.controller.cpu_seconds()
        time.sleep(10)
        figure("controller-idle-cpu-%d-objects" % held, (env.controller.cpu_seconds() - cpu) / 10, "cores", 0.01)
        relist(env, held, "relist")
        figure("controller-memory-an-unmanaged-object-relisted", (env.controller.memory_kib() - before) * 1024 / held, "B", 600)
        latency(env, namespace, 0)


def moment(write):
    return datetime.datetime.fromisoformat(write["time"].replace("Z", "+00:00")).timestamp()


def latency(env, namespace, objects):
    """A managed object drifts: until the status patch of its Application arrives, by the cluster's own clock."""
    if objects:
        env.kube.call("POST", "/kubesim/bulk", {"resource": "configmaps", "count": objects, "size": 1500, "namespace": namespace})
        time.sleep(3)
    seen = []
    for i in range(100):
        env.kube.call("POST", "/kubesim/reset", {})
        env.kube.merge("v1", "ConfigMap", namespace, "app-%d-0" % i, {"data": {"text": "drift"}})

        def patched():
            writes = env.kube.call("GET", "/kubesim/writes")["items"]
            drift = [w for w in writes if w["resource"] == "configmaps"]
            status = [w for w in writes if w["resource"].startswith("applications") and w["name"] == "app-%d" % i]
            return (moment(status[0]), moment(drift[0])) if status and drift else None
        late, early = wait_for("the status of app-%d" % i, patched, 20, 0.005)
        seen.append((late - early) * 1000)
    figure("event-to-status-p50", percentile(seen, 50), "ms")
    figure("event-to-status-p99", percentile(seen, 99), "ms", 100)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", default="")
    parser.add_argument("--apps", type=int, default=500)
    parser.add_argument("--objects", type=int, default=20000)
    parser.add_argument("--cluster-objects", type=int, default=200000)
    args = parser.parse_args()
    parts = {"idle": idle, "start": start, "refresh": lambda: refresh(min(args.apps, 300)), "sync": lambda: sync(min(args.apps, 500)),
             "applications": lambda: applications(args.apps, args.objects), "cluster": lambda: cluster(args.cluster_objects)}
    for name, part in parts.items():
        if args.k in name:
            part()


if __name__ == "__main__":
    main()
