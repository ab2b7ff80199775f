local y = std.parseYaml(importstr "data.yml"); y {kind: "ConfigMap", apiVersion: "v1", metadata: {name: "y"}}
