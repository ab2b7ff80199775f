/* Gzipped tar archives (POSIX.1-2001 ustar and pax; GNU's long names when reading) as streams: source trees
 * travel in them to and from config management plugins.
 *
 * What others packed (charts, artifacts, uploads) is read by repo-server/artifact with libarchive, which
 * knows what their tars may have: no compression, sparse files of three formats, old headers. The plugins'
 * sidecar cannot have that library: it is linked statically, and libarchive's dependencies (XML, crypto,
 * ACLs, six compressions) do not come along. Of these archives both ends are ours or Argo CD's, so zlib and
 * three kinds of members are all that is needed. */
#ifndef CARGOCD_BASE_TGZ_H
#define CARGOCD_BASE_TGZ_H

#include "common/base/err.h"
#include "common/base/hash.h"

/* ---- writing ---- */

typedef struct tgz_writer tgz_writer_t;
/* Writes to fd, which stays the caller's. */
tgz_writer_t *tgz_writer_new(int fd) MUST_USE;
int tgz_add_dir(tgz_writer_t *w, const char *path, err_t **err);
int tgz_add_file(tgz_writer_t *w, const char *path, bool executable, const void *p, size_t n, err_t **err);
int tgz_add_link(tgz_writer_t *w, const char *path, const char *target, err_t **err);
/* The size in bytes and the SHA-256 of what was written. Frees nothing. */
int tgz_writer_finish(tgz_writer_t *w, char checksum[SHA256_HEX], uint64_t *size, err_t **err);
void tgz_writer_free(tgz_writer_t *w);
AUTO_DECL(tgz_writer_free_p, tgz_writer_t, tgz_writer_free)

/* ---- reading ---- */

enum tgz_kind { TGZ_FILE, TGZ_DIR, TGZ_LINK };
struct tgz_entry {
    enum tgz_kind kind;
    const char *path;   /* as it stands in the archive; borrowed */
    const char *target; /* of a link */
    unsigned mode;
    uint64_t size;
};
/* Entries of other kinds (hard links, devices) are skipped. An error of a callback ends the reading. */
struct tgz_reading {
    int (*on_entry)(void *arg, const struct tgz_entry *e, err_t **err);
    int (*on_data)(void *arg, const void *p, size_t n, err_t **err); /* of the file just told */
    void *arg;
    uint64_t max_bytes;   /* of the decompressed stream; 0: none. What is over it is cut: an unexpected end */
    uint64_t max_entries; /* 0: 1,000,000 */
};
/* From the descriptor's position to the end. ERR_INVALID_ARGUMENT: malformed. */
int tgz_read(int fd, const struct tgz_reading *reading, err_t **err);

struct tgz_extract_options {
    bool keep_modes; /* else 0644 and 0755 */
    uint64_t max_bytes;
};
/* Below `dir`, which must exist. A name that leads out is "illegal filepath in archive: x", a link that does
 * is "illegal filepath in symlink: x"; links are made relative, and nothing is written through one. */
int tgz_extract(int fd, const char *dir, const struct tgz_extract_options *options, err_t **err);

#endif
