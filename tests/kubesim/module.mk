PROGS += kubesim
ARCHIVES += kubesim
LIB_kubesim := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
SRC_kubesim := $(d)/main.c
ARCHIVES_kubesim := kubesim common
LDLIBS_kubesim := $(LDLIBS_core) -lssl -lhttp_parser
UNIT_ARCHIVES_kubesim := kubesim
UNIT_LDLIBS_kubesim := -lhttp_parser
