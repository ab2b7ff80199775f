/* What trace.c and trace_check.c share. */
#ifndef CARGOCD_REPO_TRACE_FORMAT_H
#define CARGOCD_REPO_TRACE_FORMAT_H

#include "repo-server/trace.h"

enum { TRACE_VERSION = 2, TRACE_DIGEST = 16, TRACE_CONTENT_BIT = 8, TRACE_KIND_MASK = 7 };

struct trace_listing {
    struct tree_select sel;
};

void trace_digest_listing(const struct tree_select *sel, const struct tree_entries *all,
                          unsigned char out[TRACE_DIGEST]);
void trace_digest_value(const char *value, unsigned char out[TRACE_DIGEST]);

#endif
