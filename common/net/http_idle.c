/* Design. curl keeps an idle connection until its pool is full, whoever it belongs to, and has no call that
 * closes those of one peer. So a cluster that was removed, or whose credential changed, would leave its
 * connections behind, and with them, through their group, its endpoint with the credential. A sweep looks for
 * idle connections whose endpoint is held by groups alone: no transfer can come for them any more. Their
 * sockets are shut down, which the peer sees at once; curl notices when it looks through its pool, that is
 * when the lane's next transfer begins. In a lane where nothing is under way that may be long, so such a lane
 * gives back all it has. */
#include "common/net/http_internal.h"

#include <sys/socket.h>

#define SWEEP_EVERY SECONDS(5)

static bool orphaned(const struct http_group *g)
{
    return !g->active && !g->held && atomic_load(&g->endpoint->refs) == atomic_load(&g->endpoint->groups);
}

/* Which lanes have idle connections of nobody; *idle says whether there are idle ones at all. */
static unsigned shut_orphans(http_t *h, bool *idle)
{
    unsigned lanes = 0;
    for (size_t fd = 0; fd < h->sockets.n; fd++) {
        const struct http_socket *s = &h->sockets.v[fd];
        if (!s->group ||
            s->lane) /* curl watches what is in use, also by another group with the same identity */
            continue;
        *idle = true;
        if (!orphaned(s->group))
            continue;
        shutdown((int)fd, SHUT_RDWR);
        lanes |= 1u << s->group->lane;
    }
    return lanes;
}

static void sweep_fired(struct http_timer *t)
{
    http_t *h = CONTAINER_OF(t, http_t, sweep);
    bool idle = false;
    unsigned lanes = shut_orphans(h, &idle);
    for (size_t i = 0; i < HTTP_LANE_MAX; i++)
        if (lanes & 1u << i && !h->lanes[i].active)
            http_lane_close(&h->lanes[i]);
    if (idle)
        http_idle_look(h);
}

void http_idle_init(http_t *h)
{
    h->sweep.fn = sweep_fired;
}

void http_idle_look(http_t *h)
{
    if (!h->sweep.place)
        http_timer_set(&h->timers, &h->sweep, mono_after(mono_now(), SWEEP_EVERY));
}
