#include "k8s-auth/sigv4.h"
#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/vec.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_key_dispose(struct sigv4_key *k)
{
    if (k->secret)
        wipe(k->secret, strlen(k->secret));
    if (k->token)
        wipe(k->token, strlen(k->token));
    free(k->id);
    free(k->secret);
    free(k->token);
    *k = (struct sigv4_key){};
}

void sigv4_date(wall_t at, char out[SIGV4_DATE])
{
    time_t seconds = (time_t)(at.ns / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm);
}

/* By name, then by value: as whole texts "a-b=" would come before "a=". Each has a "=". */
static int by_parameter(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t nx = strcspn(x, "="), ny = strcspn(y, "=");
    int c = memcmp(x, y, min_size(nx, ny));
    return c ? c : nx != ny ? (nx > ny) - (nx < ny) : strcmp(x, y);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sigv4_header *)a)->name, ((const struct sigv4_header *)b)->name);
}

/* Parameters in the order of their names, each with its "=". */
static void add_query(str_t *out, const char *query)
{
    AUTO(strv_free_p) char **list = strv_split(str_or_empty(query), "&", true);
    size_t n = strv_len(list);
    for (size_t i = 0; i < n; i++)
        if (!strchr(list[i], '=')) {
            char *with = xasprintf("%s=", list[i]);
            free(list[i]);
            list[i] = with;
        }
    qsort(list, n, sizeof(*list), by_parameter);
    for (size_t i = 0; i < n; i++)
        str_printf(out, "%s%s", i ? "&" : "", list[i]);
}

struct canonical {
    str_t headers, names;
};

/* Without blanks around the values, and single ones within. */
static void add_value(str_t *out, const char *value)
{
    view_t v = view_trim((view_t){value, strlen(value)});
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] != ' ' || v.p[i - 1] != ' ')
            str_putc(out, v.p[i]);
}

static void collect_headers(const struct sigv4_request *r, struct canonical *c)
{
    VEC(struct sigv4_header) all = {};
    VEC_PUSH(&all, (struct sigv4_header){"host", r->host});
    for (size_t i = 0; i < r->nheaders; i++)
        VEC_PUSH(&all, r->headers[i]);
    qsort(all.v, all.n, sizeof(*all.v), by_name);
    for (size_t i = 0; i < all.n; i++) {
        str_printf(&c->headers, "%s:", all.v[i].name);
        add_value(&c->headers, all.v[i].value);
        str_putc(&c->headers, '\n');
        str_printf(&c->names, "%s%s", i ? ";" : "", all.v[i].name);
    }
    VEC_FREE(&all);
}

static void hmac(const void *key, size_t n, const char *text, unsigned char out[SHA256_SIZE])
{
    unsigned size = SHA256_SIZE;
    if (!HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)text, strlen(text), out, &size))
        abort(); /* only without memory */
}

static void signature(const struct sigv4_request *r, const struct sigv4_key *k, const char *query,
                      const struct canonical *c, const char *payload_hash, char out[SHA256_HEX])
{
    char date[SIGV4_DATE], day[9], own_hash[SHA256_HEX], request_hash[SHA256_HEX];
    unsigned char key[SHA256_SIZE];
    AUTO_STR request = STR_INIT;
    sigv4_date(r->at, date);
    snprintf(day, sizeof(day), "%.8s", date);
    sha256_hex(r->body ? r->body : "", r->n, own_hash);
    str_printf(&request, "%s\n%s\n", r->method, r->path);
    add_query(&request, query);
    str_printf(&request, "\n%s\n%s\n%s", str_text((str_t *)(uintptr_t)&c->headers),
               str_text((str_t *)(uintptr_t)&c->names), payload_hash ? payload_hash : own_hash);
    sha256_hex(str_text(&request), request.len, request_hash);
    AUTO(free_p)
    char *to_sign = xasprintf(ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", date, day, r->region, r->service,
                              request_hash);
    AUTO(free_p) char *first = xasprintf("AWS4%s", k->secret);
    hmac(first, strlen(first), day, key);
    wipe(first, strlen(first));
    hmac(key, sizeof(key), r->region, key);
    hmac(key, sizeof(key), r->service, key);
    hmac(key, sizeof(key), "aws4_request", key);
    hmac(key, sizeof(key), to_sign, key);
    hex_encode(key, sizeof(key), out);
    wipe(key, sizeof(key));
}

char *sigv4_authorization(const struct sigv4_request *r, const struct sigv4_key *k)
{
    char date[SIGV4_DATE], signed_by[SHA256_HEX];
    struct canonical c = {};
    collect_headers(r, &c);
    signature(r, k, r->query, &c, NULL, signed_by);
    sigv4_date(r->at, date);
    char *out = xasprintf(ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
                          k->id, date, r->region, r->service, str_text(&c.names), signed_by);
    str_dispose(&c.headers);
    str_dispose(&c.names);
    return out;
}

char *sigv4_presign(const struct sigv4_request *r, const struct sigv4_key *k, unsigned seconds,
                    const char *payload_hash)
{
    char date[SIGV4_DATE], signed_by[SHA256_HEX];
    struct canonical c = {};
    AUTO_STR query = STR_INIT;
    collect_headers(r, &c);
    sigv4_date(r->at, date);
    if (!str_empty(r->query))
        str_printf(&query, "%s&", r->query);
    str_printf(&query, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
    AUTO(free_p)
    char *credential = xasprintf("%s/%.8s/%s/%s/aws4_request", k->id, date, r->region, r->service);
    url_escape(credential, false, &query);
    str_printf(&query, "&X-Amz-Date=%s&X-Amz-Expires=%u", date, seconds);
    if (!str_empty(k->token)) {
        str_puts(&query, "&X-Amz-Security-Token=");
        url_escape(k->token, false, &query);
    }
    str_puts(&query, "&X-Amz-SignedHeaders=");
    url_escape(str_text(&c.names), false, &query);
    signature(r, k, str_text(&query), &c, payload_hash, signed_by);
    str_printf(&query, "&X-Amz-Signature=%s", signed_by);
    str_dispose(&c.headers);
    str_dispose(&c.names);
    return str_take(&query);
}
