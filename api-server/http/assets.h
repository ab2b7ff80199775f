/* The dashboard's files: embedded, and overridden file by file from a directory (--staticassets). */
#ifndef CARGOCD_API_HTTP_ASSETS_H
#define CARGOCD_API_HTTP_ASSETS_H

#include "api-server/http/exchange.h"

struct assets_options {
    const char *directory;       /* NULL or "": none */
    const char *base_href;       /* for <base href>; NULL or "": "/" */
    const char *x_frame_options; /* "": the header is not sent */
    const char *csp;             /* NULL: ours; "": not sent */
    const char *css_url;         /* ui.cssurl: its host may serve styles */
};
/* path: of the request, still escaped. Takes the exchange. */
void assets_serve(exchange_t *ex_take, const char *path, const struct assets_options *o);

/* The policy that is sent when no flag says another. The result is the caller's. */
char *assets_default_csp(const char *css_url) MUST_USE;

#endif
