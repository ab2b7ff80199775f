#include "common/net/rpc_wire.h"

#include <malloc.h>

enum {
    ERROR_TEXT_MAX = 16 << 10,
    /* protobuf-c takes up to 60 bytes for a byte of input (a list of empty strings: its notes of 40 bytes in
     * blocks that double, a pointer and a string of 32 bytes, as malloc counts, for two bytes). A message may
     * take that much while it is small, and a large one no more than a few times its size over UNPACK_BASE.
     */
    UNPACK_SMALL_FACTOR = 64,
    UNPACK_SMALL_BASE = 64 << 10,
    UNPACK_FACTOR = 4,
    UNPACK_BASE = 64 << 20,
};

uint32_t rpc_get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void rpc_put32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static uint64_t get64(const unsigned char *p)
{
    return (uint64_t)rpc_get32(p) << 32 | rpc_get32(p + 4);
}

static void put64(unsigned char *p, uint64_t v)
{
    rpc_put32(p, (uint32_t)(v >> 32));
    rpc_put32(p + 4, (uint32_t)v);
}

static struct rpc_frame *frame_new(size_t n)
{
    struct rpc_frame *f = xmalloc(sizeof(*f) + n);
    f->next = NULL;
    f->n = n;
    return f;
}

struct rpc_frame *rpc_hello(uint16_t protocol)
{
    struct rpc_frame *f = frame_new(RPC_HELLO_SIZE);
    memcpy(f->data, "\0SP\0\0\0\0\0", RPC_HELLO_SIZE);
    f->data[4] = (unsigned char)(protocol >> 8);
    f->data[5] = (unsigned char)protocol;
    return f;
}

struct rpc_frame *rpc_frame(bool ipc, const void *trace, size_t ntrace, const Cargocd__Rpc__Envelope *e)
{
    size_t head = ipc ? 9 : 8;
    size_t body = cargocd__rpc__envelope__get_packed_size(e);
    struct rpc_frame *f = frame_new(head + ntrace + body);
    if (ipc)
        f->data[0] = 1;
    put64(f->data + head - 8, ntrace + body);
    memcpy(f->data + head, trace, ntrace);
    cargocd__rpc__envelope__pack(e, f->data + head + ntrace);
    return f;
}

void rpc_reader_init(struct rpc_reader *r, bool ipc, uint16_t peer)
{
    memset(r, 0, offsetof(struct rpc_reader, buf));
    r->ipc = ipc;
    r->peer = peer;
}

void rpc_reader_dispose(struct rpc_reader *r)
{
    free(TAKE(r->body));
    r->body_size = r->body_have = r->from = r->to = 0;
}

unsigned char *rpc_reader_space(struct rpc_reader *r, size_t *n)
{
    if (r->body && r->body_have < r->body_size) {
        *n = r->body_size - r->body_have;
        return r->body + r->body_have;
    }
    if (r->from) {
        memmove(r->buf, r->buf + r->from, r->to - r->from);
        r->to -= r->from;
        r->from = 0;
    }
    *n = sizeof(r->buf) - r->to;
    return r->buf + r->to;
}

void rpc_reader_added(struct rpc_reader *r, size_t n)
{
    if (r->body && r->body_have < r->body_size)
        r->body_have += n;
    else
        r->to += n;
}

/* A message that is not whole in buf moves to memory of its own size. */
static void begin_body(struct rpc_reader *r, size_t size)
{
    r->body = xmalloc(size);
    r->body_size = size;
    r->body_have = r->to - r->from;
    memcpy(r->body, r->buf + r->from, r->body_have);
    r->from = r->to = 0;
}

static int greeting(struct rpc_reader *r, err_t **err)
{
    if (r->to - r->from < RPC_HELLO_SIZE)
        return 0;
    const unsigned char *h = r->buf + r->from;
    if (memcmp(h, "\0SP\0", 4) != 0 || h[4] != r->peer >> 8 || h[5] != (r->peer & 0xff) || h[6] || h[7])
        return err_set(err, ERR_INVALID_ARGUMENT, "the peer does not speak nng's request and reply");
    r->from += RPC_HELLO_SIZE;
    r->greeted = true;
    return 1;
}

static int next_head(struct rpc_reader *r, size_t *size, err_t **err)
{
    size_t head = r->ipc ? 9 : 8;
    const unsigned char *h = r->buf + r->from;
    if (r->to - r->from < head)
        return 0;
    uint64_t n = get64(h + head - 8);
    if (r->ipc && h[0] != 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "a message of an unknown type");
    if (n > RPC_FRAME_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a message of %llu bytes", (unsigned long long)n);
    r->from += head;
    *size = n;
    return 1;
}

int rpc_reader_next(struct rpc_reader *r, const unsigned char **p, size_t *n, err_t **err)
{
    if (!r->greeted) {
        int got = greeting(r, err);
        if (got <= 0)
            return got;
    }
    if (r->body && r->body_have < r->body_size)
        return 0;
    if (r->body && r->body_size) {
        *p = r->body;
        *n = r->body_size;
        r->body_size = 0;
        return 1;
    }
    free(TAKE(r->body));
    size_t size = 0;
    int got = next_head(r, &size, err);
    if (got <= 0)
        return got;
    if (r->to - r->from < size) {
        begin_body(r, size);
        return 0;
    }
    *p = r->buf + r->from;
    *n = size;
    r->from += size;
    return 1;
}

size_t rpc_trace_size(const unsigned char *p, size_t n)
{
    for (size_t at = 0; at + 4 <= n && at < RPC_TRACE_MAX; at += 4)
        if (p[at] & 0x80)
            return at + 4;
    return 0;
}

struct budget {
    size_t left;
};

enum { MALLOC_HEAD = 16 };

static void *budget_alloc(void *arg, size_t n)
{
    struct budget *b = arg;
    if (n > b->left)
        return NULL;
    void *p = xmalloc(max_size(n, 1));
    size_t cost = malloc_usable_size(p) + MALLOC_HEAD;
    if (cost > b->left) {
        free(p);
        return NULL;
    }
    b->left -= cost;
    return p;
}

static void budget_free(void *arg, void *p)
{
    struct budget *b = arg;
    if (p)
        b->left += malloc_usable_size(p) + MALLOC_HEAD;
    free(p);
}

int rpc_unpack(const ProtobufCMessageDescriptor *type, const void *p, size_t n, ProtobufCMessage **out,
               err_t **err)
{
    struct budget budget = {
        min_size(n * UNPACK_SMALL_FACTOR + UNPACK_SMALL_BASE, n * UNPACK_FACTOR + UNPACK_BASE)};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    static const unsigned char none;
    ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, n, n ? p : &none);
    if (!m)
        return err_set(err, ERR_INVALID_ARGUMENT, "%zu bytes that are not a %s", n, type->name);
    *out = m;
    return 0;
}

int rpc_envelope_read(const void *p, size_t n, Cargocd__Rpc__Envelope **out, err_t **err)
{
    ProtobufCMessage *m = NULL;
    int r = rpc_unpack(&cargocd__rpc__envelope__descriptor, p, n, &m, err);
    if (r < 0)
        return r;
    AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = (Cargocd__Rpc__Envelope *)m;
    if (!e->id.len || e->id.len > RPC_ID_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "an envelope with an id of %zu bytes", e->id.len);
    if (e->kind_case == CARGOCD__RPC__ENVELOPE__KIND__NOT_SET)
        return err_set(err, ERR_INVALID_ARGUMENT, "an envelope of no known kind");
    *out = TAKE(e);
    return 0;
}

int rpc_pack(const ProtobufCMessage *m, unsigned char **out, size_t *n, err_t **err)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    if (size > RPC_MAX_BODY)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a %s of %zu bytes is over the limit of %d",
                       m->descriptor->name, size, RPC_MAX_BODY);
    *out = xmalloc(max_size(size, 1));
    *n = protobuf_c_message_pack(m, *out);
    return 0;
}

void rpc_error_init(Cargocd__Rpc__Error *e, err_t *err)
{
    cargocd__rpc__error__init(e);
    e->code = err_code(err) == ERR_OK ? ERR_UNKNOWN : (int32_t)err_code(err);
    e->text = (char *)err_text(err);
}

int rpc_error_read(const Cargocd__Rpc__Error *e, err_t **err)
{
    enum err_code code = e->code > ERR_OK && e->code < ERR_CODE_MAX ? (enum err_code)e->code : ERR_UNKNOWN;
    return err_set(err, code, "%.*s", ERROR_TEXT_MAX, e->text);
}
