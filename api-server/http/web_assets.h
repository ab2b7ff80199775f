/* The dashboard's files as they are linked into the server: a table that the build of api-server/web writes.
 */
#ifndef CARGOCD_API_HTTP_WEB_ASSETS_H
#define CARGOCD_API_HTTP_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct web_asset {
    const char *path; /* "index.html", without a leading slash */
    const char *mime;
    const char *etag; /* SHA-256 of the plain bytes, hex */
    bool immutable;   /* its name changes with its content */
    const unsigned char *gz;
    size_t gz_size;
};
extern const struct web_asset web_assets[];
extern const size_t web_assets_n;

#endif
