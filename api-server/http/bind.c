#include "api-server/http/bind.h"

#include "api-server/http/message.h"
#include "common/base/enc.h"

/* ---- queries ---- */

int query_parse(const char *raw, query_t *out, err_t **err)
{
    view_t rest = view_of(raw), part;
    while (view_split(&rest, '&', &part)) {
        if (!part.n)
            continue;
        AUTO_STR key = STR_INIT;
        AUTO_STR value = STR_INIT;
        const char *eq = memchr(part.p, '=', part.n);
        view_t k = {part.p, eq ? (size_t)(eq - part.p) : part.n};
        view_t v = eq ? (view_t){eq + 1, part.n - k.n - 1} : view_of("");
        if (memchr(part.p, ';', part.n))
            return err_set(err, ERR_INVALID_ARGUMENT, "invalid semicolon separator in query");
        if (!url_unescape(k, true, &key) || !url_unescape(v, true, &value) ||
            strlen(str_text(&key)) != key.len || strlen(str_text(&value)) != value.len)
            return err_set(err, ERR_INVALID_ARGUMENT, "invalid URL escape in query");
        if (out->n == QUERY_MAX_ITEMS)
            return err_set(err, ERR_INVALID_ARGUMENT, "too many parameters in query");
        VEC_PUSH(out, (struct query_item){str_take(&key), str_take(&value)});
    }
    return 0;
}

void query_dispose(query_t *q)
{
    VEC_FOREACH(q, it) {
        free(it->key);
        free(it->value);
    }
    VEC_FREE(q);
}

const char *query_get(const query_t *q, const char *key)
{
    VEC_FOREACH(q, it)
        if (!strcmp(it->key, key))
            return it->value;
    return NULL;
}

/* ---- bodies ---- */

static int read_body(const char *p, size_t n, json_t **out, err_t **err)
{
    while (n && strchr(" \t\r\n", *p))
        p++, n--;
    return n ? json_read(p, n, out, err) : 0;
}

static int bind_body(const struct route *r, const char *p, size_t n, json_t **object, err_t **err)
{
    const ProtobufCMessageDescriptor *m = r->method->in;
    const char *body = r->binding->body;
    AUTO_JSON value = NULL;
    if (!body)
        return 0;
    int rc = read_body(p, n, &value, err);
    if (rc < 0 || !value)
        return rc;
    if (!strcmp(body, "*")) {
        json_t *accepted = NULL;
        rc = message_accept(m, value, &accepted, err);
        if (rc < 0)
            return rc;
        json_decref(*object);
        *object = accepted;
        return 0;
    }
    const ProtobufCFieldDescriptor *f = message_field(m, body, strlen(body));
    json_t *accepted = NULL;
    rc = message_accept_field(m, f, value, &accepted, err);
    if (rc == 0)
        json_object_set_new(*object, message_json_name(m, f), accepted);
    return rc;
}

/* ---- all of it ---- */

/* What path and body have said, the query does not say again: "application" rules out
 * "application.metadata.name". */
static bool is_bound(const struct route *r, const char *key)
{
    const char *body = r->binding->body;
    size_t n = body ? strlen(body) : 0;
    if (body && !strncmp(key, body, n) && (!key[n] || key[n] == '.' || key[n] == '['))
        return true;
    for (size_t i = 0; i < r->ncaptures; i++)
        if (!strcmp(key, r->captures[i].field))
            return true;
    return false;
}

static int bind_query(const struct route *r, const query_t *query, json_t *object, err_t **err)
{
    if (str_eq(r->binding->body, "*"))
        return 0;
    for (size_t i = 0; i < query->n; i++) {
        const struct query_item *q = &query->v[i];
        if (is_bound(r, q->key))
            continue;
        bool scalar_again = false;
        const ProtobufCFieldDescriptor *f = message_field(r->method->in, q->key, strlen(q->key));
        if (f && f->label != PROTOBUF_C_LABEL_REPEATED)
            for (size_t j = 0; j < i; j++)
                scalar_again |= !strcmp(query->v[j].key, q->key);
        int rc = scalar_again ? 0 : message_put_path(r->method->in, object, q->key, q->value, err);
        if (rc < 0)
            return err_wrap(err, "parsing field \"%s\"", q->key);
    }
    return 0;
}

int bind_request(const struct route *route, const query_t *query, const char *body, size_t body_size,
                 json_t **out, err_t **err)
{
    AUTO_JSON object = json_object();
    int rc = bind_body(route, body, body_size, &object, err);
    for (size_t i = 0; rc == 0 && i < route->ncaptures; i++) {
        rc = message_put_path(route->method->in, object, route->captures[i].field, route->captures[i].value,
                              err);
        if (rc < 0)
            rc = err_wrap(err, "type mismatch, parameter: %s, error", route->captures[i].field);
    }
    if (rc == 0)
        rc = bind_query(route, query, object, err);
    if (rc == 0)
        rc = message_check_required(route->method->in, object, err);
    if (rc == 0)
        *out = TAKE(object);
    return rc;
}

/* ---- names that are URLs ---- */

static const struct {
    const char *message, *outer, *inner;
} escaped[] = {
    {"repository.RepoQuery", "repo", NULL},
    {"repository.RepoAppsQuery", "repo", NULL},
    {"repository.RepoAppDetailsQuery", "source", "repoURL"},
    {"repository.RepoUpdateRequest", "repo", "repo"},
    {"repocreds.RepoCredsQuery", "url", NULL},
    {"repocreds.RepoCredsDeleteRequest", "url", NULL},
    {"cluster.ClusterQuery", "id", "value"},
    {"cluster.ClusterUpdateRequest", "id", "value"},
};

void bind_unescape(const struct api_method *method, json_t *in)
{
    for (size_t i = 0; i < ARRAY_LEN(escaped); i++) {
        if (strcmp(method->in->name, escaped[i].message) != 0)
            continue;
        json_t *object = escaped[i].inner ? json_object_get(in, escaped[i].outer) : in;
        const char *key = escaped[i].inner ? escaped[i].inner : escaped[i].outer;
        const char *text = json_string_value(json_object_get(object, key));
        AUTO_STR plain = STR_INIT;
        if (text && url_unescape(view_of(text), true, &plain) && utf8_valid(str_text(&plain), plain.len))
            json_object_set_new(object, key, json_stringn(str_text(&plain), plain.len));
    }
}
