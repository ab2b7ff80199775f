#!/bin/sh
# Runs the parts of `make check` and adds up what they count. usage: check.sh MAKE PART...
# A part is a make target whose output ends with "N passed, N failed". One that ends otherwise counts as one failure.
make=$1
shift
# make -n: the parts only say what they would do.
case ${MAKEFLAGS%% *} in
-*) ;;
*n*)
    for part; do $make --no-print-directory "$part"; done
    exit
    ;;
esac
passed=0 failed=0 broken=
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for part; do
    echo "== $part"
    { $make --no-print-directory "$part" 2>&1; echo "status $?"; } | tee "$out" | grep --line-buffered -v '^status [0-9]*$'
    status=$(sed -n '$s/^status //p' "$out")
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$out" | tail -1)
    p=${counts%% passed*} f=${counts#*, }
    f=${f%% failed*}
    if [ "$status" != 0 ] && [ "${f:-0}" = 0 ]; then f=1; fi
    [ "${f:-0}" = 0 ] || broken="$broken $part"
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
done
[ -z "$broken" ] || echo "failed in:$broken"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
