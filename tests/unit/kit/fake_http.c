#include "tests/unit/kit/fake_http.h"
#include "common/base/thread.h"
#include "common/base/vec.h"
#include "tests/unit/kit/certs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_conn {
    fake_http_t *server;
    pthread_t thread;
    int fd, number;
    SSL *ssl;
    str_t in;
};

struct fake_http {
    int fd, port;
    fake_handler handler;
    void *arg;
    SSL_CTX *tls;
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_int connections, requests;
    lock_t lock; /* guards conns */
    VEC(fake_conn_t *) conns;
};

/* ---- bytes ---- */

static ssize_t read_some(fake_conn_t *c, char *p, size_t n)
{
    return c->ssl ? SSL_read(c->ssl, p, (int)n) : recv(c->fd, p, n, 0);
}

void fake_write(fake_conn_t *c, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = c->ssl ? SSL_write(c->ssl, (const char *)p + done, (int)(n - done))
                           : send(c->fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        done += (size_t)k;
    }
}

void fake_puts(fake_conn_t *c, const char *text)
{
    fake_write(c, text, strlen(text));
}

void fake_printf(fake_conn_t *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    fake_puts(c, text);
}

void fake_reply(fake_conn_t *c, const char *status, const char *headers, const char *body)
{
    fake_printf(c, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(str_or_empty(body)),
                str_or_empty(headers), str_or_empty(body));
}

void fake_chunk(fake_conn_t *c, const void *p, size_t n)
{
    AUTO_STR s = STR_INIT;
    str_printf(&s, "%zx\r\n", n);
    str_add(&s, p, n);
    str_puts(&s, "\r\n");
    fake_write(c, str_text(&s), s.len);
}

bool fake_peer_gone(fake_conn_t *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    char byte;
    return c->server->stopping || (poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR))) ||
           (!c->ssl && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

void fake_linger(fake_conn_t *c, int ms)
{
    for (mono_t end = mono_after(mono_now(), MILLIS(ms)); mono_left(end) && !fake_peer_gone(c);)
        sleep_ns(MILLIS(2));
}

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

void fake_tunnel(fake_conn_t *c, int port)
{
    int other = connect_to(port);
    char buf[16384];
    struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    while (other >= 0 && !c->server->stopping) {
        if (poll(p, 2, 20) <= 0)
            continue;
        int from = p[0].revents ? 0 : 1;
        ssize_t n = recv(p[from].fd, buf, sizeof(buf), 0);
        if (n <= 0 || send(p[1 - from].fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    }
    close_p(&other);
}

/* ---- requests ---- */

char *fake_header(const struct fake_request *r, const char *name)
{
    view_t rest = view_of(r->head), line;
    size_t n = strlen(name);
    while (view_split(&rest, '\n', &line)) {
        if (line.n > n && strncasecmp(line.p, name, n) == 0 && line.p[n] == ':') {
            view_t v = view_trim((view_t){line.p + n + 1, line.n - n - 1});
            return xstrndup(v.p, v.n);
        }
    }
    return NULL;
}

static bool fill(fake_conn_t *c, size_t want)
{
    char buf[16384];
    while (c->in.len < want) {
        ssize_t n = read_some(c, buf, sizeof(buf));
        if (n <= 0)
            return false;
        str_add(&c->in, buf, (size_t)n);
    }
    return true;
}

static bool read_request(fake_conn_t *c, struct fake_request *r)
{
    const char *end;
    while (!(end = c->in.len ? strstr(str_text(&c->in), "\r\n\r\n") : NULL))
        if (!fill(c, c->in.len + 1))
            return false;
    size_t head = (size_t)(end - str_text(&c->in)) + 4;
    char *text = xstrndup(str_text(&c->in), head);
    size_t first = strcspn(text, "\r");
    size_t m = strcspn(text, " "), t = strcspn(text + m + 1, " \r");
    r->method = xstrndup(text, m);
    r->target = xstrndup(text + m + 1, t);
    r->head = xstrdup(text + first + 2);
    free(text);
    AUTO(free_p) char *length = fake_header(r, "Content-Length");
    size_t n = length ? strtoul(length, NULL, 10) : 0;
    if (!fill(c, head + n))
        return false;
    str_add(&r->body, str_text(&c->in) + head, n);
    str_consume(&c->in, head + n);
    return true;
}

static void request_dispose(struct fake_request *r)
{
    free(r->method);
    free(r->target);
    free(r->head);
    free(r->peer);
    str_dispose(&r->body);
}

static char *peer_name(SSL *ssl)
{
    X509 *x = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
    if (!x)
        return NULL;
    char name[200] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
    X509_free(x);
    return xstrdup(name);
}

static bool handshake(fake_conn_t *c)
{
    if (!c->server->tls)
        return true;
    c->ssl = SSL_new(c->server->tls);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_accept(c->ssl) == 1;
}

static void *serve(void *arg)
{
    fake_conn_t *c = arg;
    bool go_on = handshake(c);
    for (int i = 0; go_on && !c->server->stopping; i++) {
        struct fake_request r = {.number = i, .connection = c->number, .peer = peer_name(c->ssl)};
        go_on = read_request(c, &r);
        if (go_on) {
            c->server->requests++;
            go_on = c->server->handler(c, &r, c->server->arg);
        }
        request_dispose(&r);
    }
    if (c->ssl)
        SSL_free(c->ssl);
    c->ssl = NULL;
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

/* ---- the server ---- */

static void *accept_all(void *arg)
{
    fake_http_t *f = arg;
    while (!f->stopping) {
        struct pollfd p = {.fd = f->fd, .events = POLLIN};
        if (poll(&p, 1, 10) <= 0)
            continue;
        int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        fake_conn_t *c = xcalloc(1, sizeof(*c));
        *c = (fake_conn_t){.server = f, .fd = fd, .number = f->connections++};
        LOCKED(&f->lock);
        VEC_PUSH(&f->conns, c);
        c->thread = thread_start("fake-conn", serve, c);
    }
    return NULL;
}

static SSL_CTX *tls_context(void)
{
    const struct certs *pem = certs_get();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *b = BIO_new_mem_buf(pem->server_cert, -1), *k = BIO_new_mem_buf(pem->server_key, -1),
        *a = BIO_new_mem_buf(pem->ca, -1);
    X509 *cert = PEM_read_bio_X509(b, NULL, NULL, NULL), *ca = PEM_read_bio_X509(a, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    SSL_CTX_use_certificate(ctx, cert);
    SSL_CTX_use_PrivateKey(ctx, key);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL); /* a client certificate is asked for, not required */
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    BIO_free(b);
    BIO_free(k);
    BIO_free(a);
    return ctx;
}

fake_http_t *fake_http_start(bool tls, fake_handler handler, void *arg)
{
    signal(SIGPIPE, SIG_IGN); /* SSL_write has no MSG_NOSIGNAL */
    fake_http_t *f = xcalloc(1, sizeof(*f));
    f->handler = handler;
    f->arg = arg;
    f->tls = tls ? tls_context() : NULL;
    pthread_mutex_init(&f->lock, NULL);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    if (bind(f->fd, (struct sockaddr *)&a, n) < 0 || listen(f->fd, 500) < 0)
        abort();
    getsockname(f->fd, (struct sockaddr *)&a, &n);
    f->port = ntohs(a.sin_port);
    f->acceptor = thread_start("fake-accept", accept_all, f);
    return f;
}

void fake_http_stop(fake_http_t *f)
{
    f->stopping = true;
    pthread_join(f->acceptor, NULL);
    close(f->fd);
    VEC_FOREACH(&f->conns, c)
        shutdown((*c)->fd, SHUT_RDWR);
    VEC_FOREACH(&f->conns, c) {
        pthread_join((*c)->thread, NULL);
        close((*c)->fd);
        str_dispose(&(*c)->in);
        free(*c);
    }
    VEC_FREE(&f->conns);
    SSL_CTX_free(f->tls);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int fake_http_port(const fake_http_t *f)
{
    return f->port;
}

char *fake_http_url(const fake_http_t *f, const char *path)
{
    return xasprintf("http%s://127.0.0.1:%d%s", f->tls ? "s" : "", f->port, path);
}

int fake_http_connections(fake_http_t *f)
{
    return f->connections;
}

int fake_http_requests(fake_http_t *f)
{
    return f->requests;
}

bool fake_http_stopping(const fake_http_t *f)
{
    return f->stopping;
}

fake_http_t *fake_server(fake_conn_t *c)
{
    return c->server;
}
