LIB_common += $(wildcard $(d)/*.c) $(B)/gen/common/kinds/builtin_tables.c

$(B)/gen/kinds_gen: $(d)/gen/kinds_gen.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O1 -o $@ $<

$(B)/gen/common/kinds/builtin_tables.c: $(d)/builtin.txt $(B)/gen/kinds_gen
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(B)/gen/kinds_gen $< > $@
