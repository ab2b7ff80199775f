#include "app-controller/members/moves.h"
#include "common/base/clock.h"
#include "common/base/str.h"

enum { MAX_TEXT = 100 << 10 };

void moves_init(struct moves *m)
{
    *m = (struct moves){.given.value_free = free};
    pthread_mutex_init(&m->lock, NULL);
}

static void move_dispose(struct move *v)
{
    free(v->key);
    free(v->rv);
}

void moves_dispose(struct moves *m)
{
    VEC_FOREACH(&m->asked, v)
        move_dispose(v);
    VEC_FREE(&m->asked);
    map_dispose(&m->given);
    pthread_mutex_destroy(&m->lock);
}

/* With the lock held. */
static void drop(struct moves *m, size_t i)
{
    move_dispose(&m->asked.v[i]);
    memmove(&m->asked.v[i], &m->asked.v[i + 1], (m->asked.n - i - 1) * sizeof(*m->asked.v));
    m->asked.n--;
    m->changed = true;
}

static void drop_key(struct moves *m, const char *key)
{
    for (size_t i = m->asked.n; i-- > 0;)
        if (strcmp(m->asked.v[i].key, key) == 0)
            drop(m, i);
}

void moves_ask(struct moves *m, const char *key, const char *rv)
{
    LOCKED(&m->lock);
    uint64_t now = (uint64_t)wall_now().ns;
    drop_key(m, key);
    m->number = now > m->number ? now : m->number + 1;
    VEC_PUSH(&m->asked, ((struct move){xstrdup(key), xstrdup(rv), m->number}));
    m->changed = true;
}

void moves_withdraw(struct moves *m, const char *key)
{
    LOCKED(&m->lock);
    drop_key(m, key);
}

bool moves_pending(struct moves *m)
{
    LOCKED(&m->lock);
    return m->asked.n > 0;
}

char *moves_question(struct moves *m, uint64_t *number)
{
    LOCKED(&m->lock);
    AUTO_STR list = STR_INIT;
    *number = 0;
    for (size_t i = 0; i < m->asked.n && list.len < MAX_TEXT; i++) {
        str_printf(&list, " %s=%s", m->asked.v[i].key, m->asked.v[i].rv);
        *number = m->asked.v[i].number;
    }
    return *number ? xasprintf("%llu%s", (unsigned long long)*number, str_text(&list)) : xstrdup("");
}

char *moves_answers(struct moves *m)
{
    LOCKED(&m->lock);
    str_t text = STR_INIT;
    MAP_FOREACH(&m->given, e)
        if (text.len < MAX_TEXT)
            str_printf(&text, "%s%s=%llu", text.len ? " " : "", e->key,
                       (unsigned long long)*(uint64_t *)e->value);
    return text.len ? str_take(&text) : xstrdup("");
}

void moves_wrote(struct moves *m, uint64_t number)
{
    LOCKED(&m->lock);
    m->written = number;
    m->changed = m->asked.n && m->asked.v[m->asked.n - 1].number != number;
}

bool moves_unwritten(struct moves *m)
{
    LOCKED(&m->lock);
    return m->changed;
}

static uint64_t given_to(struct moves *m, const char *name)
{
    LOCKED(&m->lock);
    const uint64_t *number = map_get(&m->given, name);
    return number ? *number : 0;
}

static bool all_let_go(const char *list, bool (*let_go)(void *ctx, const char *key, const char *rv),
                       void *ctx)
{
    AUTO(strv_free_p) char **entries = strv_split(list, " ", true);
    bool all = true;
    for (char **e = entries; *e; e++) {
        char *rv = strchr(*e, '=');
        if (!rv || rv == *e || !rv[1])
            continue;
        *rv++ = 0;
        all = let_go(ctx, *e, rv) && all;
    }
    return all;
}

void moves_answer(struct moves *m, const char *name, const char *question,
                  bool (*let_go)(void *ctx, const char *key, const char *rv), void *ctx)
{
    uint64_t number;
    size_t digits = strspn(str_or_empty(question), "0123456789");
    AUTO(free_p) char *head = xstrndup(str_or_empty(question), digits);
    if (!str_to_u64(head, &number) || given_to(m, name) == number ||
        !all_let_go(question + digits, let_go, ctx))
        return;
    LOCKED(&m->lock);
    map_put(&m->given, name, xmemdup(&number, sizeof(number)));
    m->changed = true;
}

uint64_t moves_last(struct moves *m)
{
    LOCKED(&m->lock);
    return m->number;
}

uint64_t moves_answered(const char *answers, const char *name)
{
    AUTO(strv_free_p) char **entries = strv_split(str_or_empty(answers), " ", true);
    size_t n = strlen(name);
    uint64_t number;
    for (char **e = entries; *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=' && str_to_u64(*e + n + 1, &number))
            return number;
    return 0;
}

char **moves_take(struct moves *m, uint64_t answered)
{
    LOCKED(&m->lock);
    char **out = xcalloc(m->asked.n + 1, sizeof(*out));
    size_t n = 0;
    for (size_t i = 0; i < m->asked.n;) {
        if (m->asked.v[i].number > answered) {
            i++;
            continue;
        }
        out[n++] = xstrdup(m->asked.v[i].key);
        drop(m, i);
    }
    return out;
}
