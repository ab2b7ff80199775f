// The TLAs of the source.
local local_one = import 'sub/one.libsonnet';
local lib = import 'util.libsonnet';
function(top, list=[]) [
  lib.configMap('vars', {
    text: std.extVar('text'),
    num: std.toString(std.extVar('num')),
    top: top,
    raw: importstr 'sub/raw.txt',
    self_import: importstr 'main.txt',
    one: local_one.value,
    file: std.thisFile,
  }) + { numbers: list },
  null,
  lib.configMap('second', { shadow: (import 'shadow.libsonnet').from }),
]
