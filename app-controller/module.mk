# Everything but main.c is the archive `controller`.
LIB_controller := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c $(d)/*/*.c))
ARCHIVES += controller
PROGS += cargocd-app-controller
SRC_cargocd-app-controller := $(d)/main.c
ARCHIVES_cargocd-app-controller := controller proto common
LDLIBS_cargocd-app-controller := $(LDLIBS_all)
UNIT_ARCHIVES_app-controller := controller proto
FUZZ_ARCHIVES_members := controller proto
FUZZ_ARCHIVES_argo_application := controller proto
