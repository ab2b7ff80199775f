#include "tests/kubesim/format.h"

#include <stdio.h>

static const char meta_version[] = "meta.k8s.io/v1", partial_kind[] = "PartialObjectMetadata";

/* One media range: its type, and the parameters as, g and v. */
static enum accept accept_one(view_t range)
{
    view_t part, type;
    view_split(&range, ';', &type);
    type = view_trim(type);
    enum accept result = ACCEPT_FULL;
    while (view_split(&range, ';', &part)) {
        part = view_trim(part);
        if (part.n > 3 && memcmp(part.p, "as=", 3) == 0)
            result = view_eq(part, "as=PartialObjectMetadata")       ? ACCEPT_PARTIAL
                     : view_eq(part, "as=PartialObjectMetadataList") ? ACCEPT_PARTIAL_LIST
                                                                     : ACCEPT_NONE;
    }
    bool json = view_eq(type, "application/json") || view_eq(type, "application/*") || view_eq(type, "*/*");
    return json ? result : ACCEPT_NONE;
}

enum accept accept_parse(const char *header)
{
    view_t rest = view_of(header), range;
    if (str_empty(header))
        return ACCEPT_FULL;
    while (view_split(&rest, ',', &range)) {
        enum accept a = accept_one(range);
        if (a != ACCEPT_NONE)
            return a;
    }
    return ACCEPT_NONE;
}

struct format format_new(const struct endpoint *e, bool partial)
{
    return (struct format){.api_version = endpoint_api_version(e),
                           .kind = xstrdup(e->resource->kind),
                           .list_kind = xstrdup(e->resource->list_kind),
                           .custom = (e->resource->flags & R_CUSTOM) != 0,
                           .partial = partial,
                           .from_stored = e->from_stored};
}

void format_dispose(struct format *f)
{
    free(f->api_version);
    free(f->kind);
    free(f->list_kind);
    *f = (struct format){};
}

static void put_type(const struct format *f, str_t *out)
{
    if (f->partial)
        str_printf(out, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", partial_kind, meta_version);
    else if (f->custom)
        str_printf(out, "\"apiVersion\":\"%s\",\"kind\":\"%s\",", f->api_version, f->kind);
    else
        str_printf(out, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", f->kind, f->api_version);
}

static void put_meta(const struct format *f, view_t meta, str_t *out)
{
    str_putc(out, '{');
    put_type(f, out);
    str_puts(out, "\"metadata\":");
    str_add(out, meta.p, meta.n);
    str_putc(out, '}');
}

static void put_converted(const struct format *f, const struct blob *b, bool typed, str_t *out)
{
    json_t *o = blob_read(b, f->api_version, f->kind);
    f->from_stored(o);
    if (!typed) {
        json_object_del(o, "apiVersion");
        json_object_del(o, "kind");
    }
    json_write(o, JSON_GO, out);
    json_decref(o);
}

void format_object(const struct format *f, const struct blob *b, bool typed, str_t *out)
{
    view_t json = blob_json(b);
    if (f->partial) {
        put_meta(f, blob_meta(b), out);
    } else if (f->from_stored) {
        put_converted(f, b, typed, out);
    } else if (typed) {
        str_putc(out, '{');
        put_type(f, out);
        str_add(out, json.p + 1, json.n - 1);
    } else {
        str_add(out, json.p, json.n);
    }
}

void format_document(const struct format *f, const json_t *object, str_t *out)
{
    if (f->partial && json_str_at(object, "metadata", "uid")) {
        AUTO(free_p) char *meta = json_text(json_object_get(object, "metadata"), JSON_GO);
        put_meta(f, view_of(meta), out);
    } else {
        json_write(object, JSON_GO, out);
    }
}

char *format_list_meta(const struct format *f, uint64_t rv, const char *continue_token, int64_t remaining)
{
    AUTO_STR out = STR_INIT;
    bool sorted = f->custom && !f->partial;
    str_putc(&out, '{');
    if (sorted)
        str_printf(&out, "\"continue\":\"%s\",", str_or_empty(continue_token));
    if (sorted && remaining >= 0)
        str_printf(&out, "\"remainingItemCount\":%lld,", (long long)remaining);
    str_printf(&out, "\"resourceVersion\":\"%llu\"", (unsigned long long)rv);
    if (!sorted && !str_empty(continue_token))
        str_printf(&out, ",\"continue\":\"%s\"", continue_token);
    if (!sorted && remaining >= 0)
        str_printf(&out, ",\"remainingItemCount\":%lld", (long long)remaining);
    str_putc(&out, '}');
    return str_take(&out);
}

/* Lists of custom resources have their fields in byte order, the items before the metadata. */
void format_list_head(const struct format *f, const char *meta, str_t *out)
{
    if (f->partial)
        str_printf(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
                   partial_kind, meta_version, meta);
    else if (f->custom)
        str_printf(out, "{\"apiVersion\":\"%s\",\"items\":[", f->api_version);
    else
        str_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[", f->list_kind,
                   f->api_version, meta);
}

void format_list_tail(const struct format *f, const char *meta, str_t *out)
{
    if (f->partial || !f->custom)
        str_puts(out, "]}\n");
    else
        str_printf(out, "],\"kind\":\"%s\",\"metadata\":%s}\n", f->list_kind, meta);
}

void format_event(const struct format *f, const char *type, const struct blob *b, uint64_t rv, str_t *out)
{
    struct blob *renamed = NULL;
    if (rv) {
        json_t *o = blob_read(b, "", "");
        b = renamed = blob_new(o, rv);
        json_decref(o);
    }
    str_printf(out, "{\"type\":\"%s\",\"object\":", type);
    format_object(f, b, true, out);
    str_puts(out, "}\n");
    blob_unref(renamed);
}

void format_bookmark(const struct format *f, uint64_t rv, str_t *out)
{
    str_puts(out, "{\"type\":\"BOOKMARK\",\"object\":{");
    put_type(f, out);
    str_printf(out, "\"metadata\":{\"resourceVersion\":\"%llu\",\"creationTimestamp\":null}}}\n",
               (unsigned long long)rv);
}
