# Style, static analysis and the rules that a compiler does not know. `make lint` is part of CI and stays below a minute;
# `make tidy` takes minutes (T=pattern: only files whose path contains it).
C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
SOURCE_FOLDERS = $(wildcard common repo-server cmp-server app-controller api-server cli tests/kubesim)

format:
	clang-format -i $(C_FILES)

lint: lint-compat lint-format lint-includes lint-banned lint-sizes lint-cppcheck lint-shell
lint-compat:
	$(Q)tests/compat-check
lint-format:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
lint-includes lint-banned lint-sizes: lint-%:
	$(Q)tests/lint/$*.sh
# What cppcheck cannot parse by itself: __typeof__ (a pointer does for what our macros do with it) and loops of sys/queue.h.
CPPCHECK_MACROS = '-D__typeof__(x)=char *' '-DTAILQ_FOREACH(v,h,f)=for(v=(h)->tqh_first;v;v=v->f.tqe_next)' \
	'-DSTAILQ_FOREACH(v,h,f)=for(v=(h)->stqh_first;v;v=v->f.stqe_next)' \
	'-DSLIST_FOREACH(v,h,f)=for(v=(h)->slh_first;v;v=v->f.sle_next)' \
	'-DLIST_FOREACH(v,h,f)=for(v=(h)->lh_first;v;v=v->f.le_next)'
lint-cppcheck:
	@mkdir -p build/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=tests/lint/cppcheck.txt \
		--enable=warning,portability --cppcheck-build-dir=build/cppcheck -j2 -I. -D_GNU_SOURCE \
		$(CPPCHECK_MACROS) '-DCARGOCD_VERSION="$(VERSION)"' --std=c11 $(SOURCE_FOLDERS)
lint-shell:
	$(Q)shellcheck -S warning $(filter-out tests/golden/%,$(shell git ls-files -co --exclude-standard '*.sh' .ci/run 2>/dev/null))

# Generated headers must be there: make all comes first.
tidy: all
	$(Q)printf '%s\n' $(filter %.c,$(foreach d,$(SOURCE_FOLDERS),$(filter $(d)/%,$(C_FILES)))) | grep -F '$(T)' | \
		xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- -I. -Ibuild/gen -D_GNU_SOURCE -DCARGOCD_VERSION=\"\" -std=gnu17' sh

.PHONY: format lint lint-compat lint-format lint-includes lint-banned lint-sizes lint-cppcheck lint-shell tidy
