/* URLs as the HTTP client needs them. */
#ifndef CARGOCD_NET_HTTP_URL_H
#define CARGOCD_NET_HTTP_URL_H

#include "common/base/err.h"

enum { HTTP_MAX_URL = 64 << 10 };

struct http_url {
    char *scheme; /* "http" or "https" */
    char *host;   /* lower case; an IPv6 address without its brackets */
    unsigned port;
    char *path_query; /* begins with "/" */
};
/* http and https only; a user information is refused. */
int http_url_parse(const char *text, struct http_url *out, err_t **err);
void http_url_dispose(struct http_url *u);
/* "https://host:443", an IPv6 host in brackets: what may share connections and credentials. */
char *http_url_origin(const struct http_url *u) MUST_USE;
/* The absolute form of a Location found in the answer to `base`. */
int http_url_resolve(const char *base, const char *location, char **out, err_t **err);

#endif
