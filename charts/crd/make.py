#!/usr/bin/env python3
"""Writes the CustomResourceDefinitions from the table of fields.   usage: make.py [--check]"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "argocd", "files", "crds")

SCALARS = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "time": {"type": "string", "format": "date-time"},
    "int-or-string": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}

KINDS = {
    "Application": {
        "file": "application-crd.yaml", "plural": "applications", "short": ["app", "apps"],
        "columns": [("Sync Status", ".status.sync.status", 0), ("Health Status", ".status.health.status", 0),
                    ("Revision", ".status.sync.revision", 10), ("Project", ".spec.project", 10)],
    },
    "AppProject": {"file": "appproject-crd.yaml", "plural": "appprojects", "short": ["appproj", "appprojs"], "columns": []},
}


def read_table(path):
    """Lines as (indentation, words), grouped by their head line."""
    groups, current = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip() or line.startswith("#"):
                continue
            depth = (len(line) - len(line.lstrip())) // 4
            words = line.split()
            if depth == 0:
                current = groups.setdefault((words[0], words[1]), [])
            else:
                current.append((depth, words))
    return groups


class Schema:
    def __init__(self, groups):
        self.groups = groups

    def of_type(self, text, nested):
        if text.startswith("[]"):
            items = self.of_type(text[2:], nested)
            return {"items": dict(items, nullable=True) if items == {"type": "string"} else items, "type": "array"}
        if text.startswith("map "):
            return {"additionalProperties": self.of_type(text[4:], nested), "type": "object"}
        if text == "object":
            return self.of_fields(nested) if nested else {"type": "object"}
        if text in SCALARS:
            return dict(SCALARS[text])
        return self.of_fields(self.groups[("type", text)])

    def of_fields(self, lines):
        properties, required = {}, []
        depth = lines[0][0]
        starts = [i for i, (d, _) in enumerate(lines) if d == depth] + [len(lines)]
        for at, end in zip(starts, starts[1:]):
            name, *words = lines[at][1]
            if name.endswith("!"):
                name = name[:-1]
                required.append(name)
            rules = [w.split("=", 1) for w in words if "=" in w]
            schema = self.of_type(" ".join(w for w in words if "=" not in w), lines[at + 1:end])
            for rule, value in rules:
                schema[rule] = value.split("|") if rule == "enum" else int(value) if rule.endswith("Length") else value
            properties[name] = schema
        out = {"properties": properties, "type": "object"}
        if required:
            out["required"] = required
        # Some API servers (1.20 built with Go 1.18 or later) take the empty string for null, which a required `group: ""` of the
        # core API group would never pass, nor the missing revision of one of several sources (see of_type). The only
        # difference from Argo CD's own definitions.
        for name in required:
            if properties[name] == {"type": "string"}:
                properties[name]["nullable"] = True
        return out

    def of_kind(self, kind):
        schema = self.of_fields(self.groups[("kind", kind)])
        schema["properties"].update(apiVersion={"type": "string"}, kind={"type": "string"}, metadata={"type": "object"})
        schema["required"] = sorted(schema.get("required", []) + ["metadata"])
        return schema


def definition(kind, schema):
    k = KINDS[kind]
    columns = []
    for name, path, priority in k["columns"]:
        column = {"name": name, "jsonPath": path, "type": "string"}
        if priority:
            column["priority"] = priority
        columns.append(column)
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if columns:
        version["additionalPrinterColumns"] = columns
        version["subresources"] = {}
    name = k["plural"] + ".argoproj.io"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name,
                     "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd"}},
        "spec": {
            "group": "argoproj.io",
            "names": {"kind": kind, "listKind": kind + "List", "plural": k["plural"], "singular": kind.lower(),
                      "shortNames": k["short"]},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def scalar(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    plain = v and v[0].isalpha() and all(c.isalnum() or c in "-./ " for c in v) and v not in ("true", "false", "null")
    return v if plain else "'" + v.replace("'", "''") + "'"


def write(v, indent, out):
    pad = "  " * indent
    if isinstance(v, dict):
        for key in sorted(v):
            put(pad + scalar(key) + ":", v[key], indent, out)
    else:
        for item in v:
            if isinstance(item, (dict, list)) and item:
                lines = []
                write(item, indent + 1, lines)
                out.append(pad + "- " + lines[0].lstrip())
                out.extend(lines[1:])
            else:
                out.append(pad + "- " + scalar(item))


def put(head, v, indent, out):
    if isinstance(v, (dict, list)) and v:
        out.append(head)
        write(v, indent + (0 if isinstance(v, list) else 1), out)
    elif isinstance(v, dict):
        out.append(head + " {}")
    elif isinstance(v, list):
        out.append(head + " []")
    else:
        out.append(head + " " + scalar(v))


def main():
    schema = Schema(read_table(os.path.join(HERE, "argoproj.txt")))
    stale = []
    for kind, k in KINDS.items():
        lines = []
        write(definition(kind, schema.of_kind(kind)), 0, lines)
        text = "\n".join(lines) + "\n"
        path = os.path.normpath(os.path.join(OUT, k["file"]))
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        if text == old:
            continue
        if "--check" in sys.argv:
            stale.append(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    for path in stale:
        print(path + " is not what charts/crd/make.py writes", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
