#!/bin/sh
# Runs fuzz targets one after another. usage: run.sh BUILD_DIR SECONDS [PATTERN]
# Starts from tests/fuzz/corpus/<name>, the folders that tests/fuzz/seeds.txt names and the words of tests/fuzz/dict; what is
# found on the way grows in BUILD_DIR/corpus/<name>, and inputs that break something are left in BUILD_DIR/found. A line per
# target; fails if one broke.
build=$1 seconds=$2 pattern=${3:-}
failed=0
mkdir -p "$build/found"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
for program in "$build"/bin/fuzz_*; do
    name=${program##*/fuzz_}
    case $name in *"$pattern"*) ;; *) continue ;; esac
    own=$build/corpus/$name
    mkdir -p "$own"
    seeds=$(sed -n "s/^$name  *//p" tests/fuzz/seeds.txt)
    dict=
    [ ! -f "tests/fuzz/dict/${name%%_*}" ] || dict=-dict=tests/fuzz/dict/${name%%_*}
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" ${dict:+"$dict"} \
        "$own" "tests/fuzz/corpus/$name" $seeds >"$build/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
        echo "fuzz $name: $runs runs, nothing found"
    else
        failed=$((failed + 1))
        echo "fuzz $name: FAILED, see $build/$name.log"
        grep -E 'does not hold|ERROR:|runtime error|Test unit written' "$build/$name.log" | head -5
    fi
done
[ $failed -eq 0 ]
