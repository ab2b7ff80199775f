#!/bin/sh
# Runs unit-test binaries and counts. usage: run-unit.sh DIR [PATTERN]
# Every binary prints TAP; a binary that dies without a result counts as one failure. Ends with "N passed, N failed".
dir=$1 pattern=${2:-}
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
export CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0} \
    UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1}
for t in $(find "$dir" -type f -name 'test_*' -perm -u+x | sort); do
    case $t in *"$pattern"*) ;; *) continue ;; esac
    timeout "${TEST_TIMEOUT:-120}" "$t" >"$out" 2>&1
    status=$?
    ok=$(grep -c '^ok ' "$out")
    bad=$(grep '^not ok ' "$out" | grep -vc '# SKIP')
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad))
    if [ "$bad" -ne 0 ]; then
        echo "FAIL $t (exit $status)"
        grep -v '^ok ' "$out" | head -80
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
