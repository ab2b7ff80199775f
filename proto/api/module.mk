# The public API: message descriptors by protoc-c and one table of methods by gen/api_table.c, as archive `api`.
API_PROTO_DIR := $(d)
API_MESSAGES  := $(filter-out %/options.proto,$(sort $(wildcard $(d)/*.proto)))
API_SERVICES  := $(sort $(wildcard $(d)/services/*.proto))
API_GEN_C     := $(API_MESSAGES:%.proto=$(B)/gen/%.pb-c.c) $(B)/gen/google/protobuf/empty.pb-c.c
API_GEN_H     := $(API_GEN_C:%.c=%.h)
API_TOOL      := $(B)/tool/api_table
API_TOOL_SRC  := $(d)/gen/api_table.c
API_TOOL_GEN  := $(B)/gen/google/protobuf/descriptor.pb-c.c $(B)/gen/$(d)/options.pb-c.c

ARCHIVES += api
LIB_api  := $(API_GEN_C) $(B)/gen/$(d)/table.c

$(B)/gen/$(d)/%.pb-c.c $(B)/gen/$(d)/%.pb-c.h &: $(d)/%.proto
	$(call say,PROTO,$<)
	@mkdir -p $(B)/gen
	$(Q)protoc-c -I. -I/usr/include --c_out=$(B)/gen $<

$(B)/gen/google/protobuf/%.pb-c.c $(B)/gen/google/protobuf/%.pb-c.h &:
	@mkdir -p $(B)/gen
	$(Q)protoc-c -I/usr/include --c_out=$(B)/gen google/protobuf/$*.proto

$(API_TOOL): $(API_TOOL_SRC) $(API_TOOL_GEN)
	$(call say,TOOL,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -I$(B)/gen -D_GNU_SOURCE -std=gnu17 -O1 -g $(WARN) -Wno-missing-prototypes -o $@ $^ -lprotobuf-c

$(B)/gen/$(d)/api.set: $(API_SERVICES) $(API_MESSAGES) $(d)/options.proto
	@mkdir -p $(@D)
	$(Q)protoc -I. -I/usr/include --include_imports --descriptor_set_out=$@ $(API_SERVICES)

$(B)/gen/$(d)/table.c: $(B)/gen/$(d)/api.set $(API_TOOL)
	$(call say,TABLE,$@)
	$(Q)$(API_TOOL) $< > $@

.SECONDARY: $(API_GEN_C) $(API_GEN_H) $(API_TOOL_GEN)
GEN_HEADERS += $(API_GEN_H)
