# Style, static analysis and the rules that a compiler does not know.
C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

format:
	clang-format -i $(C_FILES)

lint:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)tests/lint/includes.sh
	$(Q)tests/lint/banned.sh
	$(Q)tests/lint/sizes.sh
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=tests/lint/cppcheck.txt --enable=warning,portability -j2 -I. -D_GNU_SOURCE --std=c11 common repo-server app-controller api-server cli tests/kubesim

.PHONY: format lint
