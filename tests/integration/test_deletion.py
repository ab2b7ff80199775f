"""Deleting applications: hooks and their finalizers, waves, options, confirmation, propagation; kill -9 in between."""
import time

from lib.case import Case, config_map, hook_job
from lib.env import APP

CASCADE = "resources-finalizer.argocd.argoproj.io"
PRE, POST = "pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"
HOOKS = [PRE, PRE + "/cleanup", POST, POST + "/cleanup"]


def job(name, hook, policy="BeforeHookCreation", command='["sleep", "600"]'):
    return hook_job(name, hook, policy, command)


class DeletionCase(Case):
    def make(self, name, files, cascade=CASCADE, **spec):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo), syncPolicy=dict({"automated": {}}, **spec))
        if cascade:
            self.env.patch_app(name, {"metadata": {"finalizers": [cascade]}})
        self.env.wait_status(name, "Synced")
        return ns, repo

    def delete(self, name):
        self.env.kube.delete(*APP, self.env.ns, name)

    def finalizers(self, name):
        app = self.env.get_app(name)
        return sorted(app["metadata"].get("finalizers", [])) if app else []

    def gone(self, name, timeout=60):
        self.env.wait("application %s to be gone" % name, lambda: self.env.get_app(name) is None, timeout)

    def live(self, ns, name, kind="ConfigMap", version="v1"):
        return self.env.kube.get(version, kind, ns, name)

    def jobs(self, ns):
        return self.env.kube.list("batch/v1", "Job", ns)

    def wait_job(self, ns, prefix, count=1):
        def look():
            found = [j for j in self.jobs(ns) if j["metadata"]["name"].startswith(prefix)]
            return found if len(found) == count else None
        return self.env.wait("job " + prefix, look)

    def end(self, ns, prefix, succeeded=True):
        name = self.wait_job(ns, prefix)[0]["metadata"]["name"]
        if self.env.real:  # the first status is the Job controller's, and replaces any other
            self.env.wait("job %s to be taken up" % name, lambda: self.live(ns, name, "Job", "batch/v1").get("status", {}).get("active"))
        self.env.finish_job(ns, name, succeeded)


class Hooks(DeletionCase):
    def test_finalizers_follow_the_hooks_of_the_source(self):
        ns, repo = self.make("follows", {"cm.yaml": config_map("a"), "pre.yaml": job("name: before", "PreDelete"),
                                         "post.yaml": job("name: after", "PostDelete")})
        self.env.wait("finalizers", lambda: self.finalizers("follows") == sorted(HOOKS + [CASCADE]))
        self.assertEqual(self.jobs(ns), [])
        names = [r["name"] for r in self.env.get_app("follows")["status"]["resources"]]
        self.assertEqual(names, ["a"])
        repo.commit({"post.yaml": None})
        self.env.refresh("follows")
        self.env.wait("fewer finalizers", lambda: self.finalizers("follows") == sorted(HOOKS[:2] + [CASCADE]))
        self.env.patch_app("follows", {"metadata": {"finalizers": [CASCADE]}})
        self.env.wait("finalizers to be there again", lambda: self.finalizers("follows") == sorted(HOOKS[:2] + [CASCADE]))
        repo.commit({"pre.yaml": None})
        self.env.refresh("follows")
        self.env.wait("no finalizers of hooks", lambda: self.finalizers("follows") == [CASCADE])

    def test_a_source_that_cannot_be_read_removes_no_finalizer(self):
        _, repo = self.make("unread", {"cm.yaml": config_map("a"), "pre.yaml": job("name: before", "PreDelete")})
        self.env.wait("finalizers", lambda: self.finalizers("unread") == sorted(HOOKS[:2] + [CASCADE]))
        repo.commit({"cm.yaml": "kind: [broken"})
        self.env.refresh("unread", "hard")
        self.wait_condition("unread", "ComparisonError", "")
        self.env.wait("the refresh", lambda: not self.env.get_app("unread")["metadata"].get("annotations"))
        self.assertEqual(self.finalizers("unread"), sorted(HOOKS[:2] + [CASCADE]))
        self.env.patch_app("unread", {"metadata": {"finalizers": None}})
        self.delete("unread")

    def test_order_and_cleanup(self):
        ns, _ = self.make("ordered", {"cm.yaml": config_map("a"), "pre.yaml": job("name: before", "PreDelete", "HookSucceeded"),
                                      "post.yaml": job("generateName: after-", "PostDelete", "HookSucceeded")})
        self.env.wait("finalizers", lambda: self.finalizers("ordered") == sorted(HOOKS + [CASCADE]))
        self.delete("ordered")
        self.wait_job(ns, "before")
        time.sleep(1)
        self.assertIsNotNone(self.live(ns, "a"), "nothing goes before the PreDelete hook has ended")
        self.assertIn(PRE, self.finalizers("ordered"))
        self.end(ns, "before")
        self.env.wait("the cascade", lambda: self.live(ns, "a") is None)
        self.wait_job(ns, "after-")
        self.assertNotIn(CASCADE, self.finalizers("ordered"))
        self.end(ns, "after-")
        self.gone("ordered")
        self.env.wait("hooks to be cleaned", lambda: self.jobs(ns) == [])

    def test_a_failed_hook_is_told_and_made_anew(self):
        ns, _ = self.make("failing", {"cm.yaml": config_map("a"), "pre.yaml": job("name: before", "PreDelete")})
        self.env.wait("finalizers", lambda: PRE in self.finalizers("failing"))
        self.delete("failing")
        uid = self.wait_job(ns, "before")[0]["metadata"]["uid"]
        self.end(ns, "before", succeeded=False)
        told = self.wait_condition("failing", "DeletionError", "hook(s) failed")
        self.assertEqual(told, "error executing pre-delete hooks: PreDelete hook(s) failed: %s/before" % ns)
        self.assertIsNotNone(self.live(ns, "a"))
        self.env.wait("another hook", lambda: [j for j in self.jobs(ns) if j["metadata"]["uid"] != uid])
        self.end(ns, "before")
        self.gone("failing")
        self.assertIsNone(self.live(ns, "a"))

    def test_hooks_without_cascade(self):
        ns, _ = self.make("bare", {"cm.yaml": config_map("a"), "pre.yaml": config_map("before", annotations={"helm.sh/hook": "pre-delete"}),
                                   "post.yaml": config_map("after", annotations={"helm.sh/hook": "post-delete"})}, cascade=None)
        self.env.wait("finalizers", lambda: self.finalizers("bare") == sorted(HOOKS))
        self.delete("bare")
        self.gone("bare")
        for name in ("a", "before", "after"):
            self.assertIsNotNone(self.live(ns, name), name)

    def test_an_object_of_another_is_no_hook(self):
        ns, _ = self.make("foreign", {"cm.yaml": config_map("a"), "pre.yaml": job("name: theirs", "PreDelete", "HookFailed")})
        self.env.wait("finalizers", lambda: PRE in self.finalizers("foreign"))
        self.env.kube.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "theirs", "namespace": ns},
                              "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [
                                  {"name": "c", "image": "localhost/none:1"}]}}}})
        self.delete("foreign")
        self.gone("foreign")
        self.assertIsNotNone(self.live(ns, "theirs", "Job", "batch/v1"))

    def test_killed_at_every_stage(self):
        ns, _ = self.make("killed", {"cm.yaml": config_map("a"), "pre.yaml": job("generateName: before-", "PreDelete"),
                                     "post.yaml": job("generateName: after-", "PostDelete", "HookSucceeded")})
        self.env.wait("finalizers", lambda: self.finalizers("killed") == sorted(HOOKS + [CASCADE]))
        self.env.may_be_down = (self.env.controller,)

        def restart():
            self.env.controller.kill()
            self.env.controller.start()
        self.delete("killed")
        uid = self.wait_job(ns, "before-")[0]["metadata"]["uid"]
        restart()
        time.sleep(2)
        self.assertEqual([j["metadata"]["uid"] for j in self.jobs(ns)], [uid], "the hook is made once")
        self.end(ns, "before-")
        restart()
        self.env.wait("the cascade", lambda: self.live(ns, "a") is None)
        uid = self.wait_job(ns, "after-")[0]["metadata"]["uid"]
        restart()
        time.sleep(2)
        self.assertEqual([j["metadata"]["uid"] for j in self.jobs(ns)], [uid], "the hook is made once")
        self.end(ns, "after-")
        restart()
        self.gone("killed")
        self.env.may_be_down = ()


class Options(DeletionCase):
    def in_the_middle_of_a_sync(self, name):
        """Deleted while a hook of its operation runs."""
        ns, repo = self.make(name, {"a.yaml": config_map("a")})
        repo.commit({"pre.yaml": job("name: before", "PreSync"), "a.yaml": config_map("a", {"key": "new"})})
        self.env.refresh(name)
        self.wait_job(ns, "before")
        self.delete(name)
        return ns

    def test_a_running_operation_is_ended_first(self):
        """spec 18.41"""
        ns = self.in_the_middle_of_a_sync("busy")
        time.sleep(2)
        self.assertIsNotNone(self.live(ns, "a"))
        self.assertEqual(self.env.get_app("busy")["status"]["operationState"]["phase"], "Running")
        self.end(ns, "before")
        self.gone("busy")
        self.assertIsNone(self.live(ns, "a"))

    def test_what_is_terminated_ends_soon(self):
        ns = self.in_the_middle_of_a_sync("ended")
        self.env.patch_app("ended", {"status": {"operationState": {"phase": "Terminating"}}})
        self.gone("ended")
        self.assertIsNone(self.live(ns, "a"))

    def test_delete_false_and_keep(self):
        option = "argocd.argoproj.io/sync-options"
        ns, _ = self.make("kept", {"a.yaml": config_map("goes"), "b.yaml": config_map("stays", annotations={option: "Delete=false"}),
                                   "c.yaml": config_map("helm", annotations={"helm.sh/resource-policy": "keep"})})
        self.delete("kept")
        self.gone("kept")
        self.assertEqual([self.live(ns, n) is not None for n in ("goes", "stays", "helm")], [False, True, True])

    def test_delete_false_for_all_but_one(self):
        option = "argocd.argoproj.io/sync-options"
        ns, _ = self.make("most", {"a.yaml": config_map("stays"), "b.yaml": config_map("goes", annotations={option: "Delete=true"})},
                          syncOptions=["Delete=false"])
        self.delete("most")
        self.gone("most")
        self.assertEqual([self.live(ns, n) is not None for n in ("goes", "stays")], [False, True])

    def test_confirmation(self):
        for name, option in (("confirmed", "Delete=confirm"), ("confirmedp", "Prune=confirm")):
            with self.subTest(option):
                ns, _ = self.make(name, {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations={"argocd.argoproj.io/sync-options": option})})
                self.assertTrue(self.resource(self.env.get_app(name), "ConfigMap", "b").get("requiresDeletionConfirmation"))
                self.env.patch_app(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2020-01-01T00:00:00Z"}}})
                self.delete(name)
                time.sleep(2)
                self.assertIsNotNone(self.live(ns, "a"), "an approval of before does not count")
                stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                self.env.patch_app(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": stamp}}})
                self.gone(name)
                self.assertIsNone(self.live(ns, "b"))

    def test_prune_waits_for_confirmation(self):
        options = {"argocd.argoproj.io/sync-options": "Prune=confirm"}
        ns, repo = self.make("careful", {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations=options)}, cascade=None)
        self.env.patch_app("careful", {"spec": {"syncPolicy": None}})
        repo.commit({"b.yaml": None})
        self.env.refresh("careful")
        self.env.wait_status("careful", "OutOfSync")
        self.env.sync("careful", prune=True)
        app = self.env.wait_app("careful", lambda a: "confirmation" in a["status"].get("operationState", {}).get("message", ""))
        self.assertEqual(app["status"]["operationState"]["phase"], "Running")
        self.assertEqual(app["status"]["operationState"]["message"], "waiting for pruning confirmation of /ConfigMap/b")
        self.assertIsNotNone(self.live(ns, "b"))
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        self.env.patch_app("careful", {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": stamp}}})
        self.env.wait_operation("careful")
        self.env.wait("the pruned object to go", lambda: self.live(ns, "b") is None)

    def test_prune_false(self):
        options = {"argocd.argoproj.io/sync-options": "Prune=false"}
        ns, repo = self.make("unpruned", {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations=options)}, cascade=None)
        self.env.patch_app("unpruned", {"spec": {"syncPolicy": None}})
        repo.commit({"b.yaml": None})
        self.env.refresh("unpruned")
        self.env.wait_status("unpruned", "OutOfSync")
        self.env.sync("unpruned", prune=True)
        app = self.env.wait_operation("unpruned")
        results = {r["name"]: (r["status"], r["message"]) for r in app["status"]["operationState"]["syncResult"]["resources"]}
        self.assertEqual(results["b"], ("PruneSkipped", "ignored (no prune)"))
        self.assertIsNotNone(self.live(ns, "b"))

    def test_waves_backwards(self):
        wave = "argocd.argoproj.io/sync-wave"
        files = {"%d.yaml" % i: config_map("w%d" % i, annotations={wave: str(i)}) for i in (-1, 0, 5)}
        ns, _ = self.make("waves", files)
        last = self.live(ns, "w5")
        self.env.kube.merge("v1", "ConfigMap", ns, "w5", {"metadata": {"finalizers": ["example.com/held"]}})
        self.delete("waves")
        self.env.wait("the last wave to be deleted first", lambda: "deletionTimestamp" in self.live(ns, "w5")["metadata"])
        time.sleep(1)
        self.assertTrue(last and self.live(ns, "w0") and self.live(ns, "w-1"))
        self.env.kube.merge("v1", "ConfigMap", ns, "w5", {"metadata": {"finalizers": None}})
        self.gone("waves")
        self.assertEqual([self.live(ns, n) for n in ("w5", "w0", "w-1")], [None] * 3)

    def test_a_cluster_that_is_not_known_holds_nothing_up(self):
        ns, _ = self.make("lost", {"a.yaml": config_map("a"), "pre.yaml": job("name: before", "PreDelete")})
        self.env.wait("finalizers", lambda: PRE in self.finalizers("lost"))
        self.env.patch_app("lost", {"spec": {"destination": {"server": "https://nowhere.example.com"}}})
        self.delete("lost")
        self.gone("lost")
        self.assertIsNotNone(self.live(ns, "a"))


class ProjectDeletion(DeletionCase):
    PROJECT = ("argoproj.io/v1alpha1", "AppProject")
    options = {"controller": ["--application-namespaces", "t-*"]}

    def project(self, name, **spec):
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                              "metadata": {"name": name, "namespace": self.env.ns, "finalizers": [CASCADE, "example.com/other"]},
                              "spec": dict({"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}]}, **spec)})

    def left(self, name):
        return (self.env.kube.get(*self.PROJECT, self.env.ns, name) or {"metadata": {}})["metadata"].get("finalizers")

    def released(self, name):
        self.env.wait("the finalizer to go", lambda: self.left(name) == ["example.com/other"])
        self.env.kube.merge(*self.PROJECT, self.env.ns, name, {"metadata": {"finalizers": None}})

    def test_a_project_waits_for_its_applications(self):
        self.project("held")
        self.make("holder", {"a.yaml": config_map("a")}, cascade=None)
        self.make("mover", {"a.yaml": config_map("b")}, cascade=None)
        for name in ("holder", "mover"):
            self.env.patch_app(name, {"spec": {"project": "held"}})
            self.env.refresh(name)
            self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        self.env.kube.delete(*self.PROJECT, self.env.ns, "held")
        self.delete("holder")
        self.gone("holder")
        self.env.wait("word of those that are left", lambda: "Cannot remove project 'held' finalizer as is referenced by 1 applications" in self.env.controller.log())
        time.sleep(0.5)
        self.assertEqual(self.left("held"), [CASCADE, "example.com/other"])
        self.env.patch_app("mover", {"spec": {"project": "default"}})
        self.released("held")

    def test_applications_that_may_not_use_it_do_not_hold_it(self):
        self.project("unheld", sourceNamespaces=["other-*"])
        ns = self.env.create_namespace()
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a")})
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "stranger", "namespace": ns},
                              "spec": {"project": "unheld", "source": {"repoURL": self.env.git.url(repo), "path": "."},
                                       "destination": {"server": "https://kubernetes.default.svc", "namespace": ns}}})
        self.env.wait("its condition", lambda: [c["type"] for c in self.env.kube.get(*APP, ns, "stranger").get("status", {}).get("conditions", [])] == ["UnknownError"])
        self.env.kube.delete(*self.PROJECT, self.env.ns, "unheld")
        self.released("unheld")
