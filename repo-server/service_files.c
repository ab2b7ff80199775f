/* GenerateManifestWithFiles: as GenerateManifest, of an archive that the caller sends instead of a commit. */
#include "common/base/file.h"
#include "common/base/hash.h"
#include "repo-server/artifact/pack.h"
#include "repo-server/repo.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

typedef Cargocd__Repo__GenerateManifestWithFilesRequest message_t;

enum { MAX_TAR = 100 << 20, MAX_EXTRACTED = 1 << 30 };

/* The message that came; q->in is the request inside of it. */
static const message_t *outer(const struct request *q)
{
    const struct generate *g = q->data;
    return g->outer;
}

static int check_archive(const repo_t *r, const message_t *m, err_t **err)
{
    char hex[SHA256_HEX];
    uint64_t max = r->options.max_streamed_tar ? r->options.max_streamed_tar : MAX_TAR;
    if (!m->request || !m->request->repo)
        return err_set(err, ERR_INVALID_ARGUMENT, "the request names no application");
    if (m->archive.len > max)
        return err_set(err, ERR_INVALID_ARGUMENT, "file exceeded max size of %llu bytes",
                       (unsigned long long)max);
    sha256_hex(m->archive.data, m->archive.len, hex);
    return strcmp(hex, m->checksum) == 0
               ? 0
               : err_set(err, ERR_INVALID_ARGUMENT, "calculated checksum does not match the archive's");
}

static int unpack(const struct request *q, const char *path, err_t **err)
{
    const message_t *m = outer(q);
    const repo_t *r = q->repo;
    AUTO(close_p) int fd = memfd_create("streamed", MFD_CLOEXEC);
    struct pack_options options = {.max_bytes = r->options.max_streamed ? r->options.max_streamed
                                                                        : MAX_EXTRACTED};
    for (size_t at = 0; fd >= 0 && at < m->archive.len;) {
        ssize_t n = write(fd, m->archive.data + at, m->archive.len - at);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "keep the archive");
        at += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set_errno(err, errno, "keep the archive");
    return pack_make(fd, path, &options, err);
}

static int take_files(struct request *q, err_t **err)
{
    struct generate *g = q->data;
    const message_t *m = outer(q);
    AUTO(free_p) char *dir = NULL;
    int r = check_archive(q->repo, m, err);
    if (r == 0)
        r = message_source(&m->request->source, &g->source, err);
    if (r == 0)
        r = dir_make_temp(q->repo->scratch, "streamed-", &dir, err);
    if (r < 0)
        return r;
    g->streamed = xstrdup(dir);
    AUTO(free_p) char *path = xasprintf("%s/pack", dir);
    r = unpack(q, path, err);
    if (r < 0)
        return r;
    struct target t = {.name = "", .revision = "", .streamed = true, .pack = xstrdup(path)};
    memcpy(t.commit, m->checksum, SHA256_HEX);
    VEC_PUSH(&q->targets, t);
    return generate_refs(q, err);
}

static void begin(void *arg)
{
    struct request *q = arg;
    AUTO_ERR err = NULL;
    if (take_files(q, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}

void serve_generate_with_files(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const message_t *m = (const message_t *)in;
    struct request *q = request_new(ctx, call, m->request ? &m->request->base : in,
                                    "GenerateManifestWithFiles", generate_ready);
    generate_init(q);
    ((struct generate *)q->data)->outer = m;
    request_work(q, begin);
}
