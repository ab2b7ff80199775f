# Benchmarks: tests/bench/bench_<name>.c, each a program that prints "bench NAME VALUE UNIT budget N ok|over" lines.
# BENCH_ARCHIVES_<name> and BENCH_LDLIBS_<name> name what it links with besides libcommon. `make bench T=pattern` runs those
# whose name contains it; the daemons are built first. system.py measures the daemons as processes on kubesim.
BENCHES := $(patsubst tests/bench/bench_%.c,%,$(wildcard tests/bench/bench_*.c))

BENCH_ARCHIVES_render := repo repotest proto
BENCH_ARCHIVES_sources := repo repotest proto
BENCH_ARCHIVES_tools  := repo repotest proto
BENCH_ARCHIVES_tree   := controller proto
BENCH_LDLIBS_render   := $(LDLIBS_repo) -lcmocka
BENCH_LDLIBS_sources  := $(LDLIBS_repo) -lcmocka
BENCH_LDLIBS_tools    := $(LDLIBS_repo) -lcmocka

define bench_rule
$(B)/bin/bench_$(1): $(B)/obj/tests/bench/bench_$(1).o $(BENCH_ARCHIVES_$(1):%=$(B)/lib/%.a) $(B)/lib/common.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $(B)/obj/tests/bench/bench_$(1).o -Wl,--start-group $(BENCH_ARCHIVES_$(1):%=$(B)/lib/%.a) $(B)/lib/common.a -Wl,--end-group $(LDLIBS_all) $(BENCH_LDLIBS_$(1))
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rule,$(b))))

bench: all $(BENCHES:%=$(B)/bin/bench_%)
	$(Q)for b in $(foreach b,$(BENCHES),$(if $(if $(T),$(findstring $(T),$(b)),all),$(b))); do $(B)/bin/bench_$$b $(B)/bin || exit 1; done
	$(Q)CARGOCD_BIN=$(abspath $(B))/bin tests/bench/system.py -k '$(T)'

.PHONY: bench
