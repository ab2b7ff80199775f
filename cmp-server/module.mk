# The plugins' sidecar. It runs in images that are not ours, so it takes its libraries along; the sanitizers need shared
# ones.
LIB_cmpserver := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c))
ARCHIVES += cmpserver
PROGS += cargocd-cmp-server
SRC_cargocd-cmp-server := $(d)/main.c
ARCHIVES_cargocd-cmp-server := cmpserver proto common
# Inside of its archive jansson has a function of a name that is ours too; a shared library does not show it.
CMP_JANSSON := $(B)/lib/jansson-static.a
CMP_STATIC  := $(if $(SANITIZE),-ljansson,-static-pie -Wl,--no-warnings $(CMP_JANSSON))
LDLIBS_cargocd-cmp-server := $(CMP_STATIC) -lnghttp2 -lprotobuf-c -lyaml -lcrypto -lpcre2-8 -lz -lm
UNIT_ARCHIVES_cmp-server := cmpserver proto
UNIT_LDLIBS_cmp-server := -lnghttp2

$(CMP_JANSSON):
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym utf8_encode=jansson_utf8_encode "$$($(CC) -print-file-name=libjansson.a)" $@
$(if $(SANITIZE),,$(B)/bin/cargocd-cmp-server: $(CMP_JANSSON))
