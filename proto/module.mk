# The contracts between the daemons: protoc-c makes $(B)/gen/proto/rpc/*.pb-c.{c,h} of every proto/rpc/*.proto, and the
# archive `proto` holds them. Sources include "proto/rpc/<name>.pb-c.h". proto/cmp is what plugins speak.
PROTO_RPC := $(wildcard $(d)/rpc/*.proto $(d)/cmp/*.proto)
PROTO_GEN := $(PROTO_RPC:%.proto=$(B)/gen/%.pb-c.c)
GEN_HEADERS += $(PROTO_GEN:.c=.h)
ARCHIVES += proto
LIB_proto := $(PROTO_GEN) $(d)/repo_message.c
# libcommon's RPC speaks Envelope, so whatever links it needs the archive too.
UNIT_ARCHIVES_common += proto
.SECONDARY: $(PROTO_GEN) $(PROTO_GEN:.c=.h)

$(B)/gen/proto/rpc/%.pb-c.c $(B)/gen/proto/rpc/%.pb-c.h: proto/rpc/%.proto
	$(call say,PROTO,$<)
	@mkdir -p $(B)/gen
	$(Q)protoc-c --c_out=$(B)/gen $<

$(B)/gen/proto/cmp/%.pb-c.c $(B)/gen/proto/cmp/%.pb-c.h: proto/cmp/%.proto
	$(call say,PROTO,$<)
	@mkdir -p $(B)/gen
	$(Q)protoc-c --c_out=$(B)/gen $<
