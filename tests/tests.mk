# Tests. Unit tests mirror the sources: tests/unit/common/base/test_err.c tests common/base/err.c. One binary each, linked
# with libcommon and, below tests/unit/<daemon>/, with that daemon's archive. `make check` runs them under ASan and UBSan.

# What a unit test below tests/unit/<folder> links with besides libcommon: UNIT_ARCHIVES_<folder>, UNIT_LDLIBS_<folder>.
UNIT_TESTS := $(sort $(shell find tests/unit -name 'test_*.c'))
unit_group = $(firstword $(subst /, ,$(patsubst tests/unit/%,%,$(1))))
unit_bin   = $(B)/tests/$(patsubst tests/unit/%.c,%,$(1))

define unit_rule
$(call unit_bin,$(1)): $(call obj,$(1)) $(UNIT_ARCHIVES_$(call unit_group,$(1)):%=$(B)/lib/%.a) $(B)/lib/common.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $(call obj,$(1)) -Wl,--start-group $(UNIT_ARCHIVES_$(call unit_group,$(1)):%=$(B)/lib/%.a) $(B)/lib/common.a -Wl,--end-group $(LDLIBS_all) $(UNIT_LDLIBS_$(call unit_group,$(1))) -lcmocka
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))

unit-tests: $(foreach t,$(UNIT_TESTS),$(call unit_bin,$(t)))

# T=pattern runs only the tests whose path contains it.
unit: unit-tests
	$(Q)tests/run-unit.sh $(B)/tests $(T)

# make check: everything that needs no cluster. Its parts are targets whose output ends with "N passed, N failed"; other
# files add to CHECK_PARTS.
CHECK_PARTS += check-unit check-integration check-golden
JOBS ?= $(shell nproc)
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

check: deps
	+$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	+$(Q)tests/check.sh "$(MAKE)" $(CHECK_PARTS)
check-unit:
	+$(Q)$(MAKE) --no-print-directory $(PARALLEL) SANITIZE=$(or $(SANITIZE),address$(comma)undefined) unit

# Integration tests: the daemons as processes on an in-memory cluster.
check-integration: all
	$(Q)CARGOCD_BIN=$(abspath $(B))/bin tests/integration/run.py $(FILES) $(if $(K),-k $(K))

# Renderings against what the real helm and kustomize make of the same sources; recorded, and anew where they are
# installed. `make golden` records both sides again: look at the difference before committing it.
check-golden:
	$(Q)tests/golden/render_tools.py
golden:
	+$(Q)$(MAKE) --no-print-directory $(B)/tests/repo-server/test_golden
	$(Q)UPDATE_GOLDEN=1 $(B)/tests/repo-server/test_golden
	$(Q)tests/golden/render_tools.py --update

demo: deps
	+$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	$(Q)CARGOCD_BIN=$(abspath $(B))/bin tests/demo/demo.py

# Half an hour (SOAK_SECONDS) of everything at once; SOAK_SEED repeats a run, SANITIZE= finds more.
soak: all
	$(Q)CARGOCD_BIN=$(abspath $(B))/bin SOAK_SECONDS=$(SOAK_SECONDS) SOAK_SEED=$(SOAK_SEED) tests/soak/soak.py

.PHONY: soak demo golden check-golden check-integration unit unit-tests check check-unit
