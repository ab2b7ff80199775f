#include "tests/unit/test.h"
#include "common/net/http_status.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <sys/socket.h>
#include <unistd.h>

/* The whole response to one request line. */
static char *get(unsigned port, const char *method, const char *path)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    AUTO(free_p)
    char *request = xasprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    AUTO_STR out = STR_MAX(1 << 20);
    char buf[4096];
    for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0;)
        str_add(&out, buf, (size_t)n);
    close(fd);
    return str_take(&out);
}

static int health(void *arg, bool full, err_t **err)
{
    if (*(bool *)arg)
        return err_set(err, ERR_UNAVAILABLE, "down%s", full ? " fully" : "");
    return 0;
}

static void answers_health_and_metrics(void **state)
{
    AUTO_ERR err = NULL;
    bool sick = false;
    metrics_t *m = metrics_new();
    metric_inc(metric_counter(m, "x_total", "x", NULL), NULL);
    http_status_t *s = NULL;
    struct http_status_options options = {
        .address = "127.0.0.1", .metrics = m, .health = health, .arg = &sick};
    ASSERT_OK(http_status_start(&options, &s, &err));
    unsigned port = http_status_port(s);
    assert_true(port > 0);
    AUTO(free_p) char *ok = get(port, "GET", "/healthz");
    assert_non_null(strstr(ok, " 200 "));
    assert_true(str_has_suffix(ok, "\r\n\r\nok"));
    AUTO(free_p) char *head = get(port, "HEAD", "/healthz");
    assert_non_null(strstr(head, " 200 "));
    AUTO(free_p) char *metrics = get(port, "GET", "/metrics");
    assert_non_null(strstr(metrics, "text/plain; version=0.0.4"));
    assert_non_null(strstr(metrics, "\nx_total 1\n"));
    AUTO(free_p) char *none = get(port, "GET", "/secret");
    assert_non_null(strstr(none, " 404 "));
    sick = true;
    AUTO(free_p) char *down = get(port, "GET", "/healthz");
    assert_non_null(strstr(down, " 503 "));
    AUTO(free_p) char *full = get(port, "GET", "/healthz?full=true");
    assert_non_null(strstr(full, "down fully"));
    struct http_status_options again = options;
    again.port = port;
    http_status_t *other = NULL;
    assert_true(http_status_start(&again, &other, &err) < 0);
    assert_non_null(strstr(err_text(err), "listen on http://127.0.0.1"));
    http_status_free(s);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(answers_health_and_metrics)};
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return r;
}
