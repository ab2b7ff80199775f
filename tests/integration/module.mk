# Programs that talk to a real Kubernetes API server, named by KUBECONFIG. They create what they need in namespaces of
# their own ("cargocd-test-…") and remove it.
#   make kube-live     the client's integration test
#   make kube-bench    its figures
KUBE_PROGRAMS := kube_live kube_bench

define kube_program_rule
$(B)/tests/integration/$(1): $(B)/obj/tests/integration/$(1).o $(B)/lib/common.a $(B)/lib/proto.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $(B)/obj/tests/integration/$(1).o -Wl,--start-group $(B)/lib/common.a $(B)/lib/proto.a -Wl,--end-group $(LDLIBS_all) -lcmocka
endef
$(foreach p,$(KUBE_PROGRAMS),$(eval $(call kube_program_rule,$(p))))

kube-live: $(B)/tests/integration/kube_live
	$(Q)$(B)/tests/integration/kube_live
kube-bench: $(B)/tests/integration/kube_bench
	$(Q)$(B)/tests/integration/kube_bench
.PHONY: kube-live kube-bench
