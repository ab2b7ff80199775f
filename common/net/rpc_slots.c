/* The numbers of messages under way. A number holds the slot where its request is, and how often the slot was
 * used, so that an answer that comes when its request is over finds nobody. */
#include "common/net/rpc_client.h"

enum {
    SLOT_BITS = 13, /* over RPC_MAX_REQUESTS */
    SLOT_MASK = (1 << SLOT_BITS) - 1,
    TURN_MASK = (1 << (31 - SLOT_BITS)) - 1,
};

void rpc_number_release(struct rpc_request *q)
{
    rpc_client_t *c = q->client;
    if (!q->number)
        return;
    uint32_t slot = q->number & SLOT_MASK;
    c->slots.v[slot].request = NULL;
    c->slots.v[slot].next_free = c->free_slot;
    c->free_slot = slot;
    q->number = 0;
}

void rpc_number_take(struct rpc_request *q)
{
    rpc_client_t *c = q->client;
    rpc_number_release(q);
    if (!c->slots.n)
        VEC_PUSH(&c->slots, (struct rpc_slot){});
    uint32_t slot = c->free_slot;
    if (slot) {
        c->free_slot = c->slots.v[slot].next_free;
    } else {
        slot = (uint32_t)c->slots.n;
        VEC_PUSH(&c->slots, (struct rpc_slot){});
    }
    struct rpc_slot *s = &c->slots.v[slot];
    s->request = q;
    s->turn = (s->turn + 1) & TURN_MASK;
    q->number = RPC_REQUEST_BIT | s->turn << SLOT_BITS | slot;
}

struct rpc_request *rpc_by_number(rpc_client_t *c, uint32_t number)
{
    uint32_t slot = number & SLOT_MASK;
    struct rpc_request *q = slot < c->slots.n ? c->slots.v[slot].request : NULL;
    return q && q->number == number ? q : NULL;
}
