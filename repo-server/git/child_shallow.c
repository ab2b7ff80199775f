/* Fetching one commit with a part of its history, which libgit2 1.5 cannot: protocol version 0 by hand, over
 * the same transports, all of it in one request. The commit asked for, where our history is cut, how deep it
 * is to be, what we have; the answer is where the history is cut now, one line that acknowledges, and the
 * pack.
 *
 * A server need not give what no reference points to. When it has not said that it would, the whole history
 * is fetched instead: slower, and the commit is found if it is there.
 *
 * Where the history is cut is written before the pack is there to be seen, so that a clone never has a commit
 * whose parents are missing without saying so. */
#include "repo-server/git/child.h"
#include "repo-server/git/shallow.h"
#include "repo-server/git/transport.h"

#include <git2/odb_backend.h>
#include <git2/sys/transport.h>

enum { WHOLE = 0x7fffffff, PACK_HEAD = 12 };

struct client {
    struct git_session *session;
    git_repository *repo;
    git_smart_subtransport *transport;
    git_smart_subtransport_stream *stream;
    struct pkt_advert advert;
    shallow_t shallow;
    struct pkt_reader reader;
};

/* ---- the stream ---- */

static int on_read(void *arg, char *buf, size_t size, size_t *n, err_t **err)
{
    struct client *c = arg;
    if (c->stream->read(c->stream, buf, size, n) < 0)
        return git_child_session_failed(c->session, "fetch", err);
    return 0;
}

static int open_stream(struct client *c, git_smart_service_t service, err_t **err)
{
    git_smart_subtransport_stream *stream = NULL;
    if (c->transport->action(&stream, c->transport, c->session->job->url, service) < 0)
        return git_child_session_failed(c->session, "connect", err);
    /* Where one connection serves both, it is the same. */
    if (c->stream && c->stream != stream)
        c->stream->free(c->stream);
    c->stream = stream;
    c->reader.read = on_read;
    c->reader.arg = c;
    c->reader.have = c->reader.at = 0;
    return 0;
}

static int absent(const struct git_session *s, err_t **err)
{
    return err_set(err, ERR_NOT_FOUND, "commit %s is not in the repository", s->job->want);
}

static int connect_client(struct client *c, err_t **err)
{
    if (git_session_subtransport(&c->transport, c->session) < 0)
        return git_child_session_failed(c->session, "connect", err);
    int r = open_stream(c, GIT_SERVICE_UPLOADPACK_LS, err);
    if (r == 0)
        r = pkt_read_advert(&c->reader, &c->advert, err);
    if (r < 0)
        return r;
    if (!c->advert.refs.n)
        return absent(c->session, err);
    static const char *const needed[] = {"shallow", "side-band-64k"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!pkt_capable(&c->advert, needed[i]))
            return err_set(err, ERR_FAILED_PRECONDITION,
                           "the server cannot send a part of a history (it has no '%s'): set no depth",
                           needed[i]);
    return 0;
}

static void disconnect(struct client *c)
{
    if (c->stream)
        c->stream->free(c->stream);
    if (c->transport) {
        c->transport->close(c->transport);
        c->transport->free(c->transport);
    }
    pkt_advert_dispose(&c->advert);
    map_dispose(&c->shallow);
}

/* ---- the request ---- */

/* The first line says what we understand, too. */
static void add_want(const struct client *c, const char *oid, str_t *out)
{
    static const char *const useful[] = {"thin-pack", "ofs-delta", "no-progress"};
    AUTO_STR words = STR_INIT;
    if (!out->len) {
        str_puts(&words, " side-band-64k");
        for (size_t i = 0; i < ARRAY_LEN(useful); i++)
            if (pkt_capable(&c->advert, useful[i]))
                str_printf(&words, " %s", useful[i]);
    }
    pkt_add(out, "want %s%s\n", oid, str_text(&words));
}

static void add_wants(const struct client *c, const char *want, str_t *out)
{
    map_t seen = {};
    if (want)
        add_want(c, want, out);
    for (size_t i = 0; !want && i < c->advert.refs.n; i++) {
        const struct pkt_ref *ref = &c->advert.refs.v[i];
        if (ref->branch_or_tag && map_put(&seen, ref->oid, out))
            add_want(c, ref->oid, out);
    }
    map_dispose(&seen);
}

static void build_request(const struct client *c, const char *want, int64_t depth, str_t *out)
{
    AUTO(strv_free_p) char **tips = shallow_tips_read(c->session->job->dir);
    add_wants(c, want, out);
    MAP_FOREACH(&c->shallow, e)
        if (git_child_has(c->repo, e->key))
            pkt_add(out, "shallow %s\n", e->key);
    pkt_add(out, "deepen %lld\n", (long long)(depth < WHOLE ? depth : WHOLE));
    str_puts(out, "0000");
    for (size_t i = strv_len(tips); i > 0; i--)
        if (git_is_commit(tips[i - 1]) && git_child_has(c->repo, tips[i - 1]))
            pkt_add(out, "have %s\n", tips[i - 1]);
    pkt_add(out, "done\n");
}

static int send_request(struct client *c, const char *want, int64_t depth, err_t **err)
{
    AUTO_STR request = STR_INIT;
    build_request(c, want, depth, &request);
    int r = open_stream(c, GIT_SERVICE_UPLOADPACK, err);
    if (r == 0 && c->stream->write(c->stream, str_text(&request), request.len) < 0)
        r = git_child_session_failed(c->session, "fetch", err);
    return r;
}

/* ---- the pack ---- */

struct pack {
    struct client *client;
    git_odb_writepack *writer;
    git_indexer_progress progress;
    char head[PACK_HEAD];
    size_t nhead;
    bool ended; /* by the server's flush */
};

static int pack_failed(struct pack *p, err_t **err)
{
    return git_child_failed(ERR_UNAVAILABLE, "the pack cannot be read", err);
}

/* An empty pack is no pack for libgit2. */
static bool is_empty(const struct pack *p)
{
    return p->nhead == PACK_HEAD && memcmp(p->head, "PACK", 4) == 0 &&
           memcmp(p->head + 8, "\0\0\0\0", 4) == 0;
}

static int append(struct pack *p, view_t data, err_t **err)
{
    size_t n = min_size(PACK_HEAD - p->nhead, data.n);
    memcpy(p->head + p->nhead, data.p, n);
    p->nhead += n;
    if (is_empty(p))
        return 0;
    return p->writer->append(p->writer, data.p, data.n, &p->progress) < 0 ? pack_failed(p, err) : 0;
}

/* Band 1 is the pack, 2 is talk for a person, 3 is why there is no more. */
static int take_band(struct pack *p, view_t line, err_t **err)
{
    view_t data = {line.p + 1, line.n - 1};
    switch (*line.p) {
    case 1:
        return data.n ? append(p, data, err) : 0;
    case 2:
        return 0;
    case 3:
        return err_set(err, ERR_UNAVAILABLE, "the server gave up: %.*s", (int)min_size(data.n, 200), data.p);
    }
    return err_set(err, ERR_UNAVAILABLE, "the server's answer is malformed");
}

static bool is_acknowledgement(view_t line)
{
    return line.n >= 4 && (memcmp(line.p, "NAK", 3) == 0 || memcmp(line.p, "ACK ", 4) == 0);
}

static int receive(struct pack *p, err_t **err)
{
    enum pkt_kind kind;
    view_t line;
    int r = pkt_next(&p->client->reader, &kind, &line, err);
    for (; r == 0 && kind == PKT_DATA; r = r < 0 ? r : pkt_next(&p->client->reader, &kind, &line, err)) {
        if (!line.n || (!p->nhead && is_acknowledgement(line)))
            continue;
        r = take_band(p, line, err);
        if (r < 0)
            break;
    }
    if (r == 0 && kind != PKT_FLUSH)
        return err_set(err, ERR_UNAVAILABLE, "the server's answer ends too early");
    return r;
}

static int receive_pack(struct client *c, err_t **err)
{
    struct pack p = {.client = c};
    git_odb *odb = NULL;
    if (git_repository_odb(&odb, c->repo) < 0 || git_odb_write_pack(&p.writer, odb, NULL, NULL) < 0) {
        git_odb_free(odb);
        return git_child_failed(ERR_INTERNAL, "write the pack", err);
    }
    int r = receive(&p, err);
    if (r == 0)
        r = shallow_write(c->session->job->dir, &c->shallow, err);
    if (r == 0 && !is_empty(&p) && p.writer->commit(p.writer, &p.progress) < 0)
        r = pack_failed(&p, err);
    p.writer->free(p.writer);
    git_odb_free(odb);
    return r;
}

/* ---- one fetch ---- */

/* want NULL: all branches and tags. */
static int exchange(struct client *c, const char *want, int64_t depth, err_t **err)
{
    int r = send_request(c, want, depth, err);
    if (r == 0)
        r = pkt_read_shallow(&c->reader, &c->shallow, err);
    return r < 0 ? r : receive_pack(c, err);
}

static int fetch_whole(struct git_session *s, struct client *c, err_t **err)
{
    int r = exchange(c, NULL, WHOLE, err);
    if (r == 0 && !git_child_has(c->repo, s->job->want))
        return absent(s, err);
    return r < 0 ? r : shallow_tips_add(s->job->dir, s->job->want, err);
}

static int fetch_commit(struct git_session *s, struct client *c, err_t **err)
{
    const char *want = s->job->want, *advertised = pkt_find(&c->advert, want);
    bool full = git_is_commit(want);
    if (!advertised && !full)
        return err_set(
            err, ERR_NOT_FOUND,
            "%s abbreviates no tip of a branch or tag, and of others the depth is cut off: give the "
            "commit in full",
            want);
    if (!advertised && !pkt_capable(&c->advert, "allow-reachable-sha1-in-want"))
        return fetch_whole(s, c, err);
    int r = exchange(c, advertised ? advertised : want, s->job->depth, err);
    if (r == -ERR_NOT_FOUND || (r == 0 && full && !git_child_has(c->repo, want)))
        return absent(s, err);
    return r < 0 ? r : shallow_tips_add(s->job->dir, full ? want : advertised, err);
}

int git_child_shallow(struct git_session *s, err_t **err)
{
    struct client *c = xcalloc(1, sizeof(*c));
    c->session = s;
    int r = str_empty(s->job->want) ? err_set(err, ERR_INVALID_ARGUMENT, "the job wants no commit")
                                    : git_child_open(s->job->dir, &c->repo, err);
    if (r == 0)
        shallow_read(s->job->dir, &c->shallow);
    if (r == 0 && !(git_is_commit(s->job->want) && git_child_has(c->repo, s->job->want))) {
        r = connect_client(c, err);
        if (r == 0)
            r = fetch_commit(s, c, err);
    }
    disconnect(c);
    git_repository_free(c->repo);
    free(c);
    return r;
}
