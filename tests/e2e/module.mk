# make e2e: what needs a real Kubernetes. With KUBECONFIG the integration suite runs on that cluster; without it, on a local
# control plane that tests/cluster makes, and then the images and the chart are tried on a real node (this machine).
#   make e2e-suite K=hook    the integration suite alone, tests whose name contains "hook"
#   make e2e-differential K=Deployment   the same manifests by kubectl and by us, kinds and cases whose name contains it
#   make e2e-install         images and chart alone
e2e: deps-cluster
	+$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	+$(Q)tests/check.sh "$(MAKE)" e2e-suite e2e-differential e2e-install

e2e-suite: all
	$(Q)tests/e2e/suite.sh $(if $(K),-k '$(K)')
e2e-differential: all
	$(Q)CARGOCD_BIN=$(abspath $(B))/bin SUITE=tests/differential/run.py tests/e2e/suite.sh $(if $(K),-k '$(K)')
e2e-install:
	$(Q)WITH_UI='$(WITH_UI)' tests/e2e/install.sh

.PHONY: e2e e2e-suite e2e-differential e2e-install
