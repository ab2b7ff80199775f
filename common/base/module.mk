ARCHIVES += common
LIB_common := $(wildcard $(d)/*.c)
# Libraries: core for the pure layers, all for what talks to the network too. --as-needed drops what is not used.
LDLIBS_core := -ljansson -lyaml -lcrypto -lpcre2-8 -lzstd -lz -lluajit-5.1 -lm
LDLIBS_all  := $(LDLIBS_core) -lcurl -lnng -lhiredis -lssl -lprotobuf-c
