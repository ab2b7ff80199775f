#include "common/net/http_proxy.h"
#include "common/base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

struct address {
    unsigned char b[16]; /* IPv4 as ::ffff:a.b.c.d */
};

static bool read_address(const char *text, struct address *out)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
        memcpy(out->b, mapped, sizeof(mapped));
        memcpy(out->b + 12, &v4, sizeof(v4));
        return true;
    }
    return inet_pton(AF_INET6, text, out->b) == 1;
}

static bool is_v4(const struct address *a)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static bool is_loopback(const struct address *a)
{
    static const unsigned char one[16] = {[15] = 1};
    return is_v4(a) ? a->b[12] == 127 : memcmp(a->b, one, sizeof(one)) == 0;
}

static bool same_bits(const struct address *a, const struct address *b, unsigned bits)
{
    if (memcmp(a->b, b->b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a->b[bits / 8] ^ b->b[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8". False when the text is no CIDR; *hit tells whether the address is inside. */
static bool match_cidr(const char *text, const struct address *addr, bool *hit)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return false;
    AUTO(free_p) char *base = xstrndup(text, (size_t)(slash - text));
    struct address net;
    uint64_t bits;
    bool v6 = strchr(base, ':') != NULL;
    if (!read_address(base, &net) || !str_to_u64(slash + 1, &bits) || bits > (v6 ? 128 : 32))
        return false;
    *hit = addr && is_v4(addr) != v6 && same_bits(&net, addr, (unsigned)bits + (v6 ? 0 : 96));
    return true;
}

/* Cuts ":port" off a rule; an IPv6 address with a port is in brackets. Returns the port's text or NULL. */
static const char *cut_port(char *rule)
{
    char *colon = strrchr(rule, ':');
    size_t n = strlen(rule);
    if (rule[0] == '[') {
        char *close = strchr(rule, ']');
        if (!close)
            return NULL;
        colon = close[1] == ':' ? close + 1 : NULL;
        n = (size_t)(close - rule);
        memmove(rule, rule + 1, n - 1);
        rule[n - 1] = '\0';
        return colon ? colon + 1 : NULL;
    }
    if (!colon || strchr(rule, ':') != colon)
        return NULL; /* none, or an IPv6 address without brackets */
    *colon = '\0';
    return colon + 1;
}

static bool match_host(const char *rule, const char *host, const struct address *addr)
{
    struct address a;
    if (read_address(rule, &a))
        return addr && memcmp(&a, addr, sizeof(a)) == 0;
    if (rule[0] == '*' && rule[1] == '.')
        rule++;
    if (rule[0] == '.')
        return str_has_suffix(host, rule);
    size_t n = strlen(host), m = strlen(rule);
    return str_eq(host, rule) || (n > m && host[n - m - 1] == '.' && strcmp(host + n - m, rule) == 0);
}

static bool rule_matches(char *rule, const char *host, const struct address *addr, unsigned port)
{
    bool hit;
    if (strcmp(rule, "*") == 0)
        return true;
    if (match_cidr(rule, addr, &hit))
        return hit;
    const char *rule_port = cut_port(rule);
    uint64_t number;
    if (rule_port && *rule_port && (!str_to_u64(rule_port, &number) || number != port))
        return false;
    return *rule && match_host(rule, host, addr);
}

static char *lower_copy(const char *s)
{
    char *copy = xstrdup(s);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

bool http_proxy_applies(const char *no_proxy, const char *host, unsigned port)
{
    AUTO(free_p) char *name = lower_copy(host);
    struct address a;
    const struct address *addr = read_address(name, &a) ? &a : NULL;
    if (str_eq(name, "localhost") || (addr && is_loopback(addr)))
        return false;
    AUTO(free_p) char *text = lower_copy(str_or_empty(no_proxy));
    AUTO(strv_free_p) char **rules = strv_split(text, ",", true);
    for (size_t i = 0; rules[i]; i++)
        if (rule_matches(rules[i], name, addr, port))
            return false;
    return true;
}

int http_proxy_normal(const char *text, char **out, err_t **err)
{
    static const char *const schemes[][2] = {{"http://", "http://"},
                                             {"https://", "https://"},
                                             {"socks5://", "socks5h://"},
                                             {"socks5h://", "socks5h://"}};
    if (!strstr(text, "://")) {
        *out = xasprintf("http://%s", text);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        const char *rest = str_after(text, schemes[i][0]);
        if (rest && *rest) {
            *out = xasprintf("%s%s", schemes[i][1], rest);
            return 0;
        }
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown kind of proxy '%.*s' (http, https, socks5)",
                   (int)min_size(strcspn(text, ":"), 20), text);
}

static const char *from_env(const char *upper, const char *lower)
{
    const char *v = getenv(upper);
    return str_empty(v) ? getenv(lower) : v;
}

int http_proxy_for(const char *proxy, const char *no_proxy, const struct http_url *url, char **out,
                   err_t **err)
{
    *out = NULL;
    bool explicit_proxy = proxy != NULL;
    bool tls = strcmp(url->scheme, "https") == 0;
    if (!explicit_proxy) {
        /* Under CGI, HTTP_PROXY is a request header of whoever called (https://httpoxy.org). */
        if (!tls && getenv("REQUEST_METHOD"))
            return 0;
        proxy = tls ? from_env("HTTPS_PROXY", "https_proxy") : from_env("HTTP_PROXY", "http_proxy");
        no_proxy = no_proxy ? no_proxy : str_or_empty(from_env("NO_PROXY", "no_proxy"));
    }
    if (str_empty(proxy) || (no_proxy && !http_proxy_applies(no_proxy, url->host, url->port)))
        return 0;
    return http_proxy_normal(proxy, out, err);
}
