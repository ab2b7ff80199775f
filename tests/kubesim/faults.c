#include "tests/kubesim/faults.h"

#include "common/base/clock.h"
#include "common/base/glob.h"
#include "common/base/rand.h"
#include "common/base/vec.h"

enum { G_VERB, G_RESOURCE, G_NAMESPACE, G_NAME, G_PATH, G_AGENT, G_USER, G_COUNT };
static const char *const globs[G_COUNT] = {"verb", "resource",  "namespace", "name",
                                           "path", "userAgent", "user"};

struct rule {
    const char *glob[G_COUNT]; /* borrowed from the document; NULL: anything */
    double probability;
    int64_t times; /* that it may fire still; negative: without end */
    int64_t fired;
    int64_t jitter_ns;
    struct fault fault;
};

struct faults {
    json_t *document;
    VEC(json_t *) former; /* texts of their rules may still be in use */
    VEC(struct rule) rules;
};

struct faults *faults_new(void)
{
    struct faults *f = xcalloc(1, sizeof(*f));
    f->document = json_object();
    return f;
}

void faults_free(struct faults *f)
{
    if (!f)
        return;
    VEC_FREE(&f->rules);
    VEC_FOREACH(&f->former, d)
        json_decref(*d);
    VEC_FREE(&f->former);
    json_decref(f->document);
    free(f);
}

static double number_or(const json_t *v, const char *key, double fallback)
{
    double d;
    return json_to_double(json_object_get(v, key), &d) ? d : fallback;
}

static int64_t millis(const json_t *v, const char *key)
{
    return (int64_t)(number_or(v, key, 0) * (double)NS_PER_MS);
}

static const struct {
    const char *name;
    bool string;
} known[] = {{"probability", false}, {"times", false},      {"status", false},      {"latencyMs", false},
             {"jitterMs", false},    {"retryAfter", false}, {"dropAfterMs", false}, {"drop", false},
             {"hang", false},        {"mute", false},       {"reason", true},       {"message", true}};

static int check_rule(const json_t *v, err_t **err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)v, key, value) {
        bool ok = false, string = false;
        for (size_t i = 0; i < G_COUNT; i++)
            if (strcmp(globs[i], key) == 0)
                ok = string = true;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strcmp(known[i].name, key) == 0) {
                ok = true;
                string = known[i].string;
            }
        if (!ok)
            return err_set(err, ERR_INVALID_ARGUMENT, "unknown field '%s'", key);
        if (string != json_is_string(value))
            return err_set(err, ERR_INVALID_ARGUMENT, "field '%s' has the wrong type", key);
        if (string && !glob_valid(json_string_value(value)) && strcmp(key, "message") != 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "field '%s' is no pattern", key);
    }
    return json_is_map(v) ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "a rule is an object");
}

/* A misspelt document must not pass for one without faults. */
static int check_document(const json_t *o, err_t **err)
{
    const char *key;
    json_t *value;
    if (!json_is_map(o))
        return err_set(err, ERR_INVALID_ARGUMENT, "faults: not an object");
    json_object_foreach((json_t *)(uintptr_t)o, key, value) {
        if (strcmp(key, "rules") != 0 && strcmp(key, "images") != 0 && strcmp(key, "paused") != 0 &&
            strcmp(key, "denied") != 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "faults: unknown field '%s'", key);
        if (!json_is_array(value))
            return err_set(err, ERR_INVALID_ARGUMENT, "faults: '%s' is no list", key);
    }
    return 0;
}

static struct rule read_rule(const json_t *v)
{
    struct rule r = {.probability = number_or(v, "probability", 1),
                     .times = (int64_t)number_or(v, "times", -1),
                     .jitter_ns = millis(v, "jitterMs"),
                     .fault = {.status = (int)number_or(v, "status", 0),
                               .reason = json_str_at(v, "reason"),
                               .message = json_str_at(v, "message"),
                               .retry_after = (int64_t)number_or(v, "retryAfter", 0),
                               .latency_ns = millis(v, "latencyMs"),
                               .drop_after_ns = millis(v, "dropAfterMs"),
                               .drop = json_is_true(json_object_get(v, "drop")),
                               .hang = json_is_true(json_object_get(v, "hang")),
                               .mute = json_is_true(json_object_get(v, "mute"))}};
    for (size_t i = 0; i < G_COUNT; i++)
        r.glob[i] = json_str_at(v, globs[i]);
    return r;
}

int faults_set(struct faults *f, const json_t *document, err_t **err)
{
    AUTO_JSON copy = json_copy_deep(document);
    json_t *v;
    size_t i;
    if (check_document(copy, err) < 0)
        return -(int)ERR_INVALID_ARGUMENT;
    json_array_foreach(json_object_get(copy, "rules"), i, v)
        if (check_rule(v, err) < 0)
            return err_wrap(err, "faults: rule %zu", i);
    json_array_foreach(json_object_get(copy, "images"), i, v)
        if (!json_str_at(v, "image") || !glob_valid(json_str_at(v, "image")))
            return err_set(err, ERR_INVALID_ARGUMENT, "faults: image %zu: no pattern", i);
    json_array_foreach(json_object_get(copy, "denied"), i, v)
        if (check_rule(v, err) < 0)
            return err_wrap(err, "faults: denied %zu", i);
    VEC_FREE(&f->rules);
    VEC_PUSH(&f->former, f->document);
    f->document = TAKE(copy);
    json_array_foreach(json_object_get(f->document, "rules"), i, v)
        VEC_PUSH(&f->rules, read_rule(v));
    return 0;
}

json_t *faults_get(const struct faults *f)
{
    json_t *o = json_copy_deep(f->document), *fired = json_array();
    VEC_FOREACH(&f->rules, r)
        json_array_append_new(fired, json_integer(r->fired));
    json_object_set_new(o, "fired", fired);
    return o;
}

struct fault faults_match(struct faults *f, const struct fault_query *q)
{
    const char *const have[G_COUNT] = {q->verb, q->resource, q->ns, q->name, q->path, q->user_agent, q->user};
    VEC_FOREACH(&f->rules, r) {
        bool fits = r->times != 0 &&
                    (r->fault.status != 410 || q->has_token || strcmp(q->verb, "watch") == 0);
        for (size_t i = 0; i < G_COUNT && fits; i++)
            fits = !r->glob[i] || glob_match(r->glob[i], str_or_empty(have[i]), NULL);
        if (!fits || random_unit() >= r->probability)
            continue;
        r->times -= r->times > 0;
        r->fired++;
        struct fault result = r->fault;
        result.latency_ns += (int64_t)random_below((uint64_t)r->jitter_ns);
        return result;
    }
    return (struct fault){};
}

bool faults_denied(const struct faults *f, const char *verb, const char *resource, const char *ns)
{
    const struct {
        const char *key, *have;
    } parts[] = {{"verb", verb}, {"resource", resource}, {"namespace", ns}};
    json_t *v;
    size_t n;
    json_array_foreach(json_object_get(f->document, "denied"), n, v) {
        bool fits = true;
        for (size_t i = 0; i < ARRAY_LEN(parts) && fits; i++) {
            const char *glob = json_str_at(v, parts[i].key);
            fits = !glob || glob_match(glob, parts[i].have, NULL);
        }
        if (fits)
            return true;
    }
    return false;
}

const char *faults_image(const struct faults *f, const char *image, const char **message)
{
    json_t *v;
    size_t i;
    json_array_foreach(json_object_get(f->document, "images"), i, v) {
        if (!glob_match(json_str_at(v, "image"), image, NULL))
            continue;
        const char *reason = json_str_at(v, "reason");
        *message = json_str_at(v, "message");
        return reason ? reason : "ErrImagePull";
    }
    return NULL;
}
