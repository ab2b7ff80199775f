LIB_common += $(wildcard $(d)/*.c)
