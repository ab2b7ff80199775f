# What several unit tests share: scripted servers, throw-away certificates.
ARCHIVES += testkit
LIB_testkit := $(wildcard $(d)/kit/*.c)
UNIT_ARCHIVES_common += testkit
UNIT_LDLIBS_common += -lnghttp2
