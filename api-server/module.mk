ARCHIVES += apiserver
LIB_apiserver := $(filter-out $(d)/main.c,$(wildcard $(d)/*.c $(d)/http/*.c $(d)/auth/*.c $(d)/live/*.c $(d)/services/*.c))
APISERVER_LDLIBS := -lnghttp2 -lhttp_parser -lwebsockets -lcrypt -lssl -lcrypto

UNIT_ARCHIVES_api-server := apiserver api proto
UNIT_LDLIBS_api-server   := $(APISERVER_LDLIBS)

