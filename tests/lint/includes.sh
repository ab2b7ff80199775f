#!/bin/sh
# The inclusion rules of docs/developing.md, over the #include "…" lines of every source file: which layer may use which,
# includes written from the root, and nothing with effects in the pure core. Prints what breaks a rule; fails then.
#
# A rule is a folder and the folders that its files may include besides its own. The longest folder that fits counts;
# tests may include anything. Generated headers (*.pb-c.h) belong to the folder of their .proto file.
rules='
common/base
common/json     common/base
common/yaml     common/base common/json
common/kinds    common/base common/json
common/engine   common/base common/json common/yaml common/kinds
common/eval     common/base common/json common/kinds common/engine
common/net      common/base common/json proto/rpc
common/kube     common/base common/json common/yaml common/kinds common/net
common/argo     common/base common/json common/yaml common/kinds common/engine
proto           common google
repo-server     common proto
app-controller  common proto
api-server      common proto google
cmp-server      common proto
k8s-auth        common
cli             common proto
tests/kubesim   common
'
# What the pure core must not see: files, processes, threads, sockets.
impure='common/base/(file|proc|thread|workq|log)\.h|(unistd|fcntl|pthread|signal|dirent)\.h|(sys/(socket|stat|wait|mman)|netinet/.*|arpa/.*)\.h'

git ls-files -co --exclude-standard '*.c' '*.h' | xargs awk -v rules="$rules" -v impure="^($impure)\$" '
BEGIN {
    n = split(rules, lines, "\n")
    for (i = 1; i <= n; i++) {
        m = split(lines[i], word, " ")
        if (!m) continue
        layers[word[1]] = 1
        for (j = 1; j <= m; j++) may[word[1], word[j]] = 1
    }
}
function layer_of(path) {
    while (sub(/\/[^\/]*$/, "", path)) if (path in layers) return path
    return ""
}
function fits(layer, target) {
    while (sub(/\/[^\/]*$/, "", target)) if ((layer, target) in may) return 1
    return 0
}
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
function exists(path,  line, r) { r = (getline line < path); close(path); return r >= 0 }
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    quoted = $0 ~ /include[ \t]*"/
    target = $0
    sub(/^[^"<]*["<]/, "", target)
    sub(/[">].*/, "", target)
    layer = layer_of(FILENAME)
    if (layer == "common/engine" && target ~ impure)
        complain("the engine is pure and does not include " target)
    if (!quoted) next
    if (target !~ /\.pb-c\.h$/ && !exists(target))
        complain("\"" target "\" is no file; includes are written from the root")
    else if (layer != "" && !fits(layer, target))
        complain(layer " must not include " target)
}
END { exit bad }'
