/* The index of a Helm repository (index.yaml, https://helm.sh/docs/topics/chart_repository/), reduced to what
 * choosing and fetching a chart needs. Indexes of 50 MB are common, so neither the text nor a document of it
 * is ever in memory: it is read from a file by events and kept as a file of lines. */
#ifndef CARGOCD_REPO_ARTIFACT_INDEX_H
#define CARGOCD_REPO_ARTIFACT_INDEX_H

#include "common/base/err.h"
#include "common/base/vec.h"

#include <stdio.h>

/* One version of a chart. `digest` is SHA-256 in hex, "" when the index has none; `url` may be relative. */
struct index_entry {
    char *name, *version, *digest, *url;
};
void index_entry_dispose(struct index_entry *e);
typedef VEC(struct index_entry) index_entries_t;
void index_entries_free(index_entries_t *l);

/* Reads index.yaml and writes its lines. What Helm skips (versions without text, charts without a name) is
 * skipped. ERR_INVALID_ARGUMENT: no index; ERR_RESOURCE_EXHAUSTED: one with too many versions. */
int index_reduce(FILE *yaml, FILE *lines, err_t **err);

/* The versions of a chart, all charts when `name` is NULL, in the order of the index. */
int index_read(FILE *lines, const char *name, index_entries_t *out, err_t **err);

#endif
