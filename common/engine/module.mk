LIB_common += $(wildcard $(d)/*.c)
# The bundled health checks and actions are part of the objects.
$(B)/obj/common/engine/script_bundled.o: $(wildcard $(d)/health/*.lua)
$(B)/obj/common/engine/script_actions_bundled.o: $(wildcard $(d)/actions/*.lua)
