#include "repo-server/jsonnet/frame.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { TICK_MS = 100 };

static int wait_for(int fd, short events, const struct jsonnet_options *o, err_t **err)
{
    for (;;) {
        struct pollfd p = {fd, events, 0};
        int64_t left = mono_left(o->deadline) / (NS_PER_SEC / 1000);
        if (o->canceled && atomic_load_explicit(o->canceled, memory_order_relaxed))
            return err_set(err, ERR_CANCELED, "canceled");
        if (left <= 0)
            return err_set(err, ERR_DEADLINE_EXCEEDED, "timeout");
        int n = poll(&p, 1, left < TICK_MS ? (int)left + 1 : TICK_MS);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "wait for the evaluation");
    }
}

static int ended(err_t **err)
{
    return err_set(err, ERR_RESOURCE_EXHAUSTED,
                   "the evaluation ended early: it crashed or needs more memory than is allowed");
}

static int write_all(int fd, const char *p, size_t n, const struct jsonnet_options *o, err_t **err)
{
    while (n) {
        int r = wait_for(fd, POLLOUT, o, err);
        if (r < 0)
            return r;
        /* No more than a pipe takes at once when it is writable, so that the deadline holds. */
        ssize_t w = write(fd, p, min_size(n, 4096));
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return ended(err);
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int frame_write(int fd, enum frame_type type, const char *p, size_t n, const struct jsonnet_options *o,
                err_t **err)
{
    if (n > FRAME_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d bytes", FRAME_MAX);
    char head[5] = {(char)type, (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24)};
    int r = write_all(fd, head, sizeof(head), o, err);
    return r < 0 ? r : write_all(fd, p, n, o, err);
}

static int read_all(int fd, char *p, size_t n, const struct jsonnet_options *o, err_t **err)
{
    while (n) {
        int r = wait_for(fd, POLLIN, o, err);
        if (r < 0)
            return r;
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ended(err);
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

int frame_read(int fd, char *type, str_t *out, const struct jsonnet_options *o, err_t **err)
{
    unsigned char head[5];
    int r = read_all(fd, (char *)head, sizeof(head), o, err);
    if (r < 0)
        return r;
    size_t n = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    if (n > FRAME_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the result has more than %d bytes", FRAME_MAX);
    *type = (char)head[0];
    str_reset(out);
    char *to = str_reserve(out, n + 1);
    if (!to)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the result is too large");
    r = read_all(fd, to, n, o, err);
    if (r == 0) {
        to[n] = '\0';
        out->len = n;
    }
    return r;
}
