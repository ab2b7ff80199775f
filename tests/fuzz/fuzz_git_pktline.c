/* What a hostile Git server says, in pieces of any size: what it has, where the history is cut, lines. */
#include "repo-server/git/pktline.h"
#include "tests/fuzz/fuzz.h"

struct server {
    const uint8_t *p;
    size_t n, step;
};

static int on_read(void *arg, char *buf, size_t size, size_t *n, err_t **err)
{
    struct server *s = arg;
    *n = min_size(min_size(size, s->step), s->n);
    memcpy(buf, s->p, *n);
    s->p += *n;
    s->n -= *n;
    return 0;
}

static void check_advert(const struct pkt_advert *a, size_t size)
{
    REQUIRE(a->lines <= size / 4 && a->refs.n <= a->lines);
    VEC_FOREACH(&a->refs, ref) {
        REQUIRE(git_is_commit(ref->oid) && (!*ref->commit || git_is_commit(ref->commit)));
        const char *found = pkt_find(a, ref->oid);
        REQUIRE(found && strlen(found) == 40);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pkt_reader r;
    if (!size)
        return 0;
    struct server s = {data + 1, size - 1, data[0] ? data[0] : 100000};
    struct pkt_advert a = {};
    shallow_t cut = {};
    enum pkt_kind kind = PKT_FLUSH;
    view_t line;
    size_t total = 0;
    r = (struct pkt_reader){.read = on_read, .arg = &s};
    if (pkt_read_advert(&r, &a, NULL) == 0 && a.refs.n < 200)
        check_advert(&a, size);
    pkt_capable(&a, "shallow");
    if (pkt_read_shallow(&r, &cut, NULL) == 0)
        MAP_FOREACH(&cut, e)
            REQUIRE(git_is_commit(e->key));
    while (kind != PKT_END && pkt_next(&r, &kind, &line, NULL) == 0) {
        REQUIRE(line.n <= PKT_MAX - 4);
        total += line.n;
    }
    REQUIRE(total <= size);
    map_dispose(&cut);
    pkt_advert_dispose(&a);
    return 0;
}
