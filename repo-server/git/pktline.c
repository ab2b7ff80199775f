#include "repo-server/git/pktline.h"

#include <ctype.h>

enum { HEAD = 4, REFS_MAX = 4000000, ADVERT_MAX = 256 << 20, SERVER_WORDS = 500 };

/* ---- lines ---- */

/* At least n bytes from r->at on; *whole: they are there, else the stream has ended. */
static int fill(struct pkt_reader *r, size_t n, bool *whole, err_t **err)
{
    if (r->at && r->at + n > sizeof(r->buf)) {
        memmove(r->buf, r->buf + r->at, r->have - r->at);
        r->have -= r->at;
        r->at = 0;
    }
    *whole = true;
    while (r->have - r->at < n) {
        size_t got = 0;
        int e = r->read(r->arg, r->buf + r->have, sizeof(r->buf) - r->have, &got, err);
        if (e < 0)
            return e;
        if (!got) {
            *whole = false;
            return 0;
        }
        r->have += got;
    }
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* -1: it is none. */
static int line_length(const char *p)
{
    int n = 0;
    for (int i = 0; i < HEAD; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        n = n * 16 + d;
    }
    return n;
}

static int malformed(err_t **err)
{
    return err_set(err, ERR_UNAVAILABLE, "the server's answer is malformed");
}

static int cut_off(err_t **err)
{
    return err_set(err, ERR_UNAVAILABLE, "the server's answer ends too early");
}

/* What a server says may have anything in it. */
static int server_said(view_t words, err_t **err)
{
    AUTO_STR text = STR_INIT;
    words = view_trim(words);
    for (size_t i = 0; i < words.n && i < SERVER_WORDS; i++)
        str_putc(&text, isprint((unsigned char)words.p[i]) ? words.p[i] : ' ');
    bool absent = strstr(str_text(&text), "not our ref") || strstr(str_text(&text), "not found") ||
                  strstr(str_text(&text), "unadvertised object");
    return err_set(err, absent ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "the server says: %s", str_text(&text));
}

int pkt_next(struct pkt_reader *r, enum pkt_kind *kind, view_t *data, err_t **err)
{
    bool whole;
    *data = (view_t){};
    int e = fill(r, HEAD, &whole, err);
    if (e < 0)
        return e;
    if (!whole) {
        *kind = PKT_END;
        return r->have == r->at ? 0 : cut_off(err);
    }
    int n = line_length(r->buf + r->at);
    if (n == 0) {
        r->at += HEAD;
        *kind = PKT_FLUSH;
        return 0;
    }
    /* 1 to 3 belong to version 2. */
    if (n < HEAD || n > PKT_MAX)
        return malformed(err);
    e = fill(r, (size_t)n, &whole, err);
    if (e < 0 || !whole)
        return e < 0 ? e : cut_off(err);
    *data = (view_t){r->buf + r->at + HEAD, (size_t)n - HEAD};
    *kind = PKT_DATA;
    r->at += (size_t)n;
    if (data->n >= 4 && memcmp(data->p, "ERR ", 4) == 0)
        return server_said((view_t){data->p + 4, data->n - 4}, err);
    return 0;
}

void pkt_add(str_t *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    str_printf(out, "%04zx%s", strlen(text) + HEAD, text);
}

/* ---- what the server has ---- */

static bool take_oid(view_t v, char out[GIT_OID_HEX])
{
    if (v.n < GIT_OID_HEX - 1)
        return false;
    memcpy(out, v.p, GIT_OID_HEX - 1);
    out[GIT_OID_HEX - 1] = '\0';
    return git_is_commit(out);
}

static bool stands_for_nothing(const char *oid)
{
    return strspn(oid, "0") == GIT_OID_HEX - 1;
}

static bool begins(view_t v, const char *with)
{
    size_t n = strlen(with);
    return v.n > n && memcmp(v.p, with, n) == 0;
}

/* "<oid> <name>", the first with "\0<capabilities>" behind it. */
static int add_ref(struct pkt_advert *a, view_t line, err_t **err)
{
    struct pkt_ref ref = {};
    if (line.n && line.p[line.n - 1] == '\n')
        line.n--;
    const char *nul = memchr(line.p ? line.p : "", '\0', line.n);
    size_t n = nul ? (size_t)(nul - line.p) : line.n;
    if (!a->capabilities)
        a->capabilities = nul ? xstrndup(nul + 1, line.n - n - 1) : xstrdup("");
    if (!take_oid(line, ref.oid) || n < GIT_OID_HEX + 1 || line.p[GIT_OID_HEX - 1] != ' ')
        return malformed(err);
    AUTO(free_p) char *name = xstrndup(line.p + GIT_OID_HEX, n - GIT_OID_HEX);
    if (stands_for_nothing(ref.oid))
        return 0; /* "capabilities^{}" of an empty repository */
    if (str_has_suffix(name, "^{}")) {
        name[strlen(name) - 3] = '\0';
        if (!a->refs.n || !str_eq(name, a->last))
            return malformed(err);
        memcpy(a->refs.v[a->refs.n - 1].commit, ref.oid, sizeof(ref.oid));
        return 0;
    }
    ref.branch_or_tag = str_has_prefix(name, "refs/heads/") || str_has_prefix(name, "refs/tags/");
    VEC_PUSH(&a->refs, ref);
    free(a->last);
    a->last = TAKE(name);
    return 0;
}

/* One line of what the server has; Git ends it with those that say where its own history is cut. */
static int take_advert(struct pkt_advert *a, view_t line, err_t **err)
{
    a->bytes += line.n;
    if (++a->lines > REFS_MAX || a->bytes > ADVERT_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the list of references is too large");
    return begins(line, "shallow ") ? 0 : add_ref(a, line, err);
}

int pkt_read_advert(struct pkt_reader *r, struct pkt_advert *out, err_t **err)
{
    enum pkt_kind kind;
    view_t line;
    int e = pkt_next(r, &kind, &line, err);
    if (e == 0 && kind == PKT_END)
        return err_set(err, ERR_NOT_FOUND, "repository not found");
    /* Over HTTP a line that names the service and a flush go before it. */
    if (e == 0 && kind == PKT_DATA && begins(line, "# service=")) {
        e = pkt_next(r, &kind, &line, err);
        if (e == 0 && kind != PKT_FLUSH)
            return malformed(err);
        if (e == 0)
            e = pkt_next(r, &kind, &line, err);
    }
    while (e == 0 && kind == PKT_DATA) {
        e = take_advert(out, line, err);
        if (e == 0)
            e = pkt_next(r, &kind, &line, err);
    }
    return e == 0 && kind == PKT_END ? cut_off(err) : e;
}

void pkt_advert_dispose(struct pkt_advert *a)
{
    VEC_FREE(&a->refs);
    free(a->last);
    free(a->capabilities);
    *a = (struct pkt_advert){};
}

bool pkt_capable(const struct pkt_advert *a, const char *word)
{
    view_t rest = view_of(str_or_empty(a->capabilities)), one;
    while (rest.p && view_split(&rest, ' ', &one))
        if (view_eq(one, word))
            return true;
    return false;
}

const char *pkt_find(const struct pkt_advert *a, const char *oid)
{
    const struct pkt_ref *found = NULL;
    const char *what = NULL;
    size_t n = strlen(oid);
    VEC_FOREACH(&a->refs, ref) {
        const char *hit = strncmp(ref->oid, oid, n) == 0      ? ref->oid
                          : strncmp(ref->commit, oid, n) == 0 ? ref->commit
                                                              : NULL;
        if (!hit || (what && strcmp(what, hit) == 0))
            continue;
        if (found)
            return NULL;
        found = ref;
        what = hit;
    }
    return found ? found->oid : NULL;
}

/* ---- where a history is cut ---- */

int pkt_read_shallow(struct pkt_reader *r, shallow_t *set, err_t **err)
{
    for (;;) {
        enum pkt_kind kind;
        view_t line;
        char oid[GIT_OID_HEX];
        int e = pkt_next(r, &kind, &line, err);
        if (e < 0)
            return e;
        if (kind == PKT_FLUSH)
            return 0;
        bool cut = begins(line, "shallow "), uncut = begins(line, "unshallow ");
        size_t skip = uncut ? 10 : 8;
        if (kind == PKT_END || !(cut || uncut))
            return kind == PKT_END ? cut_off(err) : malformed(err);
        if (!take_oid((view_t){line.p + skip, line.n - skip}, oid))
            return malformed(err);
        if (uncut)
            map_del(set, oid);
        else
            map_put(set, oid, set);
        if (set->n > SHALLOW_MAX)
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "the history is cut at too many commits");
    }
}
