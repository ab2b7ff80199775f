/* Inside of artifacts: files on disk and what is known about them. */
#ifndef CARGOCD_REPO_ARTIFACT_STORE_H
#define CARGOCD_REPO_ARTIFACT_STORE_H

#include "common/base/map.h"
#include "repo-server/artifact/artifacts.h"
#include "repo-server/flight.h"

enum { LIST_LOCKS = 16 };

struct artifacts {
    struct artifacts_options options;
    char *packs, *lists; /* directories */
    flights_t *flights;
    lock_t list_locks[LIST_LOCKS]; /* by repository: one fetch of a list at a time */
    lock_t lock;                   /* guards the maps */
    map_t resolved;                /* struct kept by question: what a revision means */
    map_t contents;                /* struct kept by question: where a content is that no digest pins */
};

/* A question under way: struct artifact_want with texts of its own. */
struct fetch {
    artifacts_t *a;
    remote_t *remote;
    char *chart, *revision;
    bool fresh_lists, fresh_content, resolve_only, pass_credentials;
    atomic_bool *canceled;
    mono_t started;
};

static inline int64_t since(mono_t then)
{
    return mono_now().ns - then.ns;
}

/* What is known, younger than ttl. The caller's; NULL: nothing. */
char *store_recall(artifacts_t *a, map_t *map, const char *key, int64_t ttl_ns);
void store_remember(artifacts_t *a, map_t *map, const char *key, const char *value);

/* A digest of texts (NULL-terminated), in hex: names files and questions. */
void store_key(char out[SHA256_HEX], ...) __attribute__((sentinel));
/* The path of a content's pack. The caller's. */
char *store_pack_path(const artifacts_t *a, const char *key) MUST_USE;
/* Whether it is there; then it counts as used now. */
bool store_has_pack(const char *path);
/* A file without a name, for what comes over the network. -1: an error. */
int store_scratch(const artifacts_t *a, err_t **err);

/* lists.c: the versions of a chart (all charts when `chart` is NULL) of a Helm repository. */
int list_index(struct fetch *f, const char *chart, index_entries_t *out, err_t **err);
/* The tags of `repository` in a registry, as versions ("_" is "+"). *out is the caller's. */
int list_versions(struct fetch *f, const char *repository, char ***out, err_t **err);

/* chart.c, oci.c */
int chart_fetch(struct fetch *f, struct artifact *out, err_t **err);
int oci_fetch(struct fetch *f, struct artifact *out, err_t **err);
/* The content of the one layer that counts, unpacked. `chart`: it is a chart of that name; NULL: by the
 * manifest. */
int oci_unpack(struct fetch *f, struct registry *r, const char *digest, const json_t *manifest,
               const char *chart, char **pack, err_t **err);
/* Counts and times a request to a registry. */
void oci_count(const struct fetch *f, const char *type, int64_t started_ns, int result);

#endif
