/* What becomes of a transfer that curl has finished: the end, another try, or the next stop of a redirect. */
#include "common/net/http_internal.h"

#include <arpa/inet.h>

enum { MAX_ATTEMPTS = 5 };

static const struct {
    CURLcode curl;
    enum err_code code;
    const char *text; /* NULL: curl's */
} codes[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE, NULL},
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE, NULL},
    {CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE, NULL},
    {CURLE_OPERATION_TIMEDOUT, ERR_UNAVAILABLE, NULL}, /* of connecting: the others are ours */
    {CURLE_PROXY, ERR_UNAVAILABLE, NULL},
    {CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE, NULL},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_UNAVAILABLE, NULL},
    {CURLE_SSL_CACERT_BADFILE, ERR_INVALID_ARGUMENT, NULL},
    {CURLE_SSL_CERTPROBLEM, ERR_INVALID_ARGUMENT, NULL},
    {CURLE_SSL_CIPHER, ERR_INVALID_ARGUMENT, NULL},
    {CURLE_GOT_NOTHING, ERR_UNAVAILABLE, "the connection was closed before an answer"},
    {CURLE_SEND_ERROR, ERR_UNAVAILABLE, "the connection was lost while sending"},
    {CURLE_RECV_ERROR, ERR_UNAVAILABLE, NULL},
    {CURLE_PARTIAL_FILE, ERR_UNAVAILABLE, "the connection was lost in the middle of the answer"},
    {CURLE_HTTP2, ERR_UNAVAILABLE, "the connection was closed by the server"},
    {CURLE_HTTP2_STREAM, ERR_UNAVAILABLE, "the stream was reset by the server"},
    {CURLE_ABORTED_BY_CALLBACK, ERR_UNAVAILABLE, "the connection was lost before an answer"},
    {CURLE_WEIRD_SERVER_REPLY, ERR_UNAVAILABLE, "the answer is not HTTP"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_UNAVAILABLE, "the answer is not HTTP"},
    {CURLE_BAD_CONTENT_ENCODING, ERR_DATA_LOSS, "the compressed body is damaged"},
    {CURLE_URL_MALFORMAT, ERR_INVALID_ARGUMENT, NULL},
    {CURLE_OUT_OF_MEMORY, ERR_RESOURCE_EXHAUSTED, NULL},
};

static void set_error(http_transfer_t *t, CURLcode code)
{
    AUTO(free_p) char *url = http_url_for_message(t->url);
    const char *text = t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
    enum err_code ours = ERR_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].curl == code) {
            ours = codes[i].code;
            text = codes[i].text ? codes[i].text : text;
        }
    }
    long errnum = 0;
    char buf[128];
    if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &errnum) == CURLE_OK &&
        errnum)
        text = strerror_r((int)errnum, buf, sizeof(buf));
    err_set(&t->error, ours, "%s %s: %s", t->method, url, text);
}

static void submit_again(http_transfer_t *t)
{
    http_group_remove(t);
    http_transfer_drop_easy(t);
    http_group_submit(t);
}

/* A kept connection that the server closed at the moment of use, or one that it told to go away: the request
 * is sent again if nothing of it was, or if it does no harm twice. */
static bool worth_another_try(http_transfer_t *t, CURLcode code)
{
    switch (code) {
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
        break;
    default:
        return false;
    }
    long opened = 0, sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    bool shared = t->group && !t->group->parallel;
    return t->attempts < MAX_ATTEMPTS && (opened == 0 || shared) && !t->head_done &&
           (t->idempotent || sent == 0);
}

/* 303 asks for a GET; 301 and 302 after a POST have always been followed by one (RFC 9110 15.4). */
static void choose_method(http_transfer_t *t, long status)
{
    bool post = str_eq(t->method, "POST");
    bool head = str_eq(t->method, "HEAD");
    if (!(status == 303 && !head) && !((status == 301 || status == 302) && post))
        return;
    free(t->method);
    free(t->body);
    t->method = xstrdup("GET");
    t->body = NULL;
    t->body_size = 0;
    t->idempotent = true;
}

static int follow(http_transfer_t *t, err_t **err)
{
    long status = 0;
    AUTO(free_p) char *next = NULL;
    struct http_url from, to;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    int r = http_url_resolve(t->url, t->location, &next, err);
    if (r < 0 || (r = http_url_parse(next, &to, err)) < 0)
        return r;
    if ((r = http_url_parse(t->url, &from, err)) < 0) {
        http_url_dispose(&to);
        return r;
    }
    AUTO(free_p) char *here = http_url_origin(&from);
    AUTO(free_p) char *there = http_url_origin(&to);
    bool downgrade = strcmp(from.scheme, "https") == 0 && strcmp(to.scheme, "http") == 0;
    http_url_dispose(&from);
    http_url_dispose(&to);
    if (downgrade)
        return err_set(err, ERR_UNAVAILABLE, "redirected from https to %s", there);
    t->stranger = t->stranger || strcmp(here, there) != 0;
    t->redirects_left--;
    t->attempts = 0;
    choose_method(t, status);
    free(t->url);
    t->url = TAKE(next);
    return 0;
}

void http_on_resolved(http_t *h, void (*fn)(void *arg, const char *host, int64_t duration_ns), void *arg)
{
    h->resolved = fn;
    h->resolved_arg = arg;
}

static bool is_address(const char *host)
{
    unsigned char buf[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, buf) == 1 || inet_pton(AF_INET6, host, buf) == 1;
}

static void tell_resolved(http_transfer_t *t)
{
    long opened = 0;
    curl_off_t us = 0;
    struct http_url url;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &us);
    if (!opened || !us || http_url_parse(t->url, &url, NULL) < 0)
        return;
    if (!is_address(url.host))
        t->h->resolved(t->h->resolved_arg, url.host, us * NS_PER_US);
    http_url_dispose(&url);
}

void http_transfer_result(http_transfer_t *t, CURLcode code)
{
    if (t->h->resolved && t->easy)
        tell_resolved(t);
    bool canceled = atomic_load(&t->canceled);
    if (t->refused && !canceled && !t->error) {
        http_group_wait(t);
        return;
    }
    if (!canceled && !t->error && t->redirecting) {
        if (follow(t, &t->error) == 0) {
            submit_again(t);
            return;
        }
        AUTO(free_p) char *url = http_url_for_message(t->url);
        err_wrap(&t->error, "%s %s", t->method, url);
    } else if (!canceled && !t->error && code != CURLE_OK) {
        if (worth_another_try(t, code)) {
            submit_again(t);
            return;
        }
        set_error(t, code);
    }
    http_transfer_end(t);
}
