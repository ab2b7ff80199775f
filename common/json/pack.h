/* Documents at rest: compact, compressed bytes. A parsed document takes twelve times its text, so trees live
 * for one comparison and stores keep packs. */
#ifndef CARGOCD_JSON_PACK_H
#define CARGOCD_JSON_PACK_H

#include "common/json/json.h"

/* Immutable. NULL is a valid pack of nothing. */
typedef struct pack pack_t;

pack_t *pack_json(const json_t *v) MUST_USE;
pack_t *pack_bytes(const void *p, size_t n) MUST_USE;
/* As it is, for what is soon to be replaced: compressing costs more than reading. */
pack_t *pack_plain(const void *p, size_t n) MUST_USE;
/* Compresses what was packed as it is, if that is worth it. */
pack_t *pack_tighten(pack_t *p_take) MUST_USE;
/* Packs are shared: another reference to the same bytes, to be freed as one. */
pack_t *pack_copy(const pack_t *p) MUST_USE;
void pack_free(pack_t *p);
/* The document; NULL for NULL. Aborts only on memory that was overwritten: a pack is never outside input. */
json_t *pack_open(const pack_t *p) MUST_USE;
void pack_read(const pack_t *p, str_t *out);
/* Bytes that the pack takes. */
size_t pack_size(const pack_t *p);
/* Of the text: equal packs have equal hashes. */
uint64_t pack_hash(const pack_t *p);

AUTO_DECL(pack_free_p, pack_t, pack_free)

#endif
