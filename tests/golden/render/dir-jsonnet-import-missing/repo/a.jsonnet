import "no.libsonnet"
