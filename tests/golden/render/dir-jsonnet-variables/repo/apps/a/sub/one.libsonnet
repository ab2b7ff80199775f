{ value: (import "two.libsonnet") + "/" + std.thisFile }
