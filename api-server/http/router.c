#include "api-server/http/router.h"

#include "common/base/enc.h"

/* Below these a name may be a URL, with its slashes escaped: the path is then matched as it was sent, and the
 * captured name stays escaped (it is decoded later, field by field: bind.c). Argo CD looks for them anywhere
 * in the path. */
static const char *const raw_prefixes[] = {"/api/v1/clusters/", "/api/v1/repositories/", "/api/v1/repocreds/",
                                           "/settings/clusters/"};

static bool keeps_escapes(const char *raw_path)
{
    for (size_t i = 0; i < ARRAY_LEN(raw_prefixes); i++) {
        const char *at = strstr(raw_path, raw_prefixes[i]);
        size_t n = strlen(raw_prefixes[i]);
        if (at && at[n] && at[n] != '/')
            return true;
    }
    return false;
}

void route_dispose(struct route *r)
{
    for (size_t i = 0; i < r->ncaptures; i++)
        free(r->captures[i].value);
    *r = (struct route){};
}

static bool capture(struct route *r, view_t spec, view_t value)
{
    if (r->ncaptures == ROUTE_MAX_CAPTURES || spec.n >= sizeof r->captures[0].field)
        return false;
    memcpy(r->captures[r->ncaptures].field, spec.p, spec.n);
    r->captures[r->ncaptures].field[spec.n] = 0;
    r->captures[r->ncaptures++].value = xstrndup(value.p, value.n);
    return true;
}

/* One segment of a template against one of the path. */
static bool match_segment(struct route *r, view_t spec, view_t segment)
{
    if (spec.n < 2 || spec.p[0] != '{')
        return spec.n == segment.n && !memcmp(spec.p, segment.p, spec.n);
    return segment.n && capture(r, (view_t){spec.p + 1, spec.n - 2}, segment);
}

static bool match(const char *template, const char *path, struct route *r)
{
    static const char tail[] = "=**}";
    view_t specs = view_of(template + 1), segments = view_of(path + 1), spec, segment;
    while (view_split(&specs, '/', &spec)) {
        if (spec.n > sizeof tail - 1 && !memcmp(spec.p + spec.n - (sizeof tail - 1), tail, sizeof tail - 1)) {
            view_t rest = segments.p ? segments : view_of("");
            return capture(r, (view_t){spec.p + 1, spec.n - sizeof tail}, rest);
        }
        if (!view_split(&segments, '/', &segment) || !match_segment(r, spec, segment))
            return false;
    }
    return !segments.p;
}

/* "…/name:verb" names a custom verb, of which the table has none. */
static bool has_verb(const char *path)
{
    const char *last = strrchr(path, '/');
    return last && strchr(last, ':');
}

static enum route_result find(const char *verb, const char *path, struct route *out)
{
    bool other_verb = false;
    if (path[0] != '/' || has_verb(path))
        return ROUTE_NOT_FOUND;
    for (size_t i = 0; i < api_nmethods; i++)
        for (size_t j = 0; j < api_methods[i].nbindings; j++) {
            const struct api_binding *b = &api_methods[i].bindings[j];
            struct route r = {.method = &api_methods[i], .binding = b};
            if (!match(b->path, path, &r)) {
                route_dispose(&r);
                continue;
            }
            if (!strcmp(b->verb, verb)) {
                *out = r;
                return ROUTE_FOUND;
            }
            other_verb = true;
            route_dispose(&r);
        }
    return other_verb ? ROUTE_WRONG_VERB : ROUTE_NOT_FOUND;
}

enum route_result route_find(const char *verb, const char *raw_path, struct route *out)
{
    if (keeps_escapes(raw_path))
        return find(verb, raw_path, out);
    AUTO_STR path = STR_INIT;
    if (!url_unescape(view_of(raw_path), false, &path) || memchr(str_text(&path), 0, path.len))
        return ROUTE_NOT_FOUND;
    return find(verb, str_text(&path), out);
}

const struct api_method *method_find(const char *service, const char *name)
{
    for (size_t i = 0; i < api_nmethods; i++)
        if (!strcmp(api_methods[i].service, service) && !strcmp(api_methods[i].name, name))
            return &api_methods[i];
    return NULL;
}
