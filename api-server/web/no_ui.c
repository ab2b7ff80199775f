// The dashboard's place in a build without it (WITH_UI=0): one line that says so. The body is a gzip member
// with one stored block (RFC 1951, 3.2.4), so that the text stands here as it is; its length is in the
// header, its CRC-32 and length at the end.
#include "api-server/http/web_assets.h"

#define PAGE                                                                                                 \
    "<!doctype html><title>cargocd</title>"                                                                  \
    "<p>This server was built without the dashboard; the API is at api/v1.</p>\n"

static const char page_gz[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
                              "\x01\x6f\x00\x90\xff" PAGE "\x69\x84\xc2\x0f\x6f\x00\x00\x00";

_Static_assert(sizeof PAGE - 1 == 111, "the lengths in the gzip member are those of the page");

const struct web_asset web_assets[] = {
    {"index.html", "text/html; charset=utf-8",
     "6dcb62ee05a748568e48968358354bdc863f12ee47ff9016f47affffded5f058", false,
     (const unsigned char *)page_gz, sizeof page_gz - 1},
};
const size_t web_assets_n = sizeof web_assets / sizeof *web_assets;
