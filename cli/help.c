/* Help in the layout of Go's cobra and pflag, which Argo CD's users know. */
#include "cli/command.h"

#include <stdio.h>

/* The word that stands for the value: one in `backquotes` in the help, else the type's. */
static char *value_word(const struct option *o, str_t *help)
{
    static const char *const names[] = {[OPT_TEXT] = "string",       [OPT_BOOL] = "",
                                        [OPT_INT] = "int",           [OPT_UINT] = "uint",
                                        [OPT_DURATION] = "duration", [OPT_LIST] = "stringArray",
                                        [OPT_CSV] = "strings",       [OPT_INTS] = "int64Slice"};
    const char *open = strchr(str_or_empty(o->help), '`'), *close = open ? strchr(open + 1, '`') : NULL;
    if (!close) {
        str_puts(help, o->help);
        return xstrdup(names[o->type]);
    }
    str_printf(help, "%.*s%s", (int)(close - o->help), o->help, close + 1);
    AUTO(free_p) char *quoted = str_take(help);
    /* The opening quote goes too. */
    str_printf(help, "%.*s%s", (int)(open - o->help), quoted, quoted + (open - o->help) + 1);
    return xstrndup(open + 1, (size_t)(close - open - 1));
}

static void put_default(const struct option *o, str_t *out)
{
    const char *d = o->fallback;
    if (str_empty(d) || str_eq(d, "false") || str_eq(d, "0"))
        return;
    bool list = o->type == OPT_LIST || o->type == OPT_CSV || o->type == OPT_INTS;
    str_printf(out,
               o->type == OPT_TEXT ? " (default \"%s\")"
               : list              ? " (default [%s])"
                                   : " (default %s)",
               d);
}

struct line {
    const struct option *option;
    char *left;
    str_t right;
};

static int by_name(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return strcmp(x->option->name, y->option->name);
}

static struct line make_line(const struct option *o)
{
    struct line l = {.option = o};
    AUTO(free_p) char *word = value_word(o, &l.right);
    put_default(o, &l.right);
    char shorthand[8] = "    ";
    if (o->shorthand)
        snprintf(shorthand, sizeof(shorthand), "-%c, ", o->shorthand);
    l.left = xasprintf("  %s--%s%s%s", shorthand, o->name, *word ? " " : "", word);
    return l;
}

void help_options(const struct option *const *tables, str_t *out)
{
    size_t n = 0, at = 0, width = 0;
    for (const struct option *const *t = tables; *t; t++)
        for (const struct option *o = *t; o->name; o++)
            n++;
    AUTO(free_p) struct line *lines = xcalloc(n + 1, sizeof(*lines));
    for (const struct option *const *t = tables; *t; t++)
        for (const struct option *o = *t; o->name; o++)
            lines[at++] = make_line(o);
    qsort(lines, n, sizeof(*lines), by_name);
    for (size_t i = 0; i < n; i++)
        width = max_size(width, strlen(lines[i].left));
    for (size_t i = 0; i < n; i++) {
        str_printf(out, "%-*s   %s\n", (int)width, lines[i].left, str_text(&lines[i].right));
        free(lines[i].left);
        str_dispose(&lines[i].right);
    }
}

static void put_usage(const struct command *c, const char *program, str_t *out)
{
    const char *gap = *c->path ? " " : "";
    str_puts(out, "Usage:\n");
    str_printf(out, "  %s%s%s%s%s [flags]\n", program, gap, c->path, c->operands ? " " : "",
               str_or_empty(c->operands));
    if (command_has_children(c))
        str_printf(out, "  %s%s%s [command]\n", program, gap, c->path);
}

static void put_examples(const struct command *c, const char *program, str_t *out)
{
    if (!c->examples)
        return;
    str_puts(out, "\nExamples:\n");
    view_t rest = view_of(c->examples), line;
    while (view_split(&rest, '\n', &line)) {
        /* A continued line begins with blanks. */
        bool more = line.n && line.p[0] == ' ';
        str_printf(out, "  %s%s%.*s\n", more ? "" : program, more ? "" : " ", (int)line.n, line.p);
    }
}

static void put_children(const struct command *c, str_t *out)
{
    size_t width = 11;
    for (size_t i = 0; i < ncommands; i++)
        if (command_is_child(c, &commands[i]))
            width = max_size(width, strlen(command_name(&commands[i], "")));
    str_puts(out, "\nAvailable Commands:\n");
    for (size_t i = 0; i < ncommands; i++)
        if (command_is_child(c, &commands[i]))
            str_printf(out, "  %-*s %s\n", (int)width, command_name(&commands[i], ""), commands[i].summary);
}

void help_command(const struct command *c, const char *program, str_t *out)
{
    str_printf(out, "%s\n\n", c->details ? c->details : c->summary);
    put_usage(c, program, out);
    if (c->alias)
        str_printf(out, "\nAliases:\n  %s, %s\n", command_name(c, program), c->alias);
    put_examples(c, program, out);
    bool children = command_has_children(c);
    if (children)
        put_children(c, out);
    const struct option *tables[COMMAND_TABLES_MAX];
    command_tables(c, tables);
    size_t n = 0;
    while (tables[n] && tables[n] != global_options)
        n++;
    if (*c->path)
        tables[n] = NULL;
    str_puts(out, "\nFlags:\n");
    help_options(tables, out);
    if (*c->path) {
        str_puts(out, "\nGlobal Flags:\n");
        help_options((const struct option *const[]){global_options, NULL}, out);
    }
    if (children)
        str_printf(out, "\nUse \"%s%s%s [command] --help\" for more information about a command.\n", program,
                   *c->path ? " " : "", c->path);
}
