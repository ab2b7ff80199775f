# Style, static analysis and the rules that a compiler does not know. `make lint` is part of CI and stays below a minute;
# `make tidy` takes minutes (T=pattern: only files whose path contains it).
C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
SOURCE_FOLDERS = $(wildcard common repo-server app-controller api-server cli tests/kubesim)

format:
	clang-format -i $(C_FILES)

lint: lint-format lint-includes lint-banned lint-sizes lint-cppcheck lint-shell
lint-format:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
lint-includes lint-banned lint-sizes: lint-%:
	$(Q)tests/lint/$*.sh
# cppcheck cannot parse __typeof__; a pointer does for what our macros do with it.
lint-cppcheck:
	@mkdir -p build/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=tests/lint/cppcheck.txt \
		--enable=warning,portability --cppcheck-build-dir=build/cppcheck -j2 -I. -Ibuild/gen -D_GNU_SOURCE \
		'-D__typeof__(x)=char *' '-DCARGOCD_VERSION="$(VERSION)"' --std=c11 $(SOURCE_FOLDERS)
lint-shell:
	$(Q)shellcheck -S warning $(shell git ls-files -co --exclude-standard '*.sh' .ci/run 2>/dev/null)

# Generated headers must be there: make all comes first.
tidy: all
	$(Q)printf '%s\n' $(filter %.c,$(foreach d,$(SOURCE_FOLDERS),$(filter $(d)/%,$(C_FILES)))) | grep -F '$(T)' | \
		xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- -I. -Ibuild/gen -D_GNU_SOURCE -DCARGOCD_VERSION="" -std=gnu17' sh

.PHONY: format lint lint-format lint-includes lint-banned lint-sizes lint-cppcheck lint-shell tidy
