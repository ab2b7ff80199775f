/* The archive goes to a file as it comes, hashed on the way; it is unpacked when it is whole and its checksum
 * fits, into a directory that is gone when the call is. */
#include "cmp-server/service.h"
#include "common/base/file.h"
#include "common/base/tgz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { DIR_MAX = 4096 };
#define ARCHIVE_MAX   ((uint64_t)8 << 30)
#define EXTRACTED_MAX ((uint64_t)32 << 30)

struct receipt {
    Plugin__ManifestRequestMetadata *meta;
    int fd;
    uint64_t size;
    sha256_ctx_t *hash;
};

static struct receipt *receipt_of(void **state)
{
    if (!*state) {
        struct receipt *r = xcalloc(1, sizeof(*r));
        r->fd = -1;
        *state = r;
    }
    return *state;
}

void receive_free(void *state)
{
    struct receipt *r = state;
    unsigned char ignored[SHA256_SIZE];
    if (r->hash)
        sha256_end(r->hash, ignored);
    if (r->meta)
        plugin__manifest_request_metadata__free_unpacked(r->meta, NULL);
    close_p(&r->fd);
    free(r);
}

static int begin(const struct service *s, struct receipt *r, Plugin__AppStreamRequest *m, err_t **err)
{
    if (m->request_case != PLUGIN__APP_STREAM_REQUEST__REQUEST_METADATA || !m->metadata)
        return err_set(err, ERR_UNKNOWN,
                       "error receiving stream: error getting stream metadata: metadata is nil");
    r->meta = TAKE(m->metadata);
    m->request_case = PLUGIN__APP_STREAM_REQUEST__REQUEST__NOT_SET;
    r->hash = sha256_begin();
    r->fd = open(s->work, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (r->fd < 0) { /* a file system without unnamed files */
        AUTO(free_p) char *path = xasprintf("%s/archive-XXXXXX", s->work);
        r->fd = mkostemp(path, O_CLOEXEC);
        if (r->fd >= 0)
            unlink(path);
    }
    return r->fd < 0 ? err_set_errno(err, errno, "make a file for the archive") : 0;
}

static int take_chunk(struct receipt *r, const ProtobufCBinaryData *chunk, err_t **err)
{
    r->size += chunk->len;
    if (r->size > ARCHIVE_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the archive is too large");
    sha256_add(r->hash, chunk->data, chunk->len);
    for (size_t at = 0; at < chunk->len;) {
        ssize_t n = write(r->fd, chunk->data + at, chunk->len - at);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "write the archive");
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int receive_message(const struct grpc_call_info *call, void **state, const char *p, size_t n, err_t **err)
{
    struct receipt *r = receipt_of(state);
    Plugin__AppStreamRequest *m = plugin__app_stream_request__unpack(NULL, n, (const uint8_t *)p);
    int e;
    if (!m)
        return err_set(err, ERR_INVALID_ARGUMENT, "the request is malformed");
    if (!r->meta)
        e = begin(call->ctx, r, m, err);
    else if (m->request_case != PLUGIN__APP_STREAM_REQUEST__REQUEST_FILE || !m->file)
        e = err_set(err, ERR_UNKNOWN, "error receiving stream: stream request file is nil");
    else
        e = take_chunk(r, &m->file->chunk, err);
    plugin__app_stream_request__free_unpacked(m, NULL);
    return e;
}

void source_dispose(struct source *s)
{
    if (s->dir)
        dir_remove(s->dir, NULL);
    free(s->dir);
    free(s->app);
    *s = (struct source){};
}

/* The real path of the application, which links of the archive must not have led out. */
static int find_app(struct source *s, err_t **err)
{
    const char *rel = str_or_empty(s->meta->app_rel_path);
    AUTO(free_p) char *path = xasprintf("%s/%s", s->dir, rel);
    char real[DIR_MAX], root[DIR_MAX];
    if (strlen(path) >= DIR_MAX || !realpath(s->dir, root) || !realpath(path, real))
        return err_set(err, ERR_UNKNOWN, "%s: app path does not exist", rel);
    size_t n = strlen(root);
    if (strncmp(real, root, n) != 0 || (real[n] && real[n] != '/'))
        return err_set(err, ERR_UNKNOWN, "illegal appPath: out of workDir bound");
    s->app = xstrdup(real);
    return 0;
}

int receive_unpack(const struct service *s, void *state, struct source *out, err_t **err)
{
    struct receipt *r = state;
    char checksum[SHA256_HEX];
    if (!r || !r->meta)
        return err_set(err, ERR_UNKNOWN, "error receiving stream: error receiving stream header: EOF");
    sha256_end_hex(TAKE(r->hash), checksum);
    if (strcmp(checksum, str_or_empty(r->meta->checksum)) != 0)
        return err_set(err, ERR_UNKNOWN,
                       "error receiving stream: error receiving tgz file: file checksum validation error");
    struct tgz_extract_options options = {s->config->keep_modes, EXTRACTED_MAX};
    struct source src = {.meta = r->meta};
    int e = dir_make_temp(s->work, "call-", &src.dir, err);
    if (e == 0 && lseek(r->fd, 0, SEEK_SET) < 0)
        e = err_set_errno(err, errno, "read the archive");
    if (e == 0 && (e = tgz_extract(r->fd, src.dir, &options, err)) < 0)
        err_wrap(err, "error receiving stream: error decompressing tgz file");
    close_p(&r->fd);
    if (e == 0)
        e = find_app(&src, err);
    if (e < 0)
        source_dispose(&src);
    else
        *out = src;
    return e;
}
