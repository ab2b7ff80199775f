PROGS += kubesim
ARCHIVES += kubesim
LIB_kubesim := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
SRC_kubesim := $(d)/main.c
ARCHIVES_kubesim := kubesim common
LDLIBS_kubesim := $(LDLIBS_core) -lssl -lhttp_parser
UNIT_ARCHIVES_kubesim := kubesim
UNIT_LDLIBS_kubesim := -lhttp_parser
FUZZ_ARCHIVES_kubesim_selector := kubesim

# Its behaviours, over HTTP; the same script runs against a real cluster (README.md).
kubesim-check: $(B)/bin/kubesim
	$(Q)tests/kubesim/check.sh $(B)/bin/kubesim
.PHONY: kubesim-check
