// The dashboard's files, compiled into the program. The table is written by api-server/web/build.mjs; with
// WITH_UI=0 it is api-server/web/no_ui.c and holds only a one-line index.html. It is sorted by path (strcmp)
// and constant.
#ifndef API_SERVER_HTTP_WEB_ASSETS_H
#define API_SERVER_HTTP_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct web_asset {
    const char *path; // relative to the base, without a leading slash: "index.html", "main-4JX2M7QK.js"
    const char *mime; // value of Content-Type
    const char *etag; // SHA-256 of the plain bytes, hexadecimal, without quotes
    bool immutable;   // the name carries a hash: may be cached for ever
    const unsigned char *gz; // the body as one gzip member
    size_t gz_size;          // bytes
};

extern const struct web_asset web_assets[];
extern const size_t web_assets_n;

#endif
