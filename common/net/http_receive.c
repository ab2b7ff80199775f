#include "common/net/http_internal.h"

#include <ctype.h>

enum { MAX_HEADER_BYTES = 256 << 10, MAX_DISCARDED = 1 << 20 };

static size_t give_up(http_transfer_t *t, enum err_code code, const char *what)
{
    AUTO(free_p) char *url = http_url_for_message(t->url);
    err_set(&t->error, code, "%s %s: %s", t->method, url, what);
    return 0;
}

/* The user's callback asked to end with this value. */
static size_t user_ended(http_transfer_t *t, int value)
{
    return give_up(t, value > -ERR_CODE_MAX && value < 0 ? (enum err_code) - value : ERR_UNKNOWN,
                   "ended by its reader");
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The empty line: the head is whole. */
static size_t head_complete(http_transfer_t *t, size_t n)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) {
        str_reset(&t->head);
        return n;
    }
    t->head_done = true;
    free(t->location);
    t->location = is_redirect(status) && t->redirects_left ? http_header(&t->head, "location") : NULL;
    t->redirecting = t->location != NULL;
    if (t->redirecting || !t->ops.on_head)
        return n;
    int r = t->ops.on_head(t->arg, (int)status, &t->head);
    str_dispose(&t->head); /* a watch lives long */
    return r ? user_ended(t, r) : n;
}

/* "Name: value\r\n" -> "name: value\n". A line that begins with a blank continues the one before (RFC
 * 7230 3.2.4). */
static void add_header_line(str_t *head, view_t line)
{
    bool continues = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
    line = view_trim(line);
    if (continues) {
        if (head->len)
            str_truncate(head, head->len - 1);
        str_putc(head, ' ');
        str_add(head, line.p, line.n);
        str_putc(head, '\n');
        return;
    }
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return;
    for (const char *c = line.p; c < colon; c++)
        str_putc(head, (char)tolower((unsigned char)*c));
    view_t value = view_trim((view_t){colon + 1, (size_t)(line.p + line.n - colon - 1)});
    str_puts(head, ": ");
    str_add(head, value.p, value.n);
    str_putc(head, '\n');
}

size_t http_on_header(char *p, size_t size, size_t n, void *transfer)
{
    http_transfer_t *t = transfer;
    n *= size;
    if (atomic_load(&t->canceled))
        return 0;
    t->last_byte = mono_now();
    if (t->header_bytes == 0)
        http_group_heard(t);
    t->header_bytes += n;
    if (t->header_bytes > MAX_HEADER_BYTES)
        return give_up(t, ERR_RESOURCE_EXHAUSTED, "the headers are larger than 256 KiB");
    if (t->head_done)
        return n; /* trailers */
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
        str_reset(&t->head);
        return n;
    }
    view_t line = {p, n};
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (line.n == 0)
        return head_complete(t, n);
    add_header_line(&t->head, line);
    return n;
}

size_t http_on_body(char *p, size_t size, size_t n, void *transfer)
{
    http_transfer_t *t = transfer;
    n *= size;
    if (atomic_load(&t->canceled))
        return 0;
    t->last_byte = mono_now();
    if (t->redirecting) {
        t->discarded += n;
        return t->discarded > MAX_DISCARDED ? 0 : n;
    }
    if (t->paused) {
        t->curl_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    t->got += n;
    t->h->lanes[t->lane].pieces++;
    if (t->max_body && t->got > t->max_body) {
        AUTO(free_p) char *what = xasprintf("the response is larger than %zu bytes", t->max_body);
        return give_up(t, ERR_RESOURCE_EXHAUSTED, what);
    }
    int r = t->ops.on_data ? t->ops.on_data(t->arg, p, n) : 0;
    if (r == HTTP_PAUSE) {
        t->paused = true;
        http_transfer_watch_time(t);
        return n;
    }
    return r ? user_ended(t, r) : n;
}

char *http_header(const str_t *headers, const char *name)
{
    view_t rest = {str_text(headers), headers->len}, line;
    size_t n = strlen(name);
    while (view_split(&rest, '\n', &line))
        if (line.n > n && memcmp(line.p, name, n) == 0 && line.p[n] == ':')
            return xstrndup(line.p + min_size(n + 2, line.n), line.n - min_size(n + 2, line.n));
    return NULL;
}
