#!/usr/bin/env python3
"""The golden cases of Helm and Kustomize against the tools themselves.   usage: render_tools.py [--update] [-k PART]

For every case whose `needs` names a tool, the directory tool/ of the case holds what the real tool made of a plain
checkout, run as Argo CD runs it, without any code of ours: `output` (its standard output, or `error`) and `version`.
This program compares the case's `manifests` with it (as JSON, without tracking), and, where the tools are installed
(HELM, KUSTOMIZE, KUBECTL, else by name), runs them again side by side. --update records anew.

Cases whose fields need `kustomize edit` are run only where there is a kustomize; kubectl has no such command."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "render")
EDITS = ("namePrefix", "nameSuffix", "images", "replicas", "commonLabels", "commonAnnotations", "namespace", "patches", "components")
ENVIRONMENT = {"ARGOCD_APP_NAME": "appName", "ARGOCD_APP_NAMESPACE": "namespace"}


class Loader(yaml.SafeLoader):
    """YAML 1.1 as Go's libraries read it: no dates, no sexagesimal numbers, floats without a dot."""


Loader.yaml_implicit_resolvers = {
    c: [(tag, exp) for tag, exp in rules if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")]
    for c, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$"), list("-+.0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"), list("-+0123456789"))
Loader.yaml_implicit_resolvers = {c: sorted(rules, key=lambda r: r[0] == "tag:yaml.org,2002:float") for c, rules in Loader.yaml_implicit_resolvers.items()}


def tool(name):
    return shutil.which(os.environ.get(name.upper()) or name)


def substitute(text, env):
    return re.sub(r"\$(\$|\{\w+\}|\w+)", lambda m: "$" if m[1] == "$" else env.get(m[1].strip("{}"), ""), text)


class Case:
    def __init__(self, name):
        self.name = name
        self.dir = os.path.join(HERE, name)
        with open(os.path.join(self.dir, "request.json"), encoding="utf-8") as f:
            self.request = json.load(f)
        self.source = self.request["source"]
        self.env = {k: self.request.get(v, "") for k, v in ENVIRONMENT.items()}
        self.env.update({"ARGOCD_APP_PROJECT_NAME": "default", "ARGOCD_APP_SOURCE_PATH": self.source.get("path", "")})

    def text(self, name):
        try:
            with open(os.path.join(self.dir, name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def kind(self):
        needs = (self.text("needs") or "").split()
        return "kustomize" if "kustomize" in needs else "helm" if "helm" in needs else None

    def checkout(self, into):
        if os.path.isdir(os.path.join(self.dir, "repo")):
            shutil.copytree(os.path.join(self.dir, "repo"), into, symlinks=True, dirs_exist_ok=True)
        if self.text("setup.sh"):
            subprocess.run(["sh", "-e", os.path.join(self.dir, "setup.sh")], cwd=into, check=True)

    # ---- the commands, as Argo CD gives them ----

    def helm(self, root, scratch):
        spec = self.source.get("helm") or {}
        app = self.request.get("appName", "")
        if spec.get("version", "v4") not in ("v3", "v4"):
            return None
        args = ["template", ".", "--name-template", spec.get("releaseName") or app.split("_", 1)[-1]]
        ns = spec.get("namespace") or self.request.get("namespace")
        args += ["--namespace", ns] if ns else []
        version = re.match(r"v?([0-9.]*)", spec.get("kubeVersion") or self.request.get("kubeVersion") or "")[1]
        args += ["--kube-version", version] if version else []
        for flag, forced in (("--set", False), ("--set-string", True)):
            values = {}
            for p in spec.get("parameters") or []:
                if bool(p.get("forceString")) == forced:
                    v = substitute(p.get("value", ""), self.env)
                    values[p["name"]] = v if v[:1] == "{" and v[-1:] == "}" else re.sub(r"(?<!\\),", r"\\,", v)
            for k, v in values.items():
                args += [flag, "%s=%s" % (k, v)]
        for p in spec.get("fileParameters") or []:
            args += ["--set-file", "%s=%s" % (p["name"], self.path(root, p["path"]))]
        for f in spec.get("valueFiles") or []:
            path = self.path(root, f)
            if any(c in f for c in "*?[") or (spec.get("ignoreMissingValueFiles") and not os.path.exists(path)):
                return None  # choosing the files is Argo CD's work, not the tool's
            args += ["--values", path]
        text = json.dumps(spec["valuesObject"]) if spec.get("valuesObject") else spec.get("values")
        if text:
            path = os.path.join(scratch, "values.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            args += ["--values", path]
        for a in spec.get("apiVersions") or self.request.get("apiVersions") or []:
            args += ["--api-versions", a]
        args += [] if spec.get("skipCrds") else ["--include-crds"]
        args += ["--skip-schema-validation"] if spec.get("skipSchemaValidation") else []
        args += ["--skip-tests"] if spec.get("skipTests") else []
        return [(os.path.join(root, self.source.get("path", ".")), ["helm", *args])]

    def path(self, root, text):
        text = substitute(text, self.env)
        base = root if text.startswith("/") else os.path.join(root, self.source.get("path", "."))
        return os.path.normpath(os.path.join(base, text.lstrip("/")))

    def kustomize(self, root, scratch):
        spec = self.source.get("kustomize") or {}
        app = os.path.join(root, self.source.get("path", "."))
        commands = []

        def edit(*args):
            commands.append((app, ["kustomize", "edit", *args]))
        if any(spec.get(f) for f in EDITS) and not tool("kustomize"):
            return None
        for field, what in (("namePrefix", "nameprefix"), ("nameSuffix", "namesuffix")):
            if spec.get(field):
                edit("set", what, "--", spec[field])
        if spec.get("images"):
            edit("set", "image", *(substitute(i, self.env) for i in spec["images"]))
        if spec.get("replicas"):
            edit("set", "replicas", *("%s=%s" % (r["name"], r["count"]) for r in spec["replicas"]))
        if spec.get("commonLabels"):
            flags = [f for f, k in (("--force", "forceCommonLabels"), ("--without-selector", "labelWithoutSelector"),
                                    ("--include-templates", "labelIncludeTemplates")) if spec.get(k)]
            edit("add", "label", *flags, *("%s:%s" % (k, substitute(v, self.env)) for k, v in spec["commonLabels"].items()))
        if spec.get("commonAnnotations"):
            subst = (lambda v: substitute(v, self.env)) if spec.get("commonAnnotationsEnvsubst") else (lambda v: v)
            edit("add", "annotation", *(["--force"] if spec.get("forceCommonAnnotations") else []),
                 *("%s:%s" % (k, subst(v)) for k, v in spec["commonAnnotations"].items()))
        if spec.get("namespace"):
            edit("set", "namespace", "--", spec["namespace"])
        if spec.get("version"):
            return None  # another program
        if spec.get("patches"):
            commands.append((app, lambda: self.append_patches(app, spec["patches"])))
        components = [c for c in spec.get("components") or []
                      if not spec.get("ignoreMissingComponents") or os.path.exists(os.path.join(app, c))]
        if components:
            edit("add", "component", *components)
        options = (self.request.get("buildOptions") or "").split()
        if "--enable-helm" in options:
            return None  # which helm a kustomize can use depends on both
        build = ["kustomize", "build", app] if tool("kustomize") else ["kubectl", "kustomize", app]
        return commands + [(root, build + options)]

    @staticmethod
    def append_patches(app, patches):
        """No command of the tool: Argo CD does it. An error's text, or None."""
        path = next(p for p in (os.path.join(app, n) for n in ("kustomization.yaml", "kustomization.yml", "Kustomization")) if os.path.exists(p))
        with open(path, encoding="utf-8") as f:
            doc = yaml.load(f, Loader)
        if not isinstance(doc.setdefault("patches", []), list):
            return "expected 'patches' field in kustomization.yaml to be a list"
        doc["patches"] += patches
        with open(path, "w", encoding="utf-8") as f:
            yaml.safe_dump(doc, f)
        return None

    # ---- running and comparing ----

    def run(self):
        """(output, error text) of the tool; None when it cannot be run here or is not concerned."""
        with tempfile.TemporaryDirectory() as scratch:
            root = os.path.join(scratch, "src")
            os.mkdir(root)
            self.checkout(root)
            commands = getattr(self, self.kind())(root, scratch)
            if not commands or not all(callable(argv) or tool(argv[0]) for _, argv in commands):
                return None
            env = dict(os.environ, HOME=scratch, **self.env)
            for cwd, argv in commands:
                if not os.path.isdir(cwd):
                    return None
                if callable(argv):
                    why = argv()
                    if why:
                        return None, why
                    continue
                done = subprocess.run([tool(argv[0]), *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
                if "missing in charts/ directory" in done.stderr:
                    subprocess.run([tool("helm"), "dependency", "build"], cwd=cwd, env=env, capture_output=True, timeout=60, check=False)
                    done = subprocess.run([tool(argv[0]), *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
                if done.returncode:
                    return None, done.stderr.replace(scratch, "")
            return done.stdout, None

    def objects(self):
        out = []
        for line in (self.text("manifests") or "").splitlines():
            o = json.loads(line)
            for part in ("annotations", "labels"):
                o["metadata"].get(part, {}).pop("argocd.argoproj.io/tracking-id", None)
                if not o["metadata"].get(part, True):
                    del o["metadata"][part]
            out.append(o)
        return out


def expand(docs):
    for d in docs:
        if isinstance(d, dict) and isinstance(d.get("items"), list):
            yield from d["items"]
        elif d:
            yield d


def parse(text):
    docs = [yaml.load(piece, Loader) for piece in re.split(r"(?m)^---(?:[ \t]*(?:#.*)?)$", text)]
    return json.loads(json.dumps(list(expand(docs))))


def differs(case, result):
    output, error = result
    if (error is not None) != (case.text("error") is not None):
        return "the tool says %s" % (error or "it is fine")
    if error is not None:
        return None
    got, want = parse(output), case.objects()
    for o in got:  # empty maps that only held tracking are gone on our side
        for part in ("annotations", "labels"):
            if part in o.get("metadata", {}) and not o["metadata"][part]:
                del o["metadata"][part]
    return None if got == want else "expected %s\n     got %s" % (json.dumps(want, sort_keys=True), json.dumps(got, sort_keys=True))


def version(kind):
    argv = {"helm": ["helm", "version", "--short"], "kustomize": ["kustomize", "version"] if tool("kustomize") else ["kubectl", "version", "--client"]}[kind]
    done = subprocess.run([tool(argv[0]), *argv[1:]], capture_output=True, text=True, check=False)
    return done.stdout.strip() + "\n"


def record(case, result):
    folder = os.path.join(case.dir, "tool")
    shutil.rmtree(folder, ignore_errors=True)
    if result is None:
        return
    os.mkdir(folder)
    for name, text in (("output", result[0]), ("error", result[1]), ("version", version(case.kind()))):
        if text is not None:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)


def recorded(case):
    output, error = case.text("tool/output"), case.text("tool/error")
    return None if output is None and error is None else (output, error)


def main():
    update, part = "--update" in sys.argv, sys.argv[sys.argv.index("-k") + 1] if "-k" in sys.argv else ""
    passed = failed = 0
    for name in sorted(os.listdir(HERE)):
        if part not in name or not os.path.isfile(os.path.join(HERE, name, "request.json")):
            continue
        case = Case(name)
        if not case.kind():
            continue
        now = case.run() if update or tool("helm") or tool("kustomize") or tool("kubectl") else None
        if update:
            record(case, now)
        for what, result in (("recorded", recorded(case)), ("side by side", None if update else now)):
            if result is None:
                continue
            why = differs(case, result)
            passed, failed = passed + (why is None), failed + (why is not None)
            if why:
                print("%s (%s): %s" % (name, what, why))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
