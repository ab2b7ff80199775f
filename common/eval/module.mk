LIB_common += $(wildcard $(d)/*.c)
# The helper is a program of its own: no daemon links libjq.
PROGS += cargocd-eval
SRC_cargocd-eval := $(wildcard $(d)/program/*.c)
ARCHIVES_cargocd-eval := common
LDLIBS_cargocd-eval := $(LDLIBS_core) -ljq
unit-tests: $(B)/bin/cargocd-eval
