# argocd-k8s-auth, the credential plugin that cluster Secrets of managed clouds name. Everything but main.c is the archive `k8sauth`.
LIB_k8sauth := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
ARCHIVES += k8sauth
PROGS += argocd-k8s-auth
SRC_argocd-k8s-auth := $(d)/main.c
ARCHIVES_argocd-k8s-auth := k8sauth common
LDLIBS_argocd-k8s-auth := $(LDLIBS_all)
UNIT_ARCHIVES_k8s-auth := k8sauth
FUZZ_ARCHIVES_cloud_answers := k8sauth
