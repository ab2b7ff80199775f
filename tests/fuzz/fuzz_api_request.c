/* "VERB NUL path NUL query NUL body": what routing and binding make of it is an error or a message that
 * passes its own descriptor again; captured names never hold a slash that was not escaped; cookies and field
 * filters ride along. */
#include "tests/fuzz/fuzz.h"

#include "api-server/auth/cookie.h"
#include "api-server/http/bind.h"
#include "api-server/http/message.h"
#include "api-server/services/fields.h"

static void bound(const struct route *r, const query_t *q, const char *body, size_t n)
{
    AUTO_ERR err = NULL;
    AUTO_JSON message = NULL;
    AUTO_JSON again = NULL;
    if (bind_request(r, q, body, n, &message, &err) < 0) {
        REQUIRE(*err_text(err));
        return;
    }
    REQUIRE(message_check_required(r->method->in, message, NULL) == 0);
    if (message_accept(r->method->in, message, &again, NULL) == 0)
        REQUIRE(json_object_size(again) <= json_object_size(message));
    bind_unescape(r->method, message);
}

static void filtered(const char *fields, const char *text, size_t n)
{
    AUTO(fields_free_p) fields_t *f = fields_parse(fields);
    AUTO_STR out = STR_INIT;
    AUTO_JSON before = NULL;
    AUTO_JSON after = NULL;
    if (!f)
        return;
    fields_project(f, text, n, &out);
    if (json_read(text, n, &before, NULL) == 0)
        REQUIRE(json_read(str_text(&out), out.len, &after, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p)
    char *verb = take_text(&data, &size), *path = take_text(&data, &size), *query = take_text(&data, &size);
    struct route r = {};
    query_t q = {};
    const char *body = size ? (const char *)data : "";
    if (route_find(verb, path, &r) == ROUTE_FOUND) {
        for (size_t i = 0; i < r.ncaptures; i++)
            REQUIRE(!strchr(r.captures[i].value, '/') || !strcmp(r.captures[i].field, "subresource"));
        if (query_parse(query, &q, NULL) == 0)
            bound(&r, &q, body, size);
    }
    query_dispose(&q);
    route_dispose(&r);
    filtered(query, body, size);
    free(cookie_join(path, SESSION_COOKIE));
    strv_free(cookie_clear(path, "path=/"));
    return 0;
}
