#include "k8s-auth/fetch.h"
#include "common/base/enc.h"
#include "common/base/file.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* What wall_t holds. */
static const int64_t MAX_SECONDS = 9000000000;

enum { MAX_ANSWER = 1 << 20, SHOWN = 200, TIMEOUT_SECONDS = 15 };

const char *env_of(const char *name)
{
    const char *v = getenv(name);
    return str_empty(v) ? NULL : v;
}

int read_text(const char *path, char **out, err_t **err)
{
    AUTO_STR text = STR_MAX(MAX_ANSWER);
    if (file_read(path, &text, err) < 0)
        return err_again(err);
    view_t v = view_trim((view_t){str_text(&text), text.len});
    *out = xstrndup(v.p, v.n);
    wipe(text.p, text.len);
    return 0;
}

void form_add(str_t *out, const char *name, const char *value)
{
    str_printf(out, "%s%s=", out->len ? "&" : "", name);
    url_escape(value, false, out);
}

static int answer_error(const struct fetch *f, const struct http_response *r, err_t **err)
{
    AUTO(free_p) char *shown = http_url_for_message(f->url);
    AUTO_STR text = STR_INIT;
    const char *body = str_text((str_t *)(uintptr_t)&r->body);
    for (size_t i = 0; i < SHOWN && body[i]; i++)
        str_putc(&text, (unsigned char)body[i] < 0x20 ? ' ' : body[i]);
    return err_set(err, err_code_from_http(r->status), "%s %s: status %d: %s", f->method, shown, r->status,
                   str_text(&text));
}

int fetch_text(http_t *io, const struct fetch *f, str_t *out, err_t **err)
{
    http_endpoint_t *endpoint = http_endpoint_new(&(struct http_endpoint_config){
        .proxy = f->direct ? "" : NULL, .http1_only = true, .connect_timeout_ns = SECONDS(5)});
    struct http_request request = {.method = f->method,
                                   .url = f->url,
                                   .endpoint = endpoint,
                                   .headers = f->headers,
                                   .body = f->body,
                                   .body_size = f->body ? strlen(f->body) : 0,
                                   .timeout_ns = f->timeout_ns ? f->timeout_ns : SECONDS(TIMEOUT_SECONDS),
                                   .max_body = MAX_ANSWER,
                                   .idempotent = true};
    struct http_response response = {};
    int r = http_do(io, &request, &response, err);
    if (r == 0 && (response.status < 200 || response.status > 299))
        r = answer_error(f, &response, err);
    if (r == 0)
        str_add(out, str_text(&response.body), response.body.len);
    http_response_dispose(&response);
    http_endpoint_unref(endpoint);
    return r;
}

int fetch_json(http_t *io, const struct fetch *f, json_t **out, err_t **err)
{
    AUTO_STR text = STR_INIT;
    if (fetch_text(io, f, &text, err) < 0)
        return err_again(err);
    int r = json_read(str_text(&text), text.len, out, NULL); /* its error might quote a secret */
    wipe(text.p, text.len);
    AUTO(free_p) char *shown = http_url_for_message(f->url);
    return r < 0 ? err_set(err, ERR_INTERNAL, "%s: the answer is not JSON", shown) : 0;
}

/* A number, or a text of one, as Azure's metadata service writes it. */
static bool number_at(const json_t *o, const char *key, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    return json_to_i64(v, out) || (json_is_string(v) && str_to_i64(json_string_value(v), out));
}

int token_of_oauth(const json_t *answer, struct token *out, err_t **err)
{
    const char *text = json_str_at(answer, "access_token");
    int64_t n;
    if (str_empty(text))
        return err_set(err, ERR_UNAUTHENTICATED, "the answer has no access_token");
    *out = (struct token){.text = xstrdup(text)};
    if (number_at(answer, "expires_on", &n) && n > 0 && n < MAX_SECONDS)
        out->expiry.ns = SECONDS(n);
    else if (number_at(answer, "expires_in", &n) && n > 0 && n < MAX_SECONDS)
        out->expiry.ns = wall_now().ns + SECONDS(n);
    out->expires = out->expiry.ns != 0;
    return 0;
}

/* ---- JWT ---- */

static bool sign(EVP_PKEY *key, const str_t *text, str_t *out)
{
    size_t n = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const unsigned char *p = (const unsigned char *)str_text((str_t *)(uintptr_t)text);
    bool good = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(c, NULL, &n, p, text->len) == 1;
    AUTO(free_p) unsigned char *bytes = good ? xcalloc(n, 1) : NULL;
    good = good && EVP_DigestSign(c, bytes, &n, p, text->len) == 1;
    EVP_MD_CTX_free(c);
    if (good)
        base64url_encode(bytes, n, out);
    return good;
}

static void add_part(json_t *part_take, str_t *out)
{
    AUTO_JSON part = part_take;
    AUTO(free_p) char *text = json_text(part, JSON_KEEP_ORDER);
    if (out->len)
        str_putc(out, '.');
    base64url_encode(text, strlen(text), out);
}

int jwt_rs256(json_t *claims_take, const char *key_pem, const char *x5t, char **out, err_t **err)
{
    AUTO_STR text = STR_INIT;
    AUTO_STR mac = STR_INIT;
    json_t *head = json_object();
    json_set_str(head, "alg", "RS256");
    json_set_str(head, "typ", "JWT");
    if (x5t)
        json_set_str(head, "x5t", x5t);
    add_part(head, &text);
    add_part(claims_take, &text);
    BIO *bio = BIO_new_mem_buf(key_pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    bool good = key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA && sign(key, &text, &mac);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (!good)
        return err_set(err, ERR_INVALID_ARGUMENT, "the private key is no RSA key in PEM");
    *out = xasprintf("%s.%s", str_text(&text), str_text(&mac));
    return 0;
}
