# cargocd: Argo CD, in C. Targets are listed by `make help` and explained in README.md.
#
# Variables: CC=gcc|clang  SANITIZE=address,undefined|thread  WITH_UI=0  PREFIX=/usr/local  DESTDIR=  DEBUG=1
# Everything is built below build/ (a sanitised build below build/san-...); a change of flags rebuilds.

VERSION  := $(shell sed -n 1p VERSION)
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX   ?= /usr/local
WITH_UI  ?= 1
SANITIZE ?=
DEBUG    ?=
comma    := ,

B := build$(if $(SANITIZE),/san-$(subst $(comma),-,$(SANITIZE)))
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter
HARDEN   := -fstack-protector-strong -fPIE $(if $(SANITIZE)$(DEBUG),,-D_FORTIFY_SOURCE=3)
OPT      := $(if $(DEBUG),-O0,$(if $(SANITIZE),-O1,-O2)) -g
SAN      := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CPPFLAGS := -I. -I$(B)/gen -D_GNU_SOURCE -DCARGOCD_VERSION='"$(VERSION)"' $(if $(SANITIZE),-DCARGOCD_SANITIZE=1)
CFLAGS   := -std=gnu17 $(OPT) $(WARN) $(HARDEN) $(SAN) -pthread -fvisibility=hidden
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) -pthread

# Programs and libraries are declared by the module.mk of each folder:
#   LIB_<name> += sources      an archive build/lib/<name>.a
#   PROGS += name; SRC_name := sources; ARCHIVES_name := libs; LDLIBS_name := -l...
#   UNIT_TESTS += tests/unit/x/test_y.c; UNIT_LIBS_<path> := extra archives
PROGS :=
ARCHIVES :=
UNIT_TESTS :=
# Headers that the build makes; every object waits for them, since -MMD knows who includes them only afterwards.
GEN_HEADERS :=
MODULES := common/base common/json common/yaml common/kinds common/engine common/eval common/net common/kube common/argo \
	proto proto/api k8s-auth repo-server cmp-server app-controller api-server api-server/web cli tests/kubesim tests/unit tests/integration \
	tests/e2e tests/fuzz tests/bench
define include_module
d := $(1)
-include $(1)/module.mk
endef
$(foreach m,$(MODULES),$(eval $(call include_module,$(m))))

all: $(PROGS:%=$(B)/bin/%)

# A change of compiler or flags makes every object older than this file.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) ui=$(WITH_UI)
$(B)/.flags: FORCE
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' > $@
FORCE:

$(B)/obj/%.o: %.c $(B)/.flags | $(GEN_HEADERS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

# Generated sources live in $(B)/gen and are compiled without our own style warnings.
$(B)/obj/gen/%.o: $(B)/gen/%.c $(B)/.flags | $(GEN_HEADERS)
	$(call say,CC,gen/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes -MMD -MP -c -o $@ $<

obj = $(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(filter $(B)/gen/%.c,$(1))) $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(B)/gen/%.c,$(1)))

define archive_rule
$(B)/lib/$(1).a: $(call obj,$(LIB_$(1)))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

define program_rule
$(B)/bin/$(1): $(call obj,$(SRC_$(1))) $(ARCHIVES_$(1):%=$(B)/lib/%.a)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $(call obj,$(SRC_$(1))) -Wl,--start-group $(ARCHIVES_$(1):%=$(B)/lib/%.a) -Wl,--end-group $(LDLIBS_$(1))
endef
$(foreach p,$(PROGS),$(eval $(call program_rule,$(p))))

include tests/tests.mk
include tests/lint.mk
include install.mk
include images.mk

clean:
	rm -rf build

# The commands are described in one place.
help:
	@awk -F ' *[|] *' '/^## /{on = /Commands/} on && $$2 ~ /`make/ {gsub(/`/, ""); printf "  %-34s %s\n", $$2, $$3}' README.md

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
.PHONY: all clean help FORCE
