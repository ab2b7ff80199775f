#!/bin/sh
# Files of more than 800 lines and functions of more than 60. The few that have a reason to be longer stand in
# tests/lint/sizes-allowed.txt: "<file> <reason>" or "<file>:<function> <reason>"; what no longer needs to stand there is
# an error too. A function is what our formatting makes of one: "{" and "}" alone at the beginning of a line; its length is
# what lies between.
git ls-files -co --exclude-standard '*.c' '*.h' '*.sh' '*.py' '*.ts' '*.tsx' '*.mk' Makefile | xargs awk '
function over(what, lines, limit) {
    long[what] = 1
    if (what in allowed) return
    printf "%s: %d lines, more than %d\n", what, lines, limit
    bad = 1
}
FILENAME == "tests/lint/sizes-allowed.txt" {
    if ($0 !~ /^#/ && NF) {
        allowed[$1] = 1
        if (NF < 3) { printf "%s:%d: %s without a reason\n", FILENAME, FNR, $1; bad = 1 }
    }
    next
}
FNR == 1 { if (file != "" && lines > 800) over(file, lines, 800); file = FILENAME; start = 0; signature = "" }
{ lines = FNR }
FILENAME ~ /\.[ch]$/ {
    if ($0 == "{") { start = FNR }
    else if ($0 == "}" && start) {
        name = signature
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        if (FNR - start - 1 > 60) over(FILENAME ":" name, FNR - start - 1, 60)
        start = 0
        signature = ""
    } else if (!start) {
        if ($0 ~ /^[A-Za-z_].*\(/) signature = $0
    }
}
END {
    if (lines > 800) over(file, lines, 800)
    for (what in allowed) if (!(what in long)) { printf "tests/lint/sizes-allowed.txt: %s needs no exception\n", what; bad = 1 }
    exit bad
}' tests/lint/sizes-allowed.txt
