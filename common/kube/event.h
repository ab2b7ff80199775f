/* A watch's stream: JSON values one after the other, each an event. */
#ifndef CARGOCD_KUBE_EVENT_H
#define CARGOCD_KUBE_EVENT_H

#include "common/base/str.h"

/* Splits a stream that arrives in pieces of any size into its top-level objects, whatever stands between
 * them. */
struct kube_stream {
    int (*on_value)(void *arg, const char *p, size_t n); /* non-zero ends the feeding with that value */
    void *arg;
    size_t max; /* of a value; longer ones are left out and counted */
    size_t skipped;
    /* private */
    str_t buf;
    unsigned depth;
    bool in_string, escape, skipping;
};
void kube_stream_init(struct kube_stream *s, size_t max);
int kube_stream_feed(struct kube_stream *s, const char *p, size_t n);
void kube_stream_dispose(struct kube_stream *s);

enum kube_event_type {
    KUBE_EV_ADDED,
    KUBE_EV_MODIFIED,
    KUBE_EV_DELETED,
    KUBE_EV_BOOKMARK,
    KUBE_EV_ERROR,
    KUBE_EV_OTHER
};
struct kube_event_view {
    enum kube_event_type type;
    view_t object;              /* views into the text */
    char resource_version[128]; /* "" when there is none */
};
/* False when the text is no event. */
bool kube_event_read(const char *p, size_t n, struct kube_event_view *out);

/* Objects of typed lists come without apiVersion and kind. Whether these must be put in, judged by the first
 * key: a server that writes them writes one of them first. */
bool kube_object_is_bare(const char *p, size_t n);

#endif
