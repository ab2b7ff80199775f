/* "url NUL location NUL no_proxy": where a request goes, and where a server sends it next. No
 * redirect that is followed leads out of http. */
#include "tests/fuzz/fuzz.h"
#include "common/net/http_proxy.h"
#include "common/net/http_url.h"

static void check(const struct http_url *u)
{
    REQUIRE(strcmp(u->scheme, "http") == 0 || strcmp(u->scheme, "https") == 0);
    REQUIRE(*u->host && u->port > 0 && u->port < 65536 && u->path_query[0] == '/');
    REQUIRE(!strpbrk(u->host, "\r\n") && !strpbrk(u->path_query, "\r\n"));
}

static void next(const char *base, const char *location)
{
    AUTO(free_p) char *resolved = NULL;
    struct http_url u;
    if (http_url_resolve(base, location, &resolved, NULL) < 0 || http_url_parse(resolved, &u, NULL) < 0)
        return; /* also with another scheme or a user information: where it is followed, it is refused */
    check(&u);
    http_url_dispose(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *text = take_text(&data, &size);
    AUTO(free_p) char *location = take_text(&data, &size);
    AUTO(free_p) char *no_proxy = take_text(&data, &size);
    AUTO(free_p) char *proxy = NULL;
    AUTO(free_p) char *normal = NULL;
    struct http_url u;
    http_proxy_normal(location, &normal, NULL);
    if (http_url_parse(text, &u, NULL) < 0)
        return 0;
    check(&u);
    AUTO(free_p) char *origin = http_url_origin(&u);
    REQUIRE(strncmp(origin, u.scheme, strlen(u.scheme)) == 0);
    http_proxy_applies(no_proxy, u.host, u.port);
    http_proxy_for("http://proxy:3128", no_proxy, &u, &proxy, NULL);
    next(text, location);
    http_url_dispose(&u);
    return 0;
}
