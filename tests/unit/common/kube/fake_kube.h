/* A Kubernetes client and the scripted server it talks to. */
#ifndef CARGOCD_TESTS_UNIT_FAKE_KUBE_H
#define CARGOCD_TESTS_UNIT_FAKE_KUBE_H

#include "common/base/thread.h"
#include "common/kube/kube.h"
#include "tests/unit/kit/fake_http.h"

#include <stdatomic.h>

struct fake_kube {
    fake_http_t *server;
    http_t *io;
    kube_t *k;
};

static const struct kube_resource configmaps UNUSED = {
    .group = "", .version = "v1", .kind = "ConfigMap", .plural = "configmaps", .namespaced = true};

/* config may hold credentials; its server is set here. */
static UNUSED void fake_kube_open(struct fake_kube *f, fake_handler handler, void *arg,
                                  struct kube_config config, struct kube_options options)
{
    AUTO_ERR err = NULL;
    f->server = fake_http_start(false, handler, arg);
    f->io = http_new("kube-io");
    AUTO(free_p) char *url = fake_http_url(f->server, "/prefix/");
    config.server = url;
    options.io = f->io;
    ASSERT_OK(kube_open(&config, &options, &f->k, &err));
}

static UNUSED void fake_kube_close(struct fake_kube *f)
{
    kube_close(f->k);
    fake_http_stop(f->server);
    http_free(f->io);
}

static UNUSED bool has(const char *text, const char *piece)
{
    return strstr(text, piece) != NULL;
}

static UNUSED void fake_status(fake_conn_t *c, const char *status, const char *headers, const char *reason)
{
    AUTO(free_p)
    char *body = xasprintf("{\"kind\":\"Status\",\"code\":%d,\"reason\":\"%s\",\"message\":\"%s!\"}",
                           atoi(status), reason, reason);
    fake_reply(c, status, headers, body);
}

#endif
