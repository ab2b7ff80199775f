/* The content of an archive (a chart, a layer of an OCI artifact, a tar that a client sent) as a source tree.
 *
 * It is unpacked once into a single file, a pack: all contents one after the other, and a directory of them
 * by id. Names of the archive never become paths of the host, so that nothing in it can lead anywhere. Ids
 * are digests of the content, as Git's are, so that a rendering of one version of a chart is proved valid for
 * another in which the files that it read are the same. */
#ifndef CARGOCD_REPO_ARTIFACT_PACK_H
#define CARGOCD_REPO_ARTIFACT_PACK_H

#include "repo-server/tree.h"

enum { PACK_MAX_ENTRIES = 200000, PACK_MAX_DEPTH = 100 };

struct pack_options {
    uint64_t max_bytes; /* after decompression; 0: no limit */
    /* This directory of the archive becomes the root: "name"; "*": the only one that there is at the top;
     * NULL: all of the archive. */
    const char *root;
};

/* Reads a tar, compressed by gzip or not, and makes the pack `path` (in place of what was there, at once).
 * ERR_INVALID_ARGUMENT for what is no tar, and for names and links that lead out ("illegal filepath in
 * archive: …"); ERR_RESOURCE_EXHAUSTED for too much. */
int pack_make(int fd, const char *path, const struct pack_options *options, err_t **err);

/* ERR_NOT_FOUND when there is no such file; ERR_DATA_LOSS for a damaged one. The file may be removed while it
 * is open. */
int pack_open(const char *path, tree_backend_t **out, err_t **err);

#endif
