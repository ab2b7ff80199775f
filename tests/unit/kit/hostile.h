/* Documents as nobody should write them: for showing that a reader of outside documents only ever answers.
 * Seeded, so that a failure comes again. */
#ifndef CARGOCD_TESTS_UNIT_KIT_HOSTILE_H
#define CARGOCD_TESTS_UNIT_KIT_HOSTILE_H

#include "common/json/json.h"

struct hostile {
    uint64_t state; /* any seed */
};
uint64_t hostile_random(struct hostile *h);
/* At most n - 1; n > 0. */
size_t hostile_below(struct hostile *h, size_t n);
/* A copy of the document in which one to three values, deep ones included, are missing, of another type, huge
 * or empty. */
json_t *hostile_document(struct hostile *h, const json_t *doc) MUST_USE;

#endif
