/* A growable array of any type: `VEC(struct app *) apps = {};`. Elements are `apps.v[0 .. apps.n-1]`. */
#ifndef CARGOCD_BASE_VEC_H
#define CARGOCD_BASE_VEC_H

#include "common/base/base.h"

#define VEC(type)                                                                                            \
    struct {                                                                                                 \
        type *v;                                                                                             \
        size_t n, cap;                                                                                       \
    }

/* Makes room for one more and returns its address (contents undefined). */
#define VEC_ADD(vec)                                                                                         \
    ({                                                                                                       \
        if ((vec)->n == (vec)->cap) {                                                                        \
            (vec)->cap = (vec)->cap ? (vec)->cap * 2 : 4;                                                    \
            (vec)->v = xrealloc((vec)->v, (vec)->cap * sizeof(*(vec)->v));                                   \
        }                                                                                                    \
        &(vec)->v[(vec)->n++];                                                                               \
    })
#define VEC_PUSH(vec, ...) (*VEC_ADD(vec) = (__VA_ARGS__))
#define VEC_POP(vec)       ((vec)->v[--(vec)->n])
/* Removes element i, keeping the order. */
#define VEC_REMOVE(vec, i)                                                                                   \
    do {                                                                                                     \
        size_t at_ = (i);                                                                                    \
        memmove(&(vec)->v[at_], &(vec)->v[at_ + 1], ((vec)->n - at_ - 1) * sizeof(*(vec)->v));               \
        (vec)->n--;                                                                                          \
    } while (0)
/* Frees the array itself, not what its elements point to. */
#define VEC_FREE(vec)                                                                                        \
    do {                                                                                                     \
        free((vec)->v);                                                                                      \
        (vec)->v = NULL;                                                                                     \
        (vec)->n = (vec)->cap = 0;                                                                           \
    } while (0)
#define VEC_FOREACH(vec, it)                                                                                 \
    for (__typeof__((vec)->v + 0) it = (vec)->v; (it) && (it) < (vec)->v + (vec)->n; (it)++)
#define VEC_SORT(vec, cmp)                                                                                   \
    do {                                                                                                     \
        if ((vec)->n > 1)                                                                                    \
            qsort((vec)->v, (vec)->n, sizeof(*(vec)->v), cmp);                                               \
    } while (0)

#endif
