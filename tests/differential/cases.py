"""The cases: tables of objects before and after, from cases/*.yaml.

A file is a list of kinds; a kind has an `object` and `cases`, each with merge patches of the object: `before`, `after` (both
start from the object) and `drift`, which somebody else sends to the live object between them. common.yaml holds the cases
of every kind. ${name}, ${ns}, ${plain}, ${group} stand for what differs from place to place.

  common: [NAME]       which of the common cases, where not all
  named: TEXT          the object's name where it cannot be chosen freely
  server_side: false   of a kind or a case: this API server cannot apply it on its side; likewise client_side
  fails: [MODE]        of a case: the API server refuses `after`, applied on that side
  verdicts: {DIFF: {ours: CHANGED}}   of a case: where the verdict of a way to compare (client, server, structured) is
                       another than kubectl's, in that mode
  synced: false        of a case: it shows as OutOfSync after the sync too, for good, and
  why: TEXT            the reason of either"""
import copy
import glob
import hashlib
import os
import string

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))


def merge(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


class Case:
    def __init__(self, kind, label, data, namespaced):
        self.api_version, self.kind, self.label, self.namespaced = kind["apiVersion"], kind["kind"], label, namespaced
        self.group = self.api_version.rpartition("/")[0]
        self.version = self.api_version.rpartition("/")[2]
        self.object, self.data, self.named = kind["object"], data, kind.get("named")
        self.modes = [m for m in ("client", "server") if kind.get(m + "_side", True) and data.get(m + "_side", True)]
        self.fails = data.get("fails", ())
        self.id = "%s %s %s" % (self.api_version, self.kind, label)

    def names(self, place):
        """What the placeholders stand for in a place: one for each side and mode."""
        base = "%s-%s-%s" % (self.kind.lower(), self.version, self.label)
        name = base if self.namespaced else "%s-%s" % (base, place.suffix)
        plain = "p" + hashlib.sha256(self.id.encode()).hexdigest()[:8] + place.suffix.replace("-", "")
        values = {"name": name, "ns": place.ns, "plain": plain, "group": "differential.example.com", **place.more}
        if self.named:
            values["name"] = string.Template(self.named).substitute(values)
        return values

    def fill(self, o, values):
        if isinstance(o, dict):
            return {k: self.fill(v, values) for k, v in o.items()}
        if isinstance(o, list):
            return [self.fill(v, values) for v in o]
        return string.Template(o).substitute(values) if isinstance(o, str) and "$" in o else o

    def at(self, place, stage):
        """The object as it is applied: stage "before" or "after"."""
        values = self.names(place)
        o = self.fill(merge(self.object, self.data.get(stage) or {}), values)
        meta = {"name": values["name"], **({"namespace": place.ns} if self.namespaced else {})}
        meta = merge(o.get("metadata", {}), {**meta, "labels": {"differential": place.run}})
        return {"apiVersion": self.api_version, "kind": self.kind, **o, "metadata": meta}

    def drift(self, place):
        return self.fill(self.data["drift"], self.names(place)) if "drift" in self.data else None

    def verdict(self, diff, kubectls):
        return self.data.get("verdicts", {}).get(diff, {}).get("ours", kubectls)


def load(namespaced):
    """All cases; namespaced tells of an (apiVersion, kind) whether it is, None where the server has no such kind."""
    kinds, common, cases = [], {}, []
    for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.yaml"))):
        with open(path, encoding="utf-8") as f:
            data = yaml.safe_load(f)
        if isinstance(data, dict):
            common = data["common"]
        else:
            kinds += data
    for kind in kinds:
        scope = namespaced(kind["apiVersion"], kind["kind"])
        if scope is not None:
            chosen = {k: v for k, v in common.items() if k in kind.get("common", common)}
            for label, data in {**chosen, **kind["cases"]}.items():
                cases.append(Case(kind, label, data or {}, scope))
    return kinds, cases
