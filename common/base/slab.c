/* A slab is 64 KiB, aligned to its size, of cells of one class: its header is found from any of its cells. A
 * class keeps a list of the slabs with room, filled from its head. Cells that were never used are taken in
 * order, so that pages that nothing needed yet are not touched; freed ones form a list through themselves. A
 * slab without a live cell is unmapped, but for the only one of its class with room, lest one cell allocated
 * and freed in turn cost two system calls. What is larger than the largest class is the heap's. */
#include "common/base/slab.h"
#include "common/base/thread.h"

#include <sys/mman.h>

enum { SLAB = 64 << 10, STEP = 16, FINE = 512, COARSE_STEP = 128 };
enum { FINE_CLASSES = FINE / STEP, CLASSES = FINE_CLASSES + (SLAB_LARGEST - FINE) / COARSE_STEP };

struct cell {
    struct cell *next;
};

struct slab {
    struct slab *next, **at; /* in the list of those with room; at is NULL outside of it */
    struct cell *freed;
    uint32_t class, live, fresh; /* fresh: offset of the first cell that was never used */
} __attribute__((aligned(STEP)));

static struct class
{
    lock_t lock; /* guards the class's slabs too */
    struct slab *room;
    size_t slabs, used; /* used: bytes of live cells */
} classes[CLASSES] = {[0 ... CLASSES - 1] = {.lock = LOCK_INIT}};

static unsigned class_of(size_t n)
{
    if (n <= FINE)
        return n ? (unsigned)((n - 1) / STEP) : 0;
    return FINE_CLASSES + (unsigned)((n - FINE - 1) / COARSE_STEP);
}

static uint32_t cell_size(unsigned class)
{
    return class < FINE_CLASSES ? (class + 1) * STEP : FINE + (class - FINE_CLASSES + 1) * COARSE_STEP;
}

static void list_put(struct class *c, struct slab *s)
{
    s->next = c->room;
    s->at = &c->room;
    if (s->next)
        s->next->at = &s->next;
    c->room = s;
}

static void list_take(struct slab *s)
{
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    s->at = NULL;
}

/* mmap aligns to pages: of twice the size, what is aligned stays. */
static struct slab *slab_new(unsigned class)
{
    char *p = mmap(NULL, 2 * SLAB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        oom();
    size_t before = (SLAB - ((uintptr_t)p & (SLAB - 1))) & (SLAB - 1);
    if (before)
        munmap(p, before);
    munmap(p + before + SLAB, SLAB - before);
    struct slab *s = (struct slab *)(p + before);
    s->class = class;
    s->fresh = sizeof(*s);
    return s;
}

static bool is_full(const struct slab *s)
{
    return !s->freed && s->fresh + cell_size(s->class) > SLAB;
}

static void *cell_take(struct slab *s)
{
    s->live++;
    struct cell *cell = s->freed;
    if (cell) {
        s->freed = cell->next;
        return cell;
    }
    void *fresh = (char *)s + s->fresh;
    s->fresh += cell_size(s->class);
    return fresh;
}

static void *class_alloc(unsigned i)
{
    struct class *c = &classes[i];
    LOCKED(&c->lock);
    if (!c->room) {
        list_put(c, slab_new(i));
        c->slabs++;
    }
    struct slab *s = c->room;
    void *p = cell_take(s);
    if (is_full(s))
        list_take(s);
    c->used += cell_size(i);
    return p;
}

static void class_free(unsigned i, void *p)
{
    struct class *c = &classes[i];
    struct slab *s = (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB - 1));
    LOCKED(&c->lock);
    struct cell *cell = p;
    cell->next = s->freed;
    s->freed = cell;
    s->live--;
    c->used -= cell_size(i);
    if (!s->at)
        list_put(c, s);
    if (!s->live && (c->room != s || s->next)) {
        list_take(s);
        c->slabs--;
        munmap(s, SLAB);
    }
}

#if defined(__SANITIZE_ADDRESS__)
size_t slab_largest = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
size_t slab_largest = 0;
#else
size_t slab_largest = SLAB_LARGEST;
#endif
#else
size_t slab_largest = SLAB_LARGEST;
#endif

void *slab_alloc(size_t n)
{
    return n > slab_largest ? xmalloc(n) : class_alloc(class_of(n));
}

void *slab_zalloc(size_t n)
{
    return memset(slab_alloc(n), 0, n);
}

void slab_free(void *p, size_t n)
{
    if (!p)
        return;
    if (n > slab_largest)
        free(p);
    else
        class_free(class_of(n), p);
}

void *slab_resize(void *p, size_t from, size_t to)
{
    void *moved = slab_alloc(to);
    if (p)
        memcpy(moved, p, min_size(from, to));
    slab_free(p, from);
    return moved;
}

char *slab_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(slab_alloc(n), s, n);
}

void slab_strfree(char *s)
{
    if (s)
        slab_free(s, strlen(s) + 1);
}

void slab_stats(size_t *taken, size_t *used)
{
    *taken = *used = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        LOCKED(&classes[i].lock);
        *taken += classes[i].slabs * SLAB;
        *used += classes[i].used;
    }
}
