#include "tests/unit/kit/certs.h"
#include "common/net/tls.h"

#include <pthread.h>

static struct certs made;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_all(void)
{
    static const char *const server_names[] = {"localhost", "kube.example", "127.0.0.1", "::1", NULL};
    static const char *const no_names[] = {NULL};
    static struct tls_pair ca, server, client;
    if (tls_make_ca("test authority", 1, &ca, NULL) < 0 ||
        tls_issue(&ca, "server", server_names, 1, &server, NULL) < 0 ||
        tls_issue(&ca, "tester", no_names, 1, &client, NULL) < 0)
        abort();
    made = (struct certs){ca.cert_pem, server.cert_pem, server.key_pem, client.cert_pem, client.key_pem};
}

const struct certs *certs_get(void)
{
    pthread_once(&once, make_all);
    return &made;
}
