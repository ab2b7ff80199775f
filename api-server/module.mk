ARCHIVES += apiserver
LIB_apiserver := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c $(d)/http/*.c $(d)/auth/*.c $(d)/live/*.c $(d)/services/*.c))
PROGS += cargocd-api-server
SRC_cargocd-api-server := $(d)/main.c
ARCHIVES_cargocd-api-server := apiserver api web proto common
APISERVER_LDLIBS := -lnghttp2 -lhttp_parser -lwebsockets -lcrypt -lssl -lcrypto

LDLIBS_cargocd-api-server := $(LDLIBS_all) $(APISERVER_LDLIBS)

UNIT_ARCHIVES_api-server := apiserver api proto
UNIT_LDLIBS_api-server   := $(APISERVER_LDLIBS)


FUZZ_OF_API := api_request api_http1 api_jwt api_live
$(foreach t,$(FUZZ_OF_API),$(eval FUZZ_ARCHIVES_$(t) := apiserver api proto)$(eval FUZZ_LDLIBS_$(t) := $(APISERVER_LDLIBS)))
