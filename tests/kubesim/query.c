#include "tests/kubesim/query.h"

#include "common/base/enc.h"

/* ---- fields that can be selected by ---- */

static const struct {
    const char *key;    /* of the resource; with "events.k8s.io" as seen there */
    const char *fields; /* besides metadata.name and metadata.namespace */
} selectable[] = {
    {"pods",
     "spec.nodeName,spec.restartPolicy,spec.schedulerName,spec.serviceAccountName,status.phase,status.podIP,"
     "status.podIPs,status.nominatedNodeName"},
    {"events", "involvedObject.kind,involvedObject.namespace,involvedObject.name,involvedObject.uid,"
               "involvedObject.apiVersion,involvedObject.resourceVersion,involvedObject.fieldPath,reason,"
               "reportingComponent,source,type"},
    {"events.k8s.io", "regarding.kind,regarding.namespace,regarding.name,regarding.uid,regarding.apiVersion,"
                      "regarding.resourceVersion,regarding.fieldPath,reason,reportingController,type"},
    {"secrets", "type"},
    {"namespaces", "status.phase"},
    {"nodes", "spec.unschedulable"},
    {"jobs.batch", "status.successful"},
    {"replicationcontrollers", "status.replicas"},
};

static bool field_known(const struct endpoint *e, const char *field, bool *has_table)
{
    const char *key = strcmp(e->group, "events.k8s.io") == 0 ? e->group : e->resource->key;
    bool known = strcmp(field, "metadata.name") == 0 || strcmp(field, "metadata.namespace") == 0;
    *has_table = (e->resource->flags & R_CUSTOM) != 0;
    for (size_t i = 0; i < ARRAY_LEN(selectable); i++) {
        if (strcmp(selectable[i].key, key) != 0)
            continue;
        *has_table = true;
        known |= list_has(selectable[i].fields, field);
    }
    return known;
}

static json_t *check_fields(const struct endpoint *e, const selector_t *s)
{
    VEC_FOREACH(&s->all, r) {
        bool has_table;
        if (field_known(e, r->key, &has_table))
            continue;
        return has_table ? status_bad_request("field label not supported: %s", r->key)
                         : status_bad_request("\"%s\" is not a known field selector: only \"metadata.name\", "
                                              "\"metadata.namespace\"",
                                              r->key);
    }
    return NULL;
}

/* Where a field is in the stored version, when not under its own name. */
static const char *stored_path(const char *field)
{
    static const char *const renamed[][2] = {{"reportingController", "reportingComponent"},
                                             {"source", "source.component"},
                                             {"status.successful", "status.succeeded"}};
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (strcmp(field, renamed[i][0]) == 0)
            return renamed[i][1];
    return field;
}

struct field_source {
    const struct blob *blob;
    str_t value;
};

static const char *get_field(void *arg, const char *field)
{
    struct field_source *f = arg;
    str_reset(&f->value);
    str_add(&f->value, "", 0);
    if (strcmp(field, "metadata.name") == 0)
        return blob_name(f->blob);
    if (strcmp(field, "metadata.namespace") == 0) {
        str_add(&f->value, blob_ns(f->blob).p, blob_ns(f->blob).n);
        return str_text(&f->value);
    }
    const char *regarding = str_after(field, "regarding.");
    AUTO(free_p)
    char *path = regarding ? xasprintf("involvedObject.%s", regarding) : xstrdup(stored_path(field));
    scan_field(blob_json(f->blob), path, &f->value);
    if (!f->value.len && strcmp(field, "spec.unschedulable") == 0)
        return "false";
    return str_text(&f->value);
}

bool query_matches(const struct query *q, const struct endpoint *e, const struct blob *b)
{
    struct field_source f = {.blob = b};
    bool ok = selector_matches(&q->fields, get_field, &f) && selector_matches_meta(&q->labels, blob_meta(b));
    str_dispose(&f.value);
    return ok;
}

/* ---- reading ---- */

void query_dispose(struct query *q)
{
    selector_dispose(&q->labels);
    selector_dispose(&q->fields);
    *q = (struct query){};
}

static json_t *read_number(const struct request *r, const char *name, int64_t *out)
{
    const char *text = http_query(r, name);
    if (str_empty(text) || str_to_i64(text, out))
        return NULL;
    return status_bad_request("strconv.ParseInt: parsing \"%s\": invalid syntax", text);
}

static json_t *check_match(const struct query *q)
{
    static const char field[] = "resourceVersionMatch";
    json_t *causes = NULL;
    if (!*q->match)
        return NULL;
    if (q->watch)
        problem_add(&causes, P_FORBIDDEN, field, "resourceVersionMatch is forbidden for watch");
    if (!*q->rv)
        problem_add(&causes, P_FORBIDDEN, field,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (*q->token)
        problem_add(&causes, P_FORBIDDEN, field,
                    "resourceVersionMatch is forbidden when continue is provided");
    if (strcmp(q->match, "Exact") != 0 && strcmp(q->match, "NotOlderThan") != 0)
        problem_add(&causes, P_UNSUPPORTED, field,
                    "\"%s\": supported values: \"Exact\", \"NotOlderThan\", \"\"", q->match);
    else if (strcmp(q->match, "Exact") == 0 && strcmp(q->rv, "0") == 0)
        problem_add(&causes, P_FORBIDDEN, field,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    return causes ? status_invalid("meta.k8s.io", "ListOptions", "", causes) : NULL;
}

static json_t *read_selectors(const struct request *r, const struct endpoint *e, struct query *q)
{
    AUTO_ERR err = NULL;
    if (label_selector_parse(http_query(r, "labelSelector"), &q->labels, &err) < 0 ||
        field_selector_parse(http_query(r, "fieldSelector"), &q->fields, &err) < 0)
        return status_bad_request("%s", err_text(err));
    return check_fields(e, &q->fields);
}

/* sendInitialEvents is what a server answers that knows the parameter but has the feature off. */
static json_t *refuse_initial_events(const struct request *r)
{
    json_t *causes = NULL;
    bool wanted = false;
    str_to_bool(str_or_empty(http_query(r, "sendInitialEvents")), &wanted);
    if (!wanted)
        return NULL;
    problem_add(&causes, P_FORBIDDEN, "sendInitialEvents",
                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
    return status_invalid("meta.k8s.io", "ListOptions", "", causes);
}

json_t *query_read(const struct request *r, const struct endpoint *e, bool watch, struct query *q)
{
    *q = (struct query){.watch = watch,
                        .rv = str_or_empty(http_query(r, "resourceVersion")),
                        .match = str_or_empty(http_query(r, "resourceVersionMatch")),
                        .token = str_or_empty(http_query(r, "continue"))};
    json_t *failure = NULL;
    str_to_bool(str_or_empty(http_query(r, "allowWatchBookmarks")), &q->bookmarks);
    if (!watch)
        str_to_bool(str_or_empty(http_query(r, "watch")), &q->watch);
    if ((failure = read_number(r, "limit", &q->limit)) ||
        (failure = read_number(r, "timeoutSeconds", &q->timeout_seconds)) ||
        (failure = read_selectors(r, e, q)) || (q->watch && (failure = refuse_initial_events(r))) ||
        (failure = check_match(q))) {
        query_dispose(q);
        return failure;
    }
    if (*q->rv && !str_to_u64(q->rv, &q->rv_number)) {
        failure = status_failure(
            500, NULL,
            "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax",
            q->rv, q->rv);
        query_dispose(q);
    }
    return failure;
}

/* ---- continue tokens ---- */

char *token_write(int64_t rv, const char *start)
{
    AUTO_STR text = STR_INIT;
    AUTO_STR out = STR_INIT;
    str_printf(&text, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":", (long long)rv);
    AUTO_STR key = STR_INIT;
    str_puts(&key, start);
    str_putc(&key, '\0');
    json_write_string(key.p, key.len, JSON_GO, &text);
    str_putc(&text, '}');
    base64url_encode(text.p, text.len, &out);
    return str_take(&out);
}

json_t *token_read(const char *text, struct token *out)
{
    AUTO_STR bytes = STR_MAX(64 << 10);
    AUTO_ERR err = NULL;
    AUTO_JSON o = NULL;
    if (!base64_decode(text, strlen(text), &bytes) || json_read(str_text(&bytes), bytes.len, &o, &err) < 0)
        return status_bad_request("invalid continue token: continue key is not valid: %s", err_text(err));
    const char *version = str_or_empty(json_str_at(o, "v"));
    json_t *start = json_object_get(o, "start");
    if (strcmp(version, "meta.k8s.io/v1") != 0)
        return status_bad_request(
            "invalid continue token: continue key is not valid: server does not recognize this "
            "encoded version \"%s\"",
            version);
    out->rv = json_int_at(o, "rv");
    if (out->rv == 0)
        return status_bad_request(
            "invalid continue token: continue key is not valid: incorrect encoded start "
            "resourceVersion (version meta.k8s.io/v1)");
    if (!json_string_length(start))
        return status_bad_request(
            "invalid continue token: continue key is not valid: encoded start key empty (version "
            "meta.k8s.io/v1)");
    /* Keys have no NUL inside: what is before one is the last key that was sent. */
    out->start = xstrdup(json_string_value(start));
    out->behind = strlen(out->start) < json_string_length(start);
    return NULL;
}

json_t *dry_run_read(const struct request *r, const char *kind, bool *dry_run)
{
    const char *text = str_or_empty(http_query(r, "dryRun"));
    json_t *causes = NULL;
    *dry_run = strcmp(text, "All") == 0;
    if (!*text || *dry_run)
        return NULL;
    problem_add(&causes, P_UNSUPPORTED, "dryRun", "[]string{\"%s\"}: supported values: \"All\"", text);
    return status_invalid("meta.k8s.io", kind, "", causes);
}
