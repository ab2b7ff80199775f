LIB_common += $(wildcard $(d)/*.c)
# The sanitizers call sysconf before they are ready for instrumented code.
CFLAGS_common_net_rpc_processors := -fno-sanitize=all
CFLAGS_tests_unit_common_net_test_rpc_processors := -fno-sanitize=all
