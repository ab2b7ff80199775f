#!/usr/bin/env python3
"""The same manifests applied by kubectl and by us to a real API server: what comes of it, and what each says beforehand.

    run.py [-k PART] [--record] [-v]      needs KUBECONFIG and kubectl; -k: cases whose name contains PART

Two modes, client side and server side, each with a place for kubectl and one for an Application. In each place `before` is
applied, `drift` sent by somebody else, and `after` compared and applied. Then must be the same: whether kubectl diff and we
see a difference, the live objects, what they say was last applied, and which objects the API server refuses.
The table seen.tsv says on which server versions each kind has been seen; --record adds this one."""
import argparse
import base64
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import cases as tables  # noqa: E402  pylint: disable=wrong-import-position
from lib.env import Environment  # noqa: E402  pylint: disable=wrong-import-position
from lib.kube import ApiError  # noqa: E402  pylint: disable=wrong-import-position

KUBECTL = shutil.which("kubectl") or "kubectl"
SEEN = os.path.join(HERE, "seen.tsv")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRACKING = "argocd.argoproj.io/tracking-id"
MANAGER = "argocd-controller"
AT_ONCE = threading.Semaphore(2)  # kubectl processes

# Kinds that no source holds: they are asked, not kept; and those that Argo CD never manages.
NO_OBJECTS = re.compile(r"Review$|^(Binding|TokenRequest|Eviction|Scale|Event|Lease)$")


class Place:
    def __init__(self, env, run, mode, side, more):
        self.mode, self.side, self.run, self.more = mode, side, run, more
        self.suffix = mode[0] + side[0]
        self.ns = env.create_namespace("diff-%s-%s" % (run, self.suffix))
        self.changes, self.refused, self.messages = {}, {}, ""


class Api:
    """Discovery of the server: where each kind is found."""

    def __init__(self, kube):
        self.kube = kube
        self.kinds = {}
        version = kube.call("GET", "/version")
        self.version = "%s.%s" % (version["major"], version["minor"].rstrip("+"))
        groups = [("v1", "/api/v1", True)]
        for g in kube.call("GET", "/apis")["groups"]:
            groups += [(v["groupVersion"], "/apis/" + v["groupVersion"], v == g["preferredVersion"]) for v in g["versions"]]
        for version, path, preferred in groups:
            try:
                found = kube.call("GET", path)["resources"]
            except ApiError:
                continue
            for r in found:
                if "/" not in r["name"]:
                    self.kinds[version, r["kind"]] = dict(r, path=path, preferred=preferred)

    def namespaced(self, api_version, kind):
        r = self.kinds.get((api_version, kind))
        return r["namespaced"] if r else None

    def path(self, o):
        r = self.kinds[o["apiVersion"], o["kind"]]
        meta = o["metadata"]
        place = "/namespaces/" + meta["namespace"] if r["namespaced"] else ""
        return "%s%s/%s/%s" % (r["path"], place, r["name"], meta["name"])

    def missing(self, kinds):
        """Kinds of the server that no case is about."""
        have = {(k["apiVersion"].rpartition("/")[0], k["kind"]) for k in kinds}
        return sorted("%s %s" % key for key, r in self.kinds.items()
                      if r["preferred"] and {"create", "get", "patch"} <= set(r["verbs"]) and not NO_OBJECTS.search(key[1])
                      and "example.com" not in key[0] and (key[0].rpartition("/")[0], key[1]) not in have)


class Differential:
    def __init__(self, args):
        self.env = Environment(options={"controller": ["--sync-wave-delay", "0"]})
        if not self.env.real:
            self.env.close()
            sys.exit("needs a real API server: give a KUBECONFIG")
        # Of HPAs, health knows v1 and v2 only, and what it does not know is an error that no application is synced with.
        self.env.config_map("argocd-cm", {"resource.customizations.health.autoscaling_HorizontalPodAutoscaler": "return {status = 'Healthy'}"})
        self.env.start()
        self.api = Api(self.env.kube)
        self.define_gadgets()
        self.kinds, self.cases = tables.load(self.api.namespaced)
        self.cases = [c for c in self.cases if args.k in c.id]
        self.whole, self.verbose = not args.k, args.v
        self.run = "%06x" % (int(time.time() * 1000) & 0xffffff)
        self.dir = tempfile.mkdtemp(prefix="cargocd-differential-")
        more = {"csr": self.signing_request(), "ca": self.authority()}
        self.places = {(m, s): Place(self.env, self.run, m, s, more) for m in ("client", "server") for s in ("kubectl", "ours")}
        self.problems, self.passed = [], 0

    def define_gadgets(self):
        with open(os.path.join(HERE, "gadgets.yaml"), encoding="utf-8") as f:
            self.env.kube.create(yaml.safe_load(f), exist_ok=True)
        self.env.wait("the definition", lambda: ("diff.example.com/v1", "Gadget") in Api(self.env.kube).kinds)
        self.api = Api(self.env.kube)

    def signing_request(self):
        done = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                               "/dev/null", "-subj", "/CN=x"], capture_output=True, check=True)
        return base64.b64encode(done.stdout).decode()

    def authority(self):
        with open(self.env.kubeconfig, encoding="utf-8") as f:
            cluster = yaml.safe_load(f)["clusters"][0]["cluster"]
        if "certificate-authority-data" in cluster:
            return cluster["certificate-authority-data"]
        with open(os.path.join(os.path.dirname(self.env.kubeconfig), cluster["certificate-authority"]), "rb") as f:
            return base64.b64encode(f.read()).decode()

    def of(self, mode, fails=None):
        return [c for c in self.cases if mode in c.modes and fails in (None, mode in c.fails)]

    # ---- kubectl ----

    def write(self, place, what, chosen):
        stage = "before" if what == "before" else "after"
        folder = os.path.join(self.dir, place.suffix, what)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "%d.yaml" % len(os.listdir(folder)))
        with open(path, "w", encoding="utf-8") as f:
            yaml.safe_dump_all([c.at(place, stage) for c in chosen], f, sort_keys=False, allow_unicode=True)
        return path

    def kubectl(self, verb, path, mode, env=None):
        flags = ["--server-side", "--force-conflicts", "--field-manager", MANAGER] if mode == "server" else []
        with AT_ONCE:
            return subprocess.run([KUBECTL, "--kubeconfig", self.env.kubeconfig, verb, *flags, *(["--validate=false"] if verb == "apply" else []), "-f", path],
                                  capture_output=True, text=True,
                                  env=dict(os.environ, **(env or {})), check=False, timeout=300)

    def kubectl_apply(self, place, stage):
        done = self.kubectl("apply", self.write(place, stage, self.of(place.mode, None if stage == "before" else False)), place.mode)
        if done.returncode:
            self.problem("kubectl apply", place, "%s\n%s" % (stage, done.stderr[-3000:]))

    def kubectl_refused(self, place):
        for c in self.of(place.mode, True):
            done = self.kubectl("apply", self.write(place, "refused", [c]), place.mode)
            place.refused[c.id] = done.stderr.strip() if done.returncode else ""

    def kubectl_diff(self, place):
        chosen = self.of(place.mode, False)
        done = self.kubectl("diff", self.write(place, "diff", chosen), place.mode, {"KUBECTL_EXTERNAL_DIFF": "diff -rqN"})
        if done.returncode > 1:
            self.problem("kubectl diff", place, done.stderr[-3000:])
        differing = set(re.findall(r"^Files \S*/(\S+) and \S+ differ$", done.stdout, re.M))
        for c in chosen:
            o = c.at(place, "after")
            name = "%s.%s.%s.%s" % (o["apiVersion"].replace("/", "."), o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"])
            place.changes[c.id] = name in differing

    # ---- we ----

    def commit(self, place, stage):
        files = {"%s/%d.yaml" % ("bad" if place.mode in c.fails else "good", i): yaml.safe_dump(c.at(place, stage), sort_keys=False, allow_unicode=True)
                 for i, c in enumerate(self.of(place.mode))}
        return place.repo.commit({"good/README": "of the differential test", "bad/README": "", **files})

    def refreshed(self, name, sha):
        self.env.refresh(name)
        return self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}) and
                                 a["status"]["sync"].get("revision") == sha, 60, "to be refreshed")

    def synced(self, name, place, policy):
        self.env.sync(name, **policy)
        app = self.env.wait_app(name, lambda a: not a.get("operation") and
                                a["status"].get("operationState", {}).get("phase") in ("Succeeded", "Failed", "Error"), 60, "to be synced")
        state = app["status"]["operationState"]
        if state["phase"] != "Succeeded":
            results = state.get("syncResult", {}).get("resources", [])
            self.problem("sync", place, "\n    ".join(["%s %s: %s" % (r["kind"], r["name"], r["message"]) for r in results if r["status"] == "SyncFailed"]
                                                      or [state["message"]]))
        return app

    def our_apps(self, place):
        place.repo = self.env.repo()
        sha = self.commit(place, "before")
        policy = {"syncOptions": ["ServerSideApply=true"]} if place.mode == "server" else {}
        for path in ("good", "bad"):
            name = "%s-%s" % (path, place.suffix)
            self.env.app(name, self.env.git.url(place.repo), path=path, dest_ns=place.ns, syncPolicy=policy)
            self.refreshed(name, sha)
            self.synced(name, place, policy)

    def our_verdicts(self, place):
        sha = self.commit(place, "after")
        for diff in ("client",) if place.mode == "client" else ("server", "structured"):
            if place.mode == "server":
                self.env.patch_app("good-" + place.suffix, {"metadata": {"annotations": {
                    "argocd.argoproj.io/compare-options": "ServerSideDiff=%s" % ("true" if diff == "server" else "false")}}})
            app = self.refreshed("good-" + place.suffix, sha)
            found = self.by_key(app["status"]["resources"])
            place.verdicts = {**getattr(place, "verdicts", {}), diff: {
                c.id: found.get(self.key(c, place), {}).get("status") == "OutOfSync" for c in self.of(place.mode, False)}}
            if app["status"].get("conditions"):
                self.problem("conditions", place, json.dumps(app["status"]["conditions"], indent=1)[:2000])

    def our_apply(self, place):
        name = "good-" + place.suffix
        policy = {"syncOptions": ["ServerSideApply=true"]} if place.mode == "server" else {}
        app = self.synced(name, place, policy)
        place.left = [r for r in self.refreshed(name, app["status"]["sync"]["revision"])["status"]["resources"] if r.get("status") != "Synced"]
        bad = "bad-" + place.suffix
        for c in self.of(place.mode, True):
            o = c.at(place, "after")
            chosen = {"kind": c.kind, "name": o["metadata"]["name"], **({"group": c.group} if c.group else {})}
            self.env.sync(bad, resources=[chosen], **policy)
            app = self.env.wait_app(bad, lambda a: not a.get("operation") and a["status"]["operationState"]["phase"] in ("Failed", "Succeeded"))
            results = app["status"]["operationState"].get("syncResult", {}).get("resources", [])
            place.refused[c.id] = "".join(r["message"] for r in results if r["status"] == "SyncFailed")

    def key(self, case, place):
        return case.group, case.kind, case.names(place)["name"]

    def by_key(self, resources):
        return {(r.get("group", ""), r["kind"], r["name"]): r for r in resources}

    # ---- the comparison ----

    def problem(self, what, place, detail):
        self.problems.append("%s, %s: %s" % (what, place if isinstance(place, str) else place.suffix, detail))

    def live(self, case, place):
        try:
            o = self.env.kube.call("GET", self.api.path(case.at(place, "after")))
        except ApiError as e:
            return str(e), None
        meta = o["metadata"]
        notes = meta.get("annotations", {})
        applied = notes.pop(LAST_APPLIED, None)
        notes.pop(TRACKING, None)
        text = json.dumps([bare(o), json.loads(applied) if applied else None])
        for what, value in sorted(case.names(place).items(), key=lambda item: -len(item[1])):
            if what in ("name", "ns", "plain"):
                text = text.replace(value, "<%s>" % what)
        text = re.sub(r"default-token-\w{5}", "default-token", text.replace(meta["uid"], "<uid>"))
        now, applied = json.loads(text)
        if applied:
            applied["metadata"].get("annotations", {}).pop(TRACKING, None)
            applied["metadata"]["annotations"] = applied["metadata"].get("annotations") or {}
        return now, applied

    def judge(self, mode):
        theirs, ours = self.places[mode, "kubectl"], self.places[mode, "ours"]
        left = self.by_key(ours.left)
        chosen = self.of(mode, False)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            lives = list(pool.map(lambda c: (self.live(c, theirs), self.live(c, ours)), chosen))
        for c, (a, b) in zip(chosen, lives):
            found = []
            for diff, verdicts in ours.verdicts.items():
                if verdicts[c.id] != c.verdict(diff, theirs.changes[c.id]):
                    found.append("verdict (%s): kubectl %s, ours %s" % (diff, theirs.changes[c.id], verdicts[c.id]))
            for what, x, y in zip(("live object", "last applied"), a, b):
                if x != y:
                    found.append("%s:%s" % (what, differences(x, y)))
            if self.key(c, ours) in left and c.data.get("synced", True):
                found.append("is %s after the sync" % left[self.key(c, ours)]["status"])
            self.count("%s side, %s" % (mode, c.id), found)
        for c in self.of(mode, True):
            found = ["kubectl: %s; ours: %s" % (theirs.refused[c.id] or "taken", ours.refused[c.id] or "taken")] \
                if not (theirs.refused[c.id] and ours.refused[c.id]) else []
            self.count("%s side, %s" % (mode, c.id), found)

    def count(self, what, found):
        if found:
            self.problems.append("%s\n    %s" % (what, "\n    ".join(found)))
        else:
            self.passed += 1

    # ---- the whole ----

    def both(self, *work):
        failures = []

        def guarded(f, *args):
            began = time.monotonic()
            try:
                f(*args)
                if self.verbose:
                    print("%-16s %-20s %5.1f s" % (f.__name__, " ".join(getattr(a, "suffix", str(a)) for a in args), time.monotonic() - began))
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)
        threads = [threading.Thread(target=guarded, args=w) for w in work]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failures:
            raise failures[0]

    def drift(self):
        for place in self.places.values():
            for c in self.of(place.mode):
                patch = c.drift(place)
                if patch:
                    try:
                        self.env.kube.call("PATCH", self.api.path(c.at(place, "before")) + "?fieldManager=somebody", patch,
                                           "application/merge-patch+json")
                    except ApiError as e:
                        self.problem("drift", place, "%s: %s" % (c.id, e))

    def compare(self):
        kubectls = [p for p in self.places.values() if p.side == "kubectl"]
        ours = [p for p in self.places.values() if p.side == "ours"]
        self.both(*[(self.kubectl_apply, p, "before") for p in kubectls], *[(self.our_apps, p) for p in ours])
        self.drift()
        time.sleep(1)
        self.both(*[(self.kubectl_diff, p) for p in kubectls], *[(self.our_verdicts, p) for p in ours])
        self.both(*[(self.kubectl_apply, p, "after") for p in kubectls], *[(self.our_apply, p) for p in ours])
        self.both(*[(self.kubectl_refused, p) for p in kubectls])
        time.sleep(1)
        for mode in ("client", "server"):
            self.judge(mode)

    def seen(self, record):
        """The table of kinds and server versions: printed, and checked against what was seen now."""
        with open(SEEN, encoding="utf-8") as f:
            rows = dict(line.rstrip("\n").split("\t") for line in f if not line.startswith("#"))
        now = {"%s %s" % (c.api_version, c.kind) for c in self.cases}
        for kind in now if record else ():
            rows[kind] = " ".join(sorted(set(rows.get(kind, "").split()) | {self.api.version}, key=lambda v: [int(n) for n in v.split(".")]))
        if record:
            with open(SEEN, "w", encoding="utf-8") as f:
                f.write("# Kinds of the differential test, and the server versions on which each was seen; run.py --record adds to it.\n")
                f.writelines("%s\t%s\n" % row for row in sorted(rows.items()))
        for kind, versions in sorted(rows.items()):
            print("%-55s %3d pairs   Kubernetes %s" % (kind, sum("%s %s" % (c.api_version, c.kind) == kind for c in self.cases), versions))
        if self.whole:
            lacking = sorted(k for k in now if self.api.version not in rows.get(k, "").split())
            gone = sorted(k for k, versions in rows.items() if self.api.version in versions.split() and k not in now)
            for what, kinds in (("not in seen.tsv for this version", lacking), ("in seen.tsv, but not seen", gone),
                                ("kinds of the server without a case", self.api.missing(self.kinds)),
                                ("fewer than 200 pairs", [str(len(self.cases))] if len(self.cases) < 200 else [])):
                self.count("the table: " + what, kinds)

    def remove(self, case, place):
        """What does not go with its namespace."""
        path = self.api.path(case.at(place, "before"))
        if "finalizers" in (case.data.get("drift") or {}).get("metadata", {}):
            self.env.kube.raw("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
        if not case.namespaced:
            self.env.kube.raw("DELETE", path, {"propagationPolicy": "Background"})

    def close(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda both: self.remove(*both), [(c, p) for p in self.places.values() for c in self.of(p.mode)]))
        self.env.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "gadgets.diff.example.com")
        shutil.rmtree(self.dir, ignore_errors=True)
        for name, code in self.env.close().items():
            self.count(name, ["ended with %d" % code] if code else [])


def bare(o):
    """Without what no applier decides."""
    meta = {k: v for k, v in o["metadata"].items() if k not in ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields")}
    meta["annotations"] = {k: v for k, v in (meta.get("annotations") or {}).items() if not k.startswith("autoscaling.alpha.kubernetes.io/")}
    o = dict(o, metadata=meta)
    o.pop("status", None)
    spec = o.get("spec", {})
    if o["kind"] == "Service":
        for field in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
            if spec.get(field) not in (None, "None", ["None"]):
                spec[field] = "<chosen by the server>"
        for port in spec.get("ports", []):
            if "nodePort" in port:
                port["nodePort"] = "<chosen by the server>"
    if o["kind"] == "ServiceAccount":
        o.pop("secrets", None)
    if o["kind"] == "Node":
        spec.pop("taints", None)
    return o


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return "".join(differences(a.get(k), b.get(k), path + "." + k) for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k))
    return "\n        %s: kubectl %s, ours %s" % (path, json.dumps(a)[:300], json.dumps(b)[:300])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", default="", metavar="PART")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    began = time.monotonic()
    test = Differential(args)
    try:
        test.compare()
        test.seen(args.record)
    finally:
        test.close()
        for p in test.problems:
            print("FAILED " + p)
    print("%d pairs, %.0f s" % (len(test.cases), time.monotonic() - began))
    print("%d passed, %d failed" % (test.passed, len(test.problems)))
    return 1 if test.problems else 0


if __name__ == "__main__":
    sys.exit(main())
