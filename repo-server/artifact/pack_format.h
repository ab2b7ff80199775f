/* What pack.c and pack_make.c share: the layout of a pack.
 *
 *   contents   the files' and links' bytes
 *   files      struct pack_file, sorted by id
 *   dirs       struct pack_dir, sorted by id
 *   entries    struct pack_entry, those of one directory in a row, sorted by name
 *   names      the entries' names
 *   tail       struct pack_tail
 *
 * Packs are read on the machine that wrote them: numbers are in its byte order. */
#ifndef CARGOCD_REPO_ARTIFACT_PACK_FORMAT_H
#define CARGOCD_REPO_ARTIFACT_PACK_FORMAT_H

#include "repo-server/artifact/pack.h"

#define PACK_MAGIC "CGPACK2"

struct pack_file {
    struct node_id id;
    uint32_t unused;
    uint64_t offset, size;
};

struct pack_dir {
    struct node_id id;
    uint32_t first, n; /* of its entries */
};

struct pack_entry {
    struct node_id id;
    uint8_t kind, executable;
    uint16_t name_size;
    uint32_t name; /* offset in names */
};

struct pack_tail {
    uint64_t files_at, nfiles, ndirs, nentries, names_size;
    struct node_id root;
    unsigned char digest[20]; /* of everything from files_at up to here */
    char magic[8];
};

/* Of a file's or link's content. */
void pack_content_id(const void *p, size_t n, struct node_id *out);

#endif
