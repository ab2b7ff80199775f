/* Git's packet lines (https://git-scm.com/docs/protocol-common), and what of protocol version 0
 * (https://git-scm.com/docs/pack-protocol) a fetch of a part of a history is told by them. Reading only;
 * nothing here knows of networks or repositories. */
#ifndef CARGOCD_REPO_GIT_PKTLINE_H
#define CARGOCD_REPO_GIT_PKTLINE_H

#include "common/base/map.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "repo-server/git/refs.h"

/* Reads up to `size` bytes; *n 0: the stream has ended. */
typedef int (*pkt_read_fn)(void *arg, char *buf, size_t size, size_t *n, err_t **err);

enum { PKT_MAX = 65520 }; /* with its length */

struct pkt_reader {
    pkt_read_fn read;
    void *arg;
    size_t have, at; /* of buf */
    char buf[2 * PKT_MAX];
};

enum pkt_kind { PKT_END, PKT_FLUSH, PKT_DATA };
/* The next line; *data lasts until the next call. A line that begins with "ERR " is an error with the
 * server's words. PKT_END only between lines: ERR_UNAVAILABLE when the stream ends within one. */
int pkt_next(struct pkt_reader *r, enum pkt_kind *kind, view_t *data, err_t **err);
/* Appends a line. */
void pkt_add(str_t *out, const char *fmt, ...) PRINTF(2, 3);

/* ---- what the server has ---- */

struct pkt_ref {
    char oid[GIT_OID_HEX];    /* of the object, which may be a tag */
    char commit[GIT_OID_HEX]; /* that the tag points to; "": the same */
    bool branch_or_tag;
};

struct pkt_advert {
    VEC(struct pkt_ref) refs;
    char *last;         /* the name of the reference that came last */
    char *capabilities; /* as the first line has them */
    size_t lines, bytes;
};
/* Reads it to its end. ERR_NOT_FOUND: there is nothing; ERR_RESOURCE_EXHAUSTED. */
int pkt_read_advert(struct pkt_reader *r, struct pkt_advert *out, err_t **err);
void pkt_advert_dispose(struct pkt_advert *a);
/* A word of the capabilities, as a whole. */
bool pkt_capable(const struct pkt_advert *a, const char *word);
/* What is to be asked for so that the object (in full, or the beginning of its name) comes: the object
 * itself, or a tag that points to it. NULL: it is not what a reference points to, or more than one is. */
const char *pkt_find(const struct pkt_advert *a, const char *oid);

/* ---- where a history is cut ---- */

/* Commits whose parents are not there, by their names in full. */
typedef map_t shallow_t;
enum { SHALLOW_MAX = 1000000 };
/* "shallow <oid>" and "unshallow <oid>" up to the flush. */
int pkt_read_shallow(struct pkt_reader *r, shallow_t *set, err_t **err);

#endif
