/* Events become jansson values without a tree between. A frame per open collection; a value that is complete
 * is put into the frame above. An anchor keeps a reference to its value (and, for a scalar, its form as a
 * key), an alias copies it.
 *
 * goyaml's limits on aliases are kept by counting what it would decode: every node counts once, and again
 * each time an alias expands it. Merges are applied where they stand, so that the last setting of a key wins,
 * whoever made it. */
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/yaml/scalar.h"
#include "common/yaml/source.h"
#include "common/yaml/yaml.h"

enum { DEFAULT_MAX_NODES = 1000000 };

struct anchor {
    json_t *value; /* NULL while its collection is open, and for what JSON cannot say */
    bool scalar;
    bool has_key; /* a scalar that can be a key, which is this: */
    str_t key;
    size_t weight;   /* nodes to decode */
    unsigned height; /* levels of collections */
};

enum expecting { EXPECT_ITEM, EXPECT_KEY, EXPECT_VALUE, EXPECT_MERGE };

struct frame {
    json_t *v; /* owned */
    enum expecting expecting;
    bool flow;
    struct anchor *anchor; /* NULL: none */
    size_t key_at;         /* where its key at hand begins in reader.keys */
    size_t decoded_before;
    unsigned height;
};

/* A complete value on its way into the frame above. */
struct arrival {
    json_t *v; /* owned; NULL for what JSON cannot say */
    yaml_mark_t at;
    unsigned height;
    bool from_alias;
};

struct reader {
    struct source source;
    const struct yaml_options *options;
    size_t max_nodes;
    VEC(struct frame) frames;
    VEC(struct anchor *) anchors;
    map_t by_name; /* k: anchor name, v: struct anchor *, the latest of that name */
    str_t keys;    /* the keys at hand of all frames, one after another */
    str_t scratch;
    json_t *root;
    size_t decoded, from_aliases; /* as goyaml counts */
};

static void reader_dispose(struct reader *r)
{
    VEC_FOREACH(&r->frames, f)
        json_decref(f->v);
    VEC_FREE(&r->frames);
    VEC_FOREACH(&r->anchors, at) {
        struct anchor *a = *at;
        json_decref(a->value);
        str_dispose(&a->key);
        free(a);
    }
    VEC_FREE(&r->anchors);
    map_dispose(&r->by_name);
    str_dispose(&r->keys);
    str_dispose(&r->scratch);
    json_decref(r->root);
    r->root = NULL;
}

static struct frame *top(struct reader *r)
{
    return r->frames.n ? &r->frames.v[r->frames.n - 1] : NULL;
}

/* ---- limits ---- */

/* What share of the decoding may come from aliases: 99% for small documents, down to 10% for large ones. */
static double allowed_share(size_t decoded)
{
    const double low = 400000, high = 4000000;
    if ((double)decoded <= low)
        return 0.99;
    if ((double)decoded >= high)
        return 0.10;
    return 0.99 - 0.89 * (((double)decoded - low) / (high - low));
}

static int count_nodes(struct reader *r, size_t n, size_t from_aliases, yaml_mark_t at, err_t **err)
{
    r->decoded += n;
    r->from_aliases += from_aliases;
    if (r->decoded > r->max_nodes) {
        source_error(at, err, "more than %zu values", r->max_nodes);
        return err_recode(err, ERR_RESOURCE_EXHAUSTED);
    }
    if (r->from_aliases > 100 && r->decoded > 1000 &&
        (double)r->from_aliases / (double)r->decoded > allowed_share(r->decoded))
        return source_error(at, err, "the document consists of aliases for the most part");
    return 0;
}

static int check_depth(struct reader *r, unsigned height, yaml_mark_t at, err_t **err)
{
    if (r->frames.n + height <= JSON_MAX_DEPTH)
        return 0;
    return source_error(at, err, "nested deeper than %d levels", JSON_MAX_DEPTH);
}

/* ---- putting values in place ---- */

static int put_member(struct reader *r, json_t *object, view_t key, json_t *v_take, yaml_mark_t at,
                      err_t **err)
{
    if (r->options->strict_keys && json_object_getn(object, key.p, key.n)) {
        json_decref(v_take);
        return source_error(at, err, "key \"%.*s\" is already set", (int)min_size(key.n, 100), key.p);
    }
    if (json_object_setn_new_nocheck(object, key.p, key.n, v_take))
        oom();
    return 0;
}

static int merge_one(struct reader *r, json_t *object, json_t *from, yaml_mark_t at, err_t **err)
{
    int result = 0;
    if (!json_is_map(from))
        return source_error(at, err, "a merge (<<) takes a mapping or a sequence of mappings");
    for (void *it = json_object_iter(from); it && result == 0; it = json_object_iter_next(from, it)) {
        view_t key = {json_object_iter_key(it), json_object_iter_key_len(it)};
        result = put_member(r, object, key, json_incref(json_object_iter_value(it)), at, err);
    }
    return result;
}

/* The value of a "<<" key: one mapping, or several of which earlier ones take precedence. */
static int merge(struct reader *r, json_t *object, const struct arrival *a, err_t **err)
{
    if (!json_is_array(a->v) || a->from_alias)
        return merge_one(r, object, a->v, a->at, err);
    int result = 0;
    for (size_t i = json_array_size(a->v); i-- > 0 && result == 0;)
        result = merge_one(r, object, json_array_get(a->v, i), a->at, err);
    return result;
}

static int put_value(struct reader *r, struct frame *f, struct arrival *a, err_t **err)
{
    view_t key = {str_text(&r->keys) + f->key_at, r->keys.len - f->key_at};
    int result = put_member(r, f->v, key, a->v, a->at, err);
    str_truncate(&r->keys, f->key_at);
    return result;
}

/* Takes a.v. */
static int arrive(struct reader *r, struct arrival a, err_t **err)
{
    struct frame *f = top(r);
    if (!a.v)
        return source_error(a.at, err, "JSON has no infinities, no NaN, and no malformed base64");
    if (!f) {
        r->root = a.v;
        return 0;
    }
    if (a.height + 1 > f->height)
        f->height = a.height + 1;
    if (f->expecting == EXPECT_ITEM) {
        if (json_array_append_new(f->v, a.v))
            oom();
        return 0;
    }
    int result;
    if (f->expecting == EXPECT_VALUE) {
        result = put_value(r, f, &a, err);
    } else {
        result = merge(r, f->v, &a, err);
        json_decref(a.v);
    }
    f->expecting = EXPECT_KEY;
    return result;
}

static int take_key(struct reader *r, struct frame *f, view_t key)
{
    f->key_at = r->keys.len;
    str_add(&r->keys, key.p, key.n);
    f->expecting = EXPECT_VALUE;
    return 0;
}

/* ---- anchors ---- */

static struct anchor *anchor_new(struct reader *r, const yaml_char_t *name)
{
    if (!name)
        return NULL;
    struct anchor *a = xcalloc(1, sizeof(*a));
    VEC_PUSH(&r->anchors, a);
    map_put(&r->by_name, (const char *)name, a);
    return a;
}

static void anchor_scalar(struct reader *r, const yaml_event_t *e, const struct scalar *s, json_t *value)
{
    struct anchor *a = anchor_new(r, e->data.scalar.anchor);
    if (!a)
        return;
    *a = (struct anchor){.value = json_incref(value), .scalar = true, .weight = 1};
    a->has_key = scalar_key(s, &a->key);
}

static int on_alias(struct reader *r, const yaml_event_t *e, err_t **err)
{
    const char *name = (const char *)e->data.alias.anchor;
    struct anchor *a = map_get(&r->by_name, name);
    struct frame *f = top(r);
    bool is_key = f && f->expecting == EXPECT_KEY;
    if (!a)
        return source_error(e->start_mark, err, "unknown anchor '%.100s'", name);
    if (!a->scalar && !a->value)
        return source_error(e->start_mark, err, "the value of anchor '%.100s' contains itself", name);
    int result = count_nodes(r, 1 + a->weight, a->weight, e->start_mark, err);
    if (result == 0)
        result = check_depth(r, a->height, e->start_mark, err);
    if (result < 0)
        return result;
    if (!is_key)
        return arrive(r, (struct arrival){json_copy_deep(a->value), e->start_mark, a->height, true}, err);
    if (!a->has_key)
        return source_error(e->start_mark, err, "the value of anchor '%.100s' cannot be a key", name);
    return take_key(r, f, (view_t){str_text(&a->key), a->key.len});
}

/* ---- scalars ---- */

static bool is_merge_key(const yaml_event_t *e, view_t text)
{
    const char *tag = (const char *)e->data.scalar.tag;
    return view_eq(text, "<<") &&
           (e->data.scalar.plain_implicit || (tag && strcmp(tag, "tag:yaml.org,2002:merge") == 0));
}

static int resolve(const yaml_event_t *e, view_t text, struct scalar *out, err_t **err)
{
    const char *tag = (const char *)e->data.scalar.tag;
    if (!tag && !e->data.scalar.plain_implicit) {
        *out = (struct scalar){.type = SCALAR_STRING, .text = text};
        return 0;
    }
    if (!tag) {
        scalar_resolve(text, out);
        return 0;
    }
    AUTO_ERR why = NULL;
    if (scalar_resolve_tagged(text, tag, out, &why) == 0)
        return 0;
    return source_error(e->start_mark, err, "%s", err_text(why));
}

static int on_key(struct reader *r, struct frame *f, const yaml_event_t *e, const struct scalar *s,
                  err_t **err)
{
    f->key_at = r->keys.len;
    if (!scalar_key(s, &r->keys))
        return source_error(e->start_mark, err,
                            "null, integers beyond 63 bits and malformed base64 cannot be keys");
    f->expecting = EXPECT_VALUE;
    return 0;
}

static int on_scalar(struct reader *r, const yaml_event_t *e, err_t **err)
{
    struct frame *f = top(r);
    bool is_key = f && f->expecting == EXPECT_KEY;
    view_t text = source_scalar(&r->source, e, &r->scratch);
    struct scalar s;
    int result = source_check_scalar(&r->source, e, f && f->flow, err);
    if (result == 0)
        result = resolve(e, text, &s, err);
    if (result < 0)
        return result;
    json_t *v = is_key && !e->data.scalar.anchor ? NULL : scalar_value(&s);
    anchor_scalar(r, e, &s, v);
    if (is_key && is_merge_key(e, text)) {
        f->expecting = EXPECT_MERGE;
        json_decref(v);
        return 0;
    }
    result = count_nodes(r, 1, 0, e->start_mark, err);
    if (is_key || result < 0) {
        json_decref(v);
        return result < 0 ? result : on_key(r, f, e, &s, err);
    }
    return arrive(r, (struct arrival){.v = v, .at = e->start_mark}, err);
}

/* ---- collections ---- */

static int on_begin(struct reader *r, const yaml_event_t *e, err_t **err)
{
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    struct frame *f = top(r);
    if (f && f->expecting == EXPECT_KEY)
        return source_error(e->start_mark, err, "a mapping or a sequence cannot be a key");
    size_t before = r->decoded;
    int result = check_depth(r, 1, e->start_mark, err);
    if (result == 0)
        result = count_nodes(r, 1, 0, e->start_mark, err);
    if (result < 0)
        return result;
    bool flow = mapping ? e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                        : e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    yaml_char_t *name = mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    VEC_PUSH(&r->frames, (struct frame){.v = mapping ? json_object() : json_array(),
                                        .expecting = mapping ? EXPECT_KEY : EXPECT_ITEM,
                                        .flow = flow,
                                        .anchor = anchor_new(r, name),
                                        .decoded_before = before,
                                        .height = 1});
    if (!top(r)->v)
        oom();
    return 0;
}

static int on_end(struct reader *r, const yaml_event_t *e, err_t **err)
{
    struct frame f = VEC_POP(&r->frames);
    if (f.anchor) {
        f.anchor->value = json_incref(f.v);
        f.anchor->weight = r->decoded - f.decoded_before;
        f.anchor->height = f.height;
    }
    return arrive(r, (struct arrival){.v = f.v, .at = e->start_mark, .height = f.height}, err);
}

static int on_event(struct reader *r, const yaml_event_t *e, err_t **err)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e, err);
    case YAML_ALIAS_EVENT:
        return on_alias(r, e, err);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(r, e, err);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_end(r, e, err);
    default:
        return 0;
    }
}

/* The first document of the source, from the start. */
static int read_document(struct reader *r, err_t **err)
{
    int result = 0;
    bool done = false;
    r->decoded = 1; /* the document itself */
    r->from_aliases = 0;
    source_rewind(&r->source);
    while (!done && result == 0) {
        yaml_event_t e;
        result = source_next(&r->source, &e, err);
        if (result < 0)
            break;
        done = e.type == YAML_DOCUMENT_END_EVENT || e.type == YAML_STREAM_END_EVENT;
        result = on_event(r, &e, err);
        yaml_event_delete(&e);
    }
    return result;
}

int yaml_read(const char *p, size_t n, const struct yaml_options *options, json_t **out, err_t **err)
{
    static const struct yaml_options defaults = {};
    struct reader r = {.options = options ? options : &defaults};
    r.max_nodes = r.options->max_nodes ? r.options->max_nodes : DEFAULT_MAX_NODES;
    int result = source_open(&r.source, p, n, r.options->close_line, err);
    while (result == 0) {
        AUTO_ERR why = NULL;
        result = read_document(&r, &why);
        if (result == 0) {
            *out = r.root ? TAKE(r.root) : json_null();
            break;
        }
        reader_dispose(&r);
        if (!source_patch(&r.source))
            err_move(err, TAKE(why));
        else
            result = 0;
    }
    reader_dispose(&r);
    source_close(&r.source);
    return result;
}
