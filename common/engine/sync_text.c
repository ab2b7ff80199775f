/* The texts in which a sync says what it waits for and why it failed. Clients and people read them: they are
 * Argo CD's, word by word. */
#include "common/engine/sync_tasks.h"

static bool waits_for_confirmation(const struct sync_plan *p, const struct sync_task *t)
{
    return !p->input->prune_confirmed && task_is_prune(t) &&
           prune_needs_confirmation(t->live, p->input->default_prune);
}

char *sync_text_waiting(const struct sync_plan *p, const task_list_t *tasks, bool deletion)
{
    const struct sync_task *hook = NULL, *resource = NULL, *unconfirmed = NULL;
    size_t nunconfirmed = 0;
    if (!tasks->n)
        return xstrdup("");
    for (size_t i = 0; i < tasks->n; i++) {
        const struct sync_task *t = tasks->v[i], **first = t->is_hook ? &hook : &resource;
        *first = *first ? *first : t;
        if (waits_for_confirmation(p, t)) {
            unconfirmed = unconfirmed ? unconfirmed : t;
            nunconfirmed++;
        }
    }
    const char *reason = hook ? "completion of hook" : "healthy state of";
    if (deletion)
        reason = hook ? "deletion of hook" : "deletion of";
    if (unconfirmed)
        reason = "pruning confirmation of";
    const struct sync_task *first = unconfirmed ? unconfirmed : hook ? hook : resource;
    size_t more = (unconfirmed ? nunconfirmed : tasks->n) - 1;
    AUTO(free_p)
    char *text = xasprintf("waiting for %s %s/%s/%s", reason, first->group, first->kind, first->name);
    return more ? xasprintf("%s and %zu more %s", text, more, resource ? "resources" : "hooks") : TAKE(text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *sync_text_join(const char **messages, size_t n, const char *separator)
{
    str_t text = STR_INIT;
    if (n > 1)
        qsort(messages, n, sizeof(*messages), by_text);
    for (size_t i = 0; i < n; i++)
        if (!i || strcmp(messages[i], messages[i - 1]) != 0)
            str_printf(&text, "%s%s", i ? separator : "", messages[i]);
    return str_take(&text);
}

char *sync_text_failure(const task_list_t *failed, const char *what)
{
    if (!failed->n)
        return xstrdup(what);
    AUTO(free_p) const char **messages = xcalloc(failed->n, sizeof(*messages));
    for (size_t i = 0; i < failed->n; i++)
        messages[i] = str_or_empty(failed->v[i]->message);
    AUTO(free_p) char *all = sync_text_join(messages, failed->n, ",");
    return xasprintf("%s, reason: %s", what, all);
}
