# Fuzz targets: tests/fuzz/fuzz_<name>.c. Each is built twice: with corpus_main.c as an ordinary test over its corpus, which
# `make unit` and `make check` run, and by `make fuzz` with clang's libFuzzer into build/fuzz.
#
#   make fuzz T=json FUZZ_SECONDS=60     only targets whose name contains "json", a minute each
#
# FUZZ_ARCHIVES_<name>: what a target links with besides libcommon.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 10

# Targets of a daemon link its archives too: FUZZ_ARCHIVES_<name>, FUZZ_LDLIBS_<name>, set by its module.mk.
fuzz_archives = $(patsubst %,$(B)/lib/%.a,$(FUZZ_ARCHIVES_$(1)) $(UNIT_ARCHIVES_common) common)

define fuzz_rules
$(B)/tests/fuzz/test_corpus_$(1): $(B)/obj/tests/fuzz/fuzz_$(1).o $(B)/obj/tests/fuzz/corpus_main.o $(call fuzz_archives,$(1))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ -Wl,--start-group $$^ -Wl,--end-group $$(LDLIBS_all) $$(FUZZ_LDLIBS_$(1))

$(B)/bin/fuzz_$(1): $(B)/obj/tests/fuzz/fuzz_$(1).o $(call fuzz_archives,$(1))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ -Wl,--start-group $$^ -Wl,--end-group $$(LDLIBS_all) $$(FUZZ_LDLIBS_$(1))
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rules,$(t))))

unit-tests: $(FUZZ_TARGETS:%=$(B)/tests/fuzz/test_corpus_%)
fuzz-programs: $(foreach t,$(FUZZ_TARGETS),$(if $(if $(T),$(findstring $(T),$(t)),all),$(B)/bin/fuzz_$(t)))

HAS_LIBFUZZER = $(shell printf 'int LLVMFuzzerTestOneInput(void);int LLVMFuzzerTestOneInput(void){return 0;}' | \
	clang -xc -fsanitize=fuzzer -o /dev/null - >/dev/null 2>&1 && echo yes)
fuzz:
ifeq ($(MAKECMDGOALS),fuzz)
ifeq ($(HAS_LIBFUZZER),yes)
	+$(Q)$(MAKE) --no-print-directory CC=clang SANITIZE=fuzzer-no-link,address,undefined B=build/fuzz T=$(T) fuzz-programs
	$(Q)tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) $(T)
else
	@echo 'clang has no libFuzzer here (Debian: libclang-rt-14-dev): running the corpora only'
	+$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined T=fuzz/test_corpus_$(T) unit
endif
endif

.PHONY: fuzz fuzz-programs
