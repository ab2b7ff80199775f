#!/usr/bin/env python3
"""The applications of reference/ by Argo CD and by cargocd on the same cluster: both must show the same trees, differences,
statuses and results of operations.   usage: ARGOCD=/path/to/argocd KUBECONFIG=... reference.py

ARGOCD is Argo CD's program (one file serves as all of its daemons); nothing of it is kept here."""
import difflib
import json
import os
import re
import shutil
import sys
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from lib.env import PROJECT, Environment  # noqa: E402
from lib.proc import wait_for  # noqa: E402
from lib.reference import Reference  # noqa: E402

SETTINGS = {"resource.customLabels": "app,missing", "application.allowedNodeLabels": "kubernetes.io/os,missing"}
SMALL = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 80}]}\n"
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "certificates.cert-manager.io")
QUESTIONS = {"tree": "/resource-tree", "managed": "/managed-resources", "application": ""}
# What no two runs share.
TEXTS = [(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"), (r"t-[0-9a-f]{8}", "NS"), (r"\b[0-9a-f]{40}\b", "SHA"),
         (r"127\.0\.0\.1:\d+", "HOST"), (r"repo-[0-9a-f]{6}", "REPO"), (r"argocd-[0-9a-f]{6}", "ARGOCD"),
         (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"), (r"\b10\.\d+\.\d+\.\d+", "IP"),
         (r"\b(web|lb|agent|once|rc|db)-[0-9a-f]{8,10}(-[a-z0-9]{5})?\b", r"\1-HASH"),
         (r"\b(web|lb|agent|once|rc|sa-token|default-token)-[a-z0-9]{5}\b", r"\1-RANDOM"),
         (r" at \d+:\d\d[AP]M", " at TIME"), (r"failed to list refs.*", "failed to list refs"),  # in curl's words, or Go's
         (r"\beach-\w+-presync-\d+", "each-GENERATED")]
NOTHING = {"sourceHydrator", "summary"}  # which Argo CD writes empty now and then
FIELDS = {"uid", "resourceVersion", "managedFields", "generation", "nodePort", "apiVersion", "kind"}
KEYS = ("kind", "apiVersion")  # left out of the application only: Argo CD's API does not tell its own


def plain(v, top=True):
    if isinstance(v, dict):
        return {k: plain(x, False) for k, x in v.items() if (k not in FIELDS or (k in KEYS and not top)) and not (k in NOTHING and x == {})}
    if isinstance(v, list):
        return sorted((plain(x, False) for x in v), key=lambda x: json.dumps(x, sort_keys=True))
    if isinstance(v, str) and v[:1] == "{":
        return plain(json.loads(v), False)
    for pattern, text in TEXTS if isinstance(v, str) else ():
        v = re.sub(pattern, text, v, flags=re.DOTALL)
    what, reason, list_of = v.partition(", reason: ") if isinstance(v, str) else (v, "", "")
    return what + reason + ",".join(sorted(re.split(r",(?=[A-Z])", list_of))) if reason else v  # Argo CD's are in no order


def start(env, name):
    repo = env.repo()
    repo.tree(os.path.join(HERE, "reference", name))
    ns = env.app(name, env.git.url(repo))
    env.wait_status(name, "OutOfSync")
    env.sync(name)
    return ns


def start_specs(env):
    """Applications as reference-specs.yaml has them; their namespaces."""
    for name, spec in (("narrow", {"sourceRepos": ["http://*/specs.git"], "destinations": [{"server": "*", "namespace": "t-*"}],
                                   "namespaceResourceBlacklist": [{"group": "", "kind": "Service"}]}),
                       ("closed", {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
                                   "syncWindows": [{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]})):
        env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name, "namespace": env.ns}, "spec": spec})
    with open(os.path.join(HERE, "reference-specs.yaml"), encoding="utf-8") as f:
        text = f.read()
    namespaces, repo = {}, env.repo("specs")
    repo.commit({"all.yaml": SMALL, "empty/readme.md": "nothing"})
    for name in yaml.safe_load(text):
        ns = namespaces[name] = env.create_namespace()
        spec = yaml.safe_load(re.sub(r"\bURL\b", env.git.url(repo), re.sub(r"\bNAMESPACE", ns, text)))[name]
        env.app(name, env.git.url(repo), dest_ns=ns, **spec)
    return namespaces


def drift(env, ns):
    env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "orphan", "namespace": ns}, "data": {"a": "b"}})
    env.kube.merge("v1", "ConfigMap", ns, "conf", {"data": {"a": "drift"}})
    env.kube.merge("v1", "Secret", ns, "sec", {"data": {"a": "ZHJpZnQ="}})


def observe(kind):
    env, namespaces, specs = kind(), {}, {}
    try:
        env.config_map("argocd-cm", SETTINGS)
        env.kube.merge(*PROJECT, env.ns, "default", {"spec": {"orphanedResources": {"warn": True}}})
        env.start().start_api_server(("--insecure", "--disable-auth"))
        with open(os.path.join(HERE, "reference.yaml"), encoding="utf-8") as f:
            env.kube.create(yaml.safe_load(f))
        wait_for("the definition", lambda: any(c["type"] == "Established" and c["status"] == "True" for c in env.kube.get(
            *CRD)["status"].get("conditions") or []))
        specs = start_specs(env)
        names = sorted(os.listdir(os.path.join(HERE, "reference")))
        namespaces = {name: start(env, name) for name in names}
        for name in names:
            env.wait_app(name, lambda a: a["status"].get("operationState", {}).get("phase") not in (None, "Running"), 60, "to end")
        drift(env, namespaces["kinds"])
        env.wait_status("kinds", "OutOfSync")
        time.sleep(15)  # until nothing moves any more
        found = {}
        for name in names:
            for question, path in QUESTIONS.items():
                answer = env.api.get("/api/v1/applications/" + name + path)
                assert answer.status == 200, answer.text
                found[name + " " + question] = plain(answer.json)
            for key in ("metadata", "operation"):
                found[name + " application"].pop(key, None)
        for name in specs:
            found[name] = plain({k: v for k, v in (env.get_app(name).get("status") or {}).items() if k != "reconciledAt"})
        return found
    finally:
        namespaces.update(specs)
        for ns in specs.values():
            env.kube.get("v1", "Namespace", None, ns + "-made") and env.kube.delete("v1", "Namespace", None, ns + "-made")
        env.close()
        env.kube.delete(*CRD)
        for ns in namespaces.values():  # the next one must not find them; a hook's finalizer has nobody any more
            for o in env.kube.list("v1", "ConfigMap", ns):
                o["metadata"].get("finalizers") and env.kube.merge("v1", "ConfigMap", ns, o["metadata"]["name"], {"metadata": {"finalizers": None}})
            while env.kube.get("v1", "Namespace", None, ns):
                time.sleep(0.5)


def main():
    if not os.environ.get("ARGOCD") or not os.environ.get("KUBECONFIG"):
        sys.exit("usage: ARGOCD=/path/to/argocd KUBECONFIG=... reference.py")
    shutil.which("git-verify-wrapper.sh") or print("without Argo CD's hack folder in PATH its repo-server may refuse", file=sys.stderr)
    theirs, ours = observe(Reference), observe(Environment)
    failed = 0
    for name in theirs:
        a, b = (json.dumps(x[name], indent=1, sort_keys=True).splitlines() for x in (theirs, ours))
        lines = list(difflib.unified_diff(a, b, "Argo CD", "cargocd", lineterm="", n=6))
        print("  %-7s %s" % ("FAILED" if lines else "ok", name))
        print("\n".join(lines[:400]))
        failed += bool(lines)
    print("%d passed, %d failed" % (len(theirs) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
