/* The few macros and the allocator that everything else is built on.
 *
 * Out of memory aborts in one place (`oom`): sizes that come from outside are capped before they are
 * allocated, so running out means the machine is out, and a half-working daemon is worse than a restarted
 * one. */
#ifndef CARGOCD_BASE_BASE_H
#define CARGOCD_BASE_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_USE          __attribute__((warn_unused_result))
#define NORETURN          __attribute__((noreturn))
#define UNUSED            __attribute__((unused))

/* AUTO(fn) frees a local when it leaves its scope: `AUTO(free_p) char *s = NULL;` */
#define AUTO(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a)             (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, f) ((type *)((char *)(p)-offsetof(type, f)))
#define STRINGIFY_(x)            #x
#define STRINGIFY(x)             STRINGIFY_(x)

/* Hands a pointer out of its owner: TAKE(p) is p's value, and p is NULL afterwards. */
#define TAKE(p)                                                                                              \
    ({                                                                                                       \
        __typeof__(p) take_tmp_ = (p);                                                                       \
        (p) = NULL;                                                                                          \
        take_tmp_;                                                                                           \
    })

/* Defines `static inline void name(type **p)` that calls fn on *p: the form that AUTO needs. */
#define AUTO_DECL(name, type, fn)                                                                            \
    static inline UNUSED void name(type **p)                                                                 \
    {                                                                                                        \
        if (*p)                                                                                              \
            fn(*p);                                                                                          \
        *p = NULL;                                                                                           \
    }

NORETURN void oom(void);

void *xmalloc(size_t n) MUST_USE __attribute__((returns_nonnull));
void *xcalloc(size_t n, size_t size) MUST_USE __attribute__((returns_nonnull));
void *xrealloc(void *p, size_t n) MUST_USE __attribute__((returns_nonnull));
/* NULL in, NULL out. */
char *xstrdup(const char *s) MUST_USE;
char *xstrndup(const char *s, size_t n) MUST_USE;
void *xmemdup(const void *p, size_t n) MUST_USE;
char *xasprintf(const char *fmt, ...) PRINTF(1, 2) MUST_USE;
char *xvasprintf(const char *fmt, va_list ap) PRINTF(1, 0) MUST_USE;

static inline UNUSED void free_p(void *p)
{
    free(*(void **)p);
    *(void **)p = NULL;
}

/* Closes *fd if it is not negative, and makes it -1. errno is kept. */
void close_p(int *fd);

/* Overwrites n bytes in a way that the compiler does not remove, for keys and passwords. */
void wipe(void *p, size_t n);

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
