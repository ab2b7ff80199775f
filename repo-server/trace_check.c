/* Checks an encoded trace as it is read: nothing is built. The bytes come from Redis too, so every length is
 * checked against what is left, and depth is bounded. */
#include "common/base/hash.h"
#include "repo-server/trace_format.h"

enum { MAX_DEPTH = 256, MAX_TEXT = 16384 };

struct reader {
    const unsigned char *p, *end;
    bool bad;
};

static uint64_t number(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (r->p == r->end)
            break;
        unsigned char c = *r->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    r->bad = true;
    return 0;
}

static const unsigned char *bytes(struct reader *r, uint64_t n)
{
    if (r->bad || n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        return NULL;
    }
    const unsigned char *p = r->p;
    r->p += n;
    return p;
}

/* A text; the caller's. NULL when malformed. */
static char *text(struct reader *r)
{
    uint64_t n = number(r);
    const unsigned char *p = n <= MAX_TEXT ? bytes(r, n) : NULL;
    if (!p || (n && memchr(p, '\0', n))) {
        r->bad = true;
        return NULL;
    }
    return xstrndup((const char *)p, n);
}

static bool listing_holds(struct reader *r, const struct tree_entries *now)
{
    char *texts[4] = {};
    uint64_t flags = number(r);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (flags & 2u << i)
            texts[i] = text(r);
    const unsigned char *digest = bytes(r, TRACE_DIGEST);
    bool holds = false;
    if (!r->bad && digest) {
        struct tree_select sel = {texts[0], flags & 1, texts[1], texts[2], texts[3]};
        unsigned char got[TRACE_DIGEST];
        trace_digest_listing(&sel, now, got);
        holds = memcmp(got, digest, TRACE_DIGEST) == 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    return holds;
}

struct check {
    struct reader r;
    tree_backend_t *tree;
    unsigned depth;
};

static bool node_holds(struct check *c, const struct node *now);

static bool children_hold(struct check *c, uint64_t n, const struct tree_entries *now)
{
    static const struct node absent = {.kind = NODE_ABSENT};
    for (uint64_t i = 0; i < n; i++) {
        AUTO(free_p) char *name = text(&c->r);
        if (!name)
            return false;
        const struct node *found = tree_entries_find(now, name);
        if (!node_holds(c, found ? found : &absent))
            return false;
    }
    return true;
}

/* A directory with another id: look at what mattered of it. */
static bool changed_dir_holds(struct check *c, const struct node *now)
{
    struct tree_entries entries = {};
    if (c->tree->ops->list(c->tree, &now->id, &entries, NULL) < 0)
        return false;
    uint64_t listings = number(&c->r);
    bool holds = true;
    for (uint64_t i = 0; holds && i < listings; i++)
        holds = listing_holds(&c->r, &entries);
    uint64_t children = number(&c->r);
    number(&c->r);
    holds = holds && !c->r.bad && children_hold(c, children, &entries);
    tree_entries_dispose(&entries);
    return holds;
}

/* Jumps over a directory that is the same. */
static void skip_dir(struct reader *r)
{
    uint64_t listings = number(r);
    for (uint64_t i = 0; i < listings && !r->bad; i++) {
        uint64_t flags = number(r);
        for (unsigned k = 0; k < 4; k++)
            if (flags & 2u << k)
                bytes(r, number(r));
        bytes(r, TRACE_DIGEST);
    }
    number(r);
    bytes(r, number(r));
}

static bool node_holds(struct check *c, const struct node *now)
{
    uint64_t head = number(&c->r);
    enum node_kind kind = (enum node_kind)(head & TRACE_KIND_MASK);
    bool content = head & TRACE_CONTENT_BIT;
    if (c->r.bad || head > (TRACE_KIND_MASK | TRACE_CONTENT_BIT) || kind != now->kind)
        return false;
    if (kind == NODE_ABSENT)
        return true;
    const unsigned char *id = bytes(&c->r, sizeof(now->id.b));
    bool same = id && memcmp(id, now->id.b, sizeof(now->id.b)) == 0;
    if (!id || (content && !same))
        return false;
    if (kind != NODE_DIR || content)
        return true;
    if (same) {
        skip_dir(&c->r);
        return !c->r.bad;
    }
    if (++c->depth > MAX_DEPTH)
        return false;
    bool holds = changed_dir_holds(c, now);
    c->depth--;
    return holds;
}

static bool root_holds(struct reader *r, const struct trace_world *world)
{
    AUTO(free_p) char *role = text(r);
    if (!role)
        return false;
    struct check c = {.r = *r, .tree = world->tree(world->arg, role)};
    static const struct node absent = {.kind = NODE_ABSENT};
    bool holds = node_holds(&c, c.tree ? &c.tree->root : &absent);
    *r = c.r;
    return holds;
}

static bool fact_holds(struct reader *r, const struct trace_world *world)
{
    uint64_t kind = number(r);
    AUTO(free_p) char *name = text(r);
    const unsigned char *digest = bytes(r, TRACE_DIGEST);
    if (r->bad || kind >= FACT_KINDS || !name || !digest)
        return false;
    if (kind == FACT_EXPIRES) {
        int64_t at;
        return str_to_i64(name, &at) && world->now_s < at;
    }
    unsigned char got[TRACE_DIGEST];
    trace_digest_value(world->fact(world->arg, (enum trace_fact)kind, name), got);
    return memcmp(got, digest, TRACE_DIGEST) == 0;
}

bool trace_holds(const void *encoded, size_t n, const struct trace_world *world)
{
    struct reader r = {encoded, (const unsigned char *)encoded + n, false};
    if (number(&r) != TRACE_VERSION)
        return false;
    uint64_t roots = number(&r);
    for (uint64_t i = 0; i < roots; i++)
        if (r.bad || !root_holds(&r, world))
            return false;
    uint64_t facts = number(&r);
    for (uint64_t i = 0; i < facts; i++)
        if (r.bad || !fact_holds(&r, world))
            return false;
    return !r.bad && r.p == r.end;
}
