/* Which proxy a request goes through, by the rules of Go's golang.org/x/net/http/httpproxy, because that is
 * what the environments our users bring were written for: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in upper or
 * lower case; NO_PROXY is a list of hosts, domains, addresses and CIDRs, each with an optional port; loopback
 * is never proxied. */
#ifndef CARGOCD_NET_HTTP_PROXY_H
#define CARGOCD_NET_HTTP_PROXY_H

#include "common/net/http_url.h"

/* Whether the rules of a NO_PROXY text let requests to host and port go through a proxy. */
bool http_proxy_applies(const char *no_proxy, const char *host, unsigned port);
/* "proxy:3128" -> "http://proxy:3128"; socks5 -> socks5h (the proxy resolves names, as in Go). Schemes other
 * than http, https, socks5 and socks5h are an error. */
int http_proxy_normal(const char *text, char **out, err_t **err);
/* *out: the proxy's URL, the caller's, or NULL for none. `proxy` NULL: the environment's; "": none. With an
 * explicit proxy and no_proxy NULL there are no exceptions. */
int http_proxy_for(const char *proxy, const char *no_proxy, const struct http_url *url, char **out,
                   err_t **err);

#endif
