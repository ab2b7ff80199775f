# The command line: cargocd, and what it becomes: cargocd-remote for what needs a server, cargocd-compare for what the
# controller decides. Everything but their mains and
# tables of handlers is in archives, for the unit tests.
ARCHIVES += cli cliremote
LIB_cli := $(filter-out $(d)/main.c $(d)/offline.c,$(wildcard $(d)/*.c $(d)/app/*.c))
LIB_cliremote := $(filter-out $(d)/remote/main.c,$(wildcard $(d)/remote/*.c))

PROGS += cargocd cargocd-remote cargocd-compare
SRC_cargocd := $(d)/main.c $(d)/offline.c
ARCHIVES_cargocd := cli common
LDLIBS_cargocd := $(LDLIBS_core)
SRC_cargocd-remote := $(d)/remote/main.c
ARCHIVES_cargocd-remote := cliremote cli common
LDLIBS_cargocd-remote := $(LDLIBS_all)
SRC_cargocd-compare := $(wildcard $(d)/compare/*.c)
ARCHIVES_cargocd-compare := cli common
LDLIBS_cargocd-compare := $(LDLIBS_core)

UNIT_ARCHIVES_cli := cli
