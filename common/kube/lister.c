/* Design. One page is one transfer, whose items are handed on while it arrives. Between pages: the rate limit
 * and the identity, either of which may make it wait. A page whose continue token has expired (410) starts
 * the list over, the second time without pages, so that a list which takes longer than the server's memory of
 * it comes to an end.
 *
 * The lister is held by its owner, by its transfer, and by what it posted; `canceled` is all that those need
 * to know. */
#include "common/kube/lister.h"
#include "common/base/intern.h"
#include "common/json/scan.h"
#include "common/kube/event.h"
#include "common/kube/status.h"

enum {
    MAX_OBJECT = 32 << 20,
    MAX_ERROR_BODY = 64 << 10,
    PAGE = 500,
    LEAST_OBJECT = 64 << 10,
    MAX_PAGE_SECONDS = 600,
    MAX_RESTARTS = 2,
    MAX_THROTTLED = 3,
    LONGEST_THROTTLE_SECONDS = 10
};

struct kube_lister {
    unsigned refs;
    struct kube_core *core;
    struct kube_who *who;
    struct kube_resource resource;
    struct kube_list what;
    struct kube_lister_ops ops;
    void *arg;
    bool canceled, ended;
    err_t *bad; /* what is wrong with the bytes at hand */

    struct kube_waiter waiter; /* for the identity */
    http_transfer_t *transfer;
    struct json_list items;
    str_t prefix, object; /* apiVersion and kind for bare items */
    char *token, *resource_version;
    unsigned restarts, throttled;
    bool refreshed; /* the identity, after a 401 */
    uint64_t generation;
    mono_t since;
    int status, user_result;
    str_t head, error_body;
};

/* ---- copies ---- */

void kube_resource_copy(struct kube_resource *to, const struct kube_resource *from)
{
    *to = *from;
    to->group = intern(str_or_empty(from->group));
    to->version = intern(from->version);
    to->kind = intern(from->kind);
    to->plural = intern(from->plural);
    to->singular = intern(str_or_empty(from->singular));
    to->subresources = intern(str_or_empty(from->subresources));
}

void kube_resource_dispose(struct kube_resource *r)
{
    intern_unref(r->group);
    intern_unref(r->version);
    intern_unref(r->kind);
    intern_unref(r->plural);
    intern_unref(r->singular);
    intern_unref(r->subresources);
    *r = (struct kube_resource){};
}

void kube_list_copy(struct kube_list *to, const struct kube_list *from)
{
    *to = *from;
    to->ns = xstrdup(from->ns);
    to->label_selector = xstrdup(from->label_selector);
    to->field_selector = xstrdup(from->field_selector);
    to->page_size = from->page_size ? from->page_size : PAGE;
    to->max_object = from->max_object ? from->max_object : MAX_OBJECT;
}

void kube_list_dispose(struct kube_list *l)
{
    free((char *)(uintptr_t)l->ns);
    free((char *)(uintptr_t)l->label_selector);
    free((char *)(uintptr_t)l->field_selector);
    *l = (struct kube_list){};
}

const char *kube_accept(bool metadata_only, bool list)
{
    if (!metadata_only)
        return "Accept: application/json";
    return list ? "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
                : "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
}

/* ---- life ---- */

static void begin_page(kube_lister_t *l);

static void unref(kube_lister_t *l)
{
    if (--l->refs)
        return;
    kube_resource_dispose(&l->resource);
    kube_list_dispose(&l->what);
    json_list_dispose(&l->items);
    str_dispose(&l->prefix);
    str_dispose(&l->object);
    str_dispose(&l->head);
    str_dispose(&l->error_body);
    free(l->token);
    free(l->resource_version);
    err_free(l->bad);
    kube_who_unref(l->who);
    kube_core_unref(l->core);
    free(l);
}

void kube_lister_release(kube_lister_t *l)
{
    if (l)
        unref(l);
}

void kube_lister_cancel(kube_lister_t *l)
{
    if (!l || l->canceled)
        return;
    l->canceled = true;
    kube_unwait(&l->waiter);
    if (l->transfer)
        http_cancel(l->transfer);
}

static void finish(kube_lister_t *l, const struct kube_failure *failure, err_t *err)
{
    if (l->canceled || l->ended)
        return;
    l->ended = true;
    l->ops.on_done(l->arg, str_or_empty(l->resource_version), failure, err);
}

/* Ends without an answer, or without a whole one. */
static void finish_unanswered(kube_lister_t *l, err_t *err)
{
    const struct kube_failure none = {};
    err_wrap(&err, "list %s", l->resource.plural);
    finish(l, &none, err);
    err_free(err);
}

/* ---- a page's answer ---- */

/* An item without apiVersion and kind gets those of its list. Items of PartialObjectMetadata lists are that.
 */
static int hand_on(void *arg, const char *p, size_t n)
{
    kube_lister_t *l = arg;
    if (kube_object_is_bare(p, n)) {
        str_reset(&l->object);
        str_add(&l->object, str_text(&l->prefix), l->prefix.len);
        const char *inside = (const char *)memchr(p, '{', n) + 1;
        str_add(&l->object, inside, n - (size_t)(inside - p));
        p = str_text(&l->object);
        n = l->object.len;
    }
    l->user_result = l->ops.on_item(l->arg, p, n);
    return l->user_result < 0 ? l->user_result : 0;
}

static int take_field(void *arg, const char *key, const char *p, size_t n)
{
    kube_lister_t *l = arg;
    if (strcmp(key, "metadata") != 0)
        return 0;
    AUTO_JSON metadata = NULL;
    if (json_read(p, n, &metadata, NULL) < 0)
        return 0;
    free(l->token);
    free(l->resource_version);
    const char *token = json_str_at(metadata, "continue");
    l->token = str_empty(token) ? NULL : xstrdup(token);
    l->resource_version = xstrdup(json_str_at(metadata, "resourceVersion"));
    return 0;
}

static int on_head(void *arg, int status, const str_t *headers)
{
    kube_lister_t *l = arg;
    l->status = status;
    str_reset(&l->head);
    str_add(&l->head, str_text(headers), headers->len);
    str_reset(&l->error_body);
    return 0;
}

static int on_data(void *arg, const char *p, size_t n)
{
    kube_lister_t *l = arg;
    if (l->canceled)
        return -ERR_CANCELED;
    if (l->status >= 300) {
        str_add(&l->error_body, p, min_size(n, MAX_ERROR_BODY - l->error_body.len));
        return 0;
    }
    err_clear(&l->bad);
    return json_list_feed(&l->items, p, n, &l->bad);
}

static void again(void *arg)
{
    kube_lister_t *l = arg;
    if (!l->canceled && !l->ended)
        begin_page(l);
    unref(l);
}

static void again_after(kube_lister_t *l, int64_t delay_ns)
{
    l->refs++;
    http_post(l->core->options.io, delay_ns, again, l);
}

static bool start_over(kube_lister_t *l)
{
    if (l->restarts >= MAX_RESTARTS || !l->ops.on_restart(l->arg))
        return false;
    l->restarts++;
    free(TAKE(l->token));
    again_after(l, 0);
    return true;
}

static void page_refused(kube_lister_t *l)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *what = xasprintf("list %s", l->resource.plural);
    if (l->status == 401 && !l->refreshed && kube_auth_rejected(l->core->auth, l->generation)) {
        l->refreshed = true;
        again_after(l, 0);
        return;
    }
    if (l->status == 410 && l->token && start_over(l))
        return;
    int64_t after = kube_retry_after(&l->head);
    if ((l->status == 429 || l->status == 503) && after && after <= SECONDS(LONGEST_THROTTLE_SECONDS) &&
        l->throttled++ < MAX_THROTTLED) {
        again_after(l, after);
        return;
    }
    struct kube_failure failure = {};
    kube_status_error(l->status, &l->head, str_text(&l->error_body), l->error_body.len, what, &failure, &err);
    finish(l, &failure, err);
    kube_failure_dispose(&failure);
}

static void page_complete(kube_lister_t *l)
{
    err_t *err = NULL;
    if (json_list_end(&l->items, &err) < 0)
        finish_unanswered(l, err);
    else if (l->token)
        again_after(l, 0);
    else
        finish(l, NULL, NULL);
}

/* What the transfer ended with, as the caller's copy; NULL when the answer came whole. */
static err_t *end_of_transfer(kube_lister_t *l, err_t *err)
{
    err_t *why = TAKE(l->bad);
    if (l->user_result < 0)
        err_set(&why, (enum err_code) - l->user_result, "ended by its reader");
    return why ? why : err_copy(err);
}

static void on_done(void *arg, err_t *err)
{
    kube_lister_t *l = arg;
    struct kube_core *c = l->core;
    http_transfer_release(TAKE(l->transfer));
    if (!l->canceled) {
        kube_observe(c, "GET", "List", l->status, l->since);
        err_t *why = end_of_transfer(l, err);
        if (why)
            finish_unanswered(l, why);
        else if (l->status >= 300)
            page_refused(l);
        else
            page_complete(l);
    }
    kube_core_leave(c);
    unref(l);
}

/* ---- a page's request ---- */

static char *page_url(kube_lister_t *l)
{
    AUTO(free_p) char *path = kube_path(&l->resource, l->what.ns, NULL, NULL);
    AUTO(free_p) char *limit = xasprintf("%lld", (long long)l->what.page_size);
    str_t url = STR_INIT;
    str_printf(&url, "%s%s", l->core->server, path);
    kube_query_add(&url, "labelSelector", l->what.label_selector);
    kube_query_add(&url, "fieldSelector", l->what.field_selector);
    kube_query_add(&url, "limit", l->restarts < MAX_RESTARTS ? limit : NULL);
    kube_query_add(&url, "continue", l->token);
    return str_take(&url);
}

static void send_page(kube_lister_t *l, const struct kube_identity *who)
{
    static const struct http_stream_ops ops = {on_head, on_data, on_done};
    struct kube_headers headers = {};
    kube_headers_add(&headers, xstrdup(kube_accept(l->what.metadata_only, true)));
    kube_headers_finish(&headers, l->who, who);
    AUTO(free_p) char *url = page_url(l);
    struct http_request request = {
        .url = url,
        .endpoint = who->endpoint,
        .headers = (const char *const *)headers.lines.v,
        .lane = HTTP_LANE_LIST,
        .timeout_ns = SECONDS(MAX_PAGE_SECONDS),
        .idle_timeout_ns = l->what.silence_ns ? l->what.silence_ns : l->core->options.timeout_ns,
    };
    json_list_dispose(&l->items);
    json_list_init(&l->items,
                   max_size(l->what.max_object, LEAST_OBJECT)); /* the list's own metadata must fit */
    l->items.on_item = hand_on;
    l->items.on_field = take_field;
    l->items.arg = l;
    l->items.skip_oversized = true;
    l->status = 0;
    l->generation = who->generation;
    l->since = mono_now();
    l->refs++;
    kube_core_enter(l->core);
    l->transfer = http_start(l->core->options.io, &request, &ops, l);
    kube_headers_dispose(&headers);
}

static void identified(struct kube_waiter *w)
{
    kube_lister_t *l = CONTAINER_OF(w, kube_lister_t, waiter);
    AUTO_ERR err = NULL;
    struct kube_identity who;
    l->status = 0;
    if (kube_auth_get(l->core->auth, &who, &err) < 0) {
        const struct kube_failure nobody = {.http_status = 401};
        finish(l, &nobody, err);
        return;
    }
    send_page(l, &who);
    kube_identity_dispose(&who);
}

static void my_turn(void *arg)
{
    kube_lister_t *l = arg;
    if (!l->canceled)
        kube_identity_await(l->core, &l->waiter);
    unref(l);
}

static void begin_page(kube_lister_t *l)
{
    int64_t wait = 0;
    kube_limit_take(&l->core->limit, INT64_MAX, &wait);
    l->refs++;
    http_post(l->core->options.io, wait, my_turn, l);
}

kube_lister_t *kube_lister_start(struct kube_core *c, struct kube_who *who, const struct kube_resource *r,
                                 const struct kube_list *what, const struct kube_lister_ops *ops, void *arg)
{
    kube_lister_t *l = xcalloc(1, sizeof(*l));
    l->refs = 1;
    l->core = kube_core_ref(c);
    l->who = kube_who_ref(who);
    kube_resource_copy(&l->resource, r);
    kube_list_copy(&l->what, what);
    l->ops = *ops;
    l->arg = arg;
    l->waiter.go = identified;
    l->error_body = (str_t)STR_MAX(MAX_ERROR_BODY);
    json_list_init(&l->items, LEAST_OBJECT);
    str_printf(&l->prefix, "{\"apiVersion\":\"%s%s%s\",\"kind\":\"%s\",", l->resource.group,
               *l->resource.group ? "/" : "", l->resource.version, l->resource.kind);
    begin_page(l);
    return l;
}
