LIB_common += $(wildcard $(d)/*.c)
# The bundled health checks are part of the object.
$(B)/obj/common/engine/script_bundled.o: $(wildcard $(d)/health/*.lua)
