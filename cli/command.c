#include "cli/command.h"

void command_tables(const struct command *c, const struct option *out[static COMMAND_TABLES_MAX])
{
    size_t n = 0;
    for (const struct option *const *t = c->tables; t && *t; t++) {
        if (n + 3 >= COMMAND_TABLES_MAX)
            abort(); /* the table of commands has grown */
        out[n++] = *t;
    }
    out[n++] = help_option;
    out[n++] = global_options;
    out[n] = NULL;
}

const char *command_name(const struct command *c, const char *program)
{
    const char *last = strrchr(c->path, ' ');
    return !*c->path ? program : last ? last + 1 : c->path;
}

bool command_is_child(const struct command *parent, const struct command *child)
{
    size_t n = strlen(parent->path);
    if (!*child->path || strncmp(child->path, parent->path, n))
        return false;
    const char *rest = child->path + n;
    if (n && *rest++ != ' ')
        return false;
    return *rest && !strchr(rest, ' ');
}

bool command_has_children(const struct command *c)
{
    for (size_t i = 0; i < ncommands; i++)
        if (command_is_child(c, &commands[i]))
            return true;
    return false;
}

static const struct command *child_named(const struct command *parent, const char *word)
{
    for (size_t i = 0; i < ncommands; i++) {
        const struct command *c = &commands[i];
        if (command_is_child(parent, c) && (str_eq(command_name(c, ""), word) || str_eq(c->alias, word)))
            return c;
    }
    return NULL;
}

/* The first word that is neither a flag nor a flag's value; n when there is none. */
static size_t first_plain(const struct command *c, size_t n, char *const *words)
{
    const struct option *tables[COMMAND_TABLES_MAX];
    command_tables(c, tables);
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(words[i], "--"))
            return n;
        if (words[i][0] != '-' || !words[i][1])
            return i;
        if (option_takes_next(tables, words[i]))
            i++;
    }
    return n;
}

const struct command *command_find(size_t *n, char **words)
{
    const struct command *c = &commands[0];
    for (;;) {
        size_t at = first_plain(c, *n, words);
        const struct command *child = at < *n ? child_named(c, words[at]) : NULL;
        if (!child)
            return c;
        memmove(&words[at], &words[at + 1], (*n - at - 1) * sizeof(*words));
        --*n;
        c = child;
    }
}

/* Whether the plain words begin with the words of the path. */
static bool path_leads(const char *path, size_t n, char *const *words)
{
    view_t rest = view_of(path), part;
    size_t at = 0;
    while (view_split(&rest, ' ', &part)) {
        size_t next = first_plain(&commands[0], n - at, words + at);
        at += next;
        if (at >= n || !view_eq(part, words[at]))
            return false;
        at++;
    }
    return true;
}

const struct missing_command *command_missing(size_t n, char *const *words)
{
    for (size_t i = 0; i < nmissing_commands; i++)
        if (path_leads(missing_commands[i].path, n, words))
            return &missing_commands[i];
    return NULL;
}
