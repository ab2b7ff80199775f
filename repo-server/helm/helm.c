#include "repo-server/render.h"
int helm_render(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                struct render_output *out, err_t **err)
{
    return err_set(err, ERR_UNIMPLEMENTED, "x");
}
