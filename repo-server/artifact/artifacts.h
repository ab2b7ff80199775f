/* Charts of Helm repositories and of registries, and plain OCI artifacts: which version a revision means, and
 * its content as a pack (pack.h) on disk.
 *
 * What is kept is kept for one credential: whoever shows another one is told by the repository itself whether
 * it may read, even where the digest of the content is known. Lists of versions are used for an interval by
 * all who ask; contents until the disk space is needed, those that nothing pins for a time only. */
#ifndef CARGOCD_REPO_ARTIFACT_ARTIFACTS_H
#define CARGOCD_REPO_ARTIFACT_ARTIFACTS_H

#include "common/base/metrics.h"
#include "common/base/thread.h"
#include "repo-server/disk.h"
#include "repo-server/artifact/index.h"
#include "repo-server/artifact/registry.h"

/* Texts are borrowed for the life of the object. */
struct artifacts_options {
    const char *root; /* of our files; made when it is not there */
    struct remote_settings remote;
    pool_t *pool;            /* for waiting on the network; must be freed before the object */
    int64_t list_ttl_ns;     /* how long a list of versions, or what a tag means, is used */
    int64_t content_ttl_ns;  /* how long a content is used that no digest pins */
    uint64_t max_index;      /* bytes of an index; ARGOCD_REPO_SERVER_HELM_MANIFEST_MAX_INDEX_SIZE */
    uint64_t max_chart;      /* of a chart, unpacked; 0: no limit */
    uint64_t max_oci;        /* of an artifact, unpacked; 0: no limit */
    const char *layer_types; /* media types separated by commas; NULL: Argo CD's */
    metric_t *oci_requests, *oci_durations, *oci_failures[5]; /* may be NULL; failures: see oci.c */
};
typedef struct artifacts artifacts_t;
int artifacts_new(const struct artifacts_options *options, artifacts_t **out, err_t **err);
void artifacts_free(artifacts_t *a);

/* Contents and lists, for disk.h. */
void artifacts_disk(void *artifacts, disk_items_t *out);
bool artifacts_evict(void *artifacts, const struct disk_item *item);

/* What is asked for. */
struct artifact_want {
    remote_t *remote;
    const char *chart;     /* NULL or "": the artifact that an oci:// URL names */
    const char *revision;  /* a version, a constraint, a tag, a digest */
    bool fresh_lists;      /* lists must be new ones */
    bool fresh_content;    /* so must the content */
    bool resolve_only;     /* the revision is enough */
    bool pass_credentials; /* to whatever host an index names */
};

struct artifact {
    char *revision; /* a version as it is spelled there, or a digest */
    char *pack;     /* its path; NULL when only the revision was wanted */
};
/* The result is borrowed for the time of the call; one of the two is NULL. */
typedef void (*artifact_done_fn)(void *arg, const struct artifact *artifact, err_t *err);
/* Everything is copied. done comes once, on a thread of the pool or at once. */
void artifacts_get(artifacts_t *a, const struct artifact_want *want, artifact_done_fn done, void *arg);

/* These block; they are for threads of the pool. */

/* All charts of a Helm repository, from a fresh index. */
int artifacts_charts(artifacts_t *a, remote_t *remote, index_entries_t *out, atomic_bool *canceled,
                     err_t **err);
/* All tags of the artifact that an oci:// URL names. *out is the caller's. */
int artifacts_tags(artifacts_t *a, remote_t *remote, char ***out, atomic_bool *canceled, err_t **err);
/* The manifest of an artifact. *out is the caller's. */
int artifacts_manifest(artifacts_t *a, remote_t *remote, const char *revision, json_t **out,
                       atomic_bool *canceled, err_t **err);
/* Whether the repository answers and lets us in. */
int artifacts_test(artifacts_t *a, remote_t *remote, atomic_bool *canceled, err_t **err);

#endif
