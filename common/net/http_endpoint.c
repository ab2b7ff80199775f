#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/net/http_internal.h"
#include "common/net/http_proxy.h"

/* The fields that are texts, owned by the endpoint. */
#define FIELD(f) offsetof(struct http_endpoint_config, f)
static const struct {
    size_t offset;
    bool secret;
} text_fields[] = {
    {FIELD(ca_pem), false},        {FIELD(ca_file), false},     {FIELD(client_cert_pem), false},
    {FIELD(client_key_pem), true}, {FIELD(proxy), true},        {FIELD(no_proxy), false},
    {FIELD(server_name), false},   {FIELD(bearer_token), true}, {FIELD(username), false},
    {FIELD(password), true},       {FIELD(user_agent), false},
};

static char **text_field(struct http_endpoint_config *c, size_t i)
{
    return (char **)((char *)c + text_fields[i].offset);
}

static char *authorization(const struct http_endpoint_config *c)
{
    if (!str_empty(c->bearer_token))
        return xasprintf("Authorization: Bearer %s", c->bearer_token);
    if (!c->username && !c->password)
        return NULL;
    AUTO_STR pair = STR_INIT;
    AUTO_STR line = STR_INIT;
    str_printf(&pair, "%s:%s", str_or_empty(c->username), str_or_empty(c->password));
    str_puts(&line, "Authorization: Basic ");
    base64_encode(str_text(&pair), pair.len, &line);
    wipe(pair.p, pair.len);
    return str_take(&line);
}

/* curl takes connections for the same if their client certificates are, and does not look at the keys:
 * whoever has seen a certificate could use its owner's connections. A remark behind the certificate, which
 * PEM allows, makes the key count. */
static void mark_certificate(struct http_endpoint_config *c)
{
    if (!c->client_cert_pem)
        return;
    char digest[SHA256_HEX];
    if (!c->client_key_pem)
        c->client_key_pem = xstrdup(c->client_cert_pem); /* both in one text */
    sha256_hex(c->client_key_pem, strlen(c->client_key_pem), digest);
    char *marked = xasprintf("%s\n# key %s\n", c->client_cert_pem, digest);
    free((char *)(uintptr_t)c->client_cert_pem);
    c->client_cert_pem = marked;
}

http_endpoint_t *http_endpoint_new(const struct http_endpoint_config *config)
{
    static const struct http_endpoint_config none;
    const struct http_endpoint_config *c = config ? config : &none;
    http_endpoint_t *e = xcalloc(1, sizeof(*e));
    e->refs = 1;
    e->c = *c;
    if (!e->c.user_agent)
        e->c.user_agent = "cargocd/" CARGOCD_VERSION;
    for (size_t i = 0; i < ARRAY_LEN(text_fields); i++) {
        char **field = text_field(&e->c, i);
        *field = xstrdup(*field);
    }
    e->c.connect_timeout_ns = c->connect_timeout_ns ? c->connect_timeout_ns : SECONDS(10);
    e->c.keepalive_ns = c->keepalive_ns ? c->keepalive_ns : SECONDS(30);
    e->authorization = authorization(c);
    mark_certificate(&e->c);
    return e;
}

http_endpoint_t *http_endpoint_ref(http_endpoint_t *e)
{
    if (e)
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

static void free_text(char *s, bool secret)
{
    if (s && secret)
        wipe(s, strlen(s));
    free(s);
}

void http_endpoint_unref(http_endpoint_t *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < ARRAY_LEN(text_fields); i++)
        free_text(*text_field(&e->c, i), text_fields[i].secret);
    free_text(e->authorization, true);
    free(e);
}

/* The endpoint outlives the easy handle, so that curl need not copy. */
static struct curl_blob blob_of(const char *text)
{
    return (struct curl_blob){
        .data = (void *)(uintptr_t)text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
}

static void apply_authorities(const struct http_endpoint_config *c, CURL *easy)
{
    if (!c->ca_pem && !c->ca_file)
        return;
    /* These authorities and no others: curl would add the system's folder. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    if (c->ca_pem) {
        struct curl_blob blob = blob_of(c->ca_pem);
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
    } else {
        curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, c->ca_file);
    }
}

static void apply_tls(const struct http_endpoint_config *c, CURL *easy, bool stranger)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    apply_authorities(c, easy);
    if (c->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    }
    if (c->client_cert_pem && !stranger) {
        struct curl_blob cert = blob_of(c->client_cert_pem);
        struct curl_blob key = blob_of(c->client_key_pem);
        curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    }
}

int http_endpoint_apply(const http_endpoint_t *e, CURL *easy, const struct http_url *url, bool stranger,
                        err_t **err)
{
    const struct http_endpoint_config *c = &e->c;
    AUTO(free_p) char *proxy = NULL;
    int r = http_proxy_for(c->proxy, c->no_proxy, url, &proxy, err);
    if (r < 0)
        return r;
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    /* A plain request through an HTTP proxy stays one: no tunnel, as everybody does. */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
    if (strcmp(url->scheme, "https") == 0)
        apply_tls(c, easy, stranger);
    return 0;
}
