/* Completion: shells ask `program __complete WORD…` on every key, so that what they offer is what the table
 * of commands says, whatever the version of their script. */
#include "cli/command.h"

/* @ stands for the program's name. The words are those behind the program's name up to the cursor. */
static const char bash_script[] = "# bash completion for @\n"
                                  "_@_complete() {\n"
                                  "    local IFS=$'\\n' word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                                  "    [ \"$word\" != = ] || word=\n"
                                  "    COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete "
                                  "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null | "
                                  "cut -f1)\" -- \"$word\"))\n"
                                  "}\n"
                                  "complete -o default -F _@_complete @\n";
static const char zsh_script[] =
    "#compdef @\n"
    "_@() {\n"
    "    local -a found\n"
    "    local line name\n"
    "    for line in \"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        [ -n \"$line\" ] || continue\n"
    "        name=${line%%$'\\t'*}\n"
    "        if [ \"$name\" = \"$line\" ]; then found+=(\"${name//:/\\\\:}\")\n"
    "        else found+=(\"${name//:/\\\\:}:${line#*$'\\t'}\"); fi\n"
    "    done\n"
    "    if (( ${#found} )); then _describe '@' found; else _files; fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _@ ]; then _@ \"$@\"; else compdef _@ @; fi\n";
static const char fish_script[] = "# fish completion for @\n"
                                  "function __@_complete\n"
                                  "    set -l words (commandline -opc) (commandline -ct)\n"
                                  "    $words[1] __complete $words[2..-1] 2>/dev/null\n"
                                  "end\n"
                                  "complete -c @ -a '(__@_complete)'\n";

bool completion_script(const char *shell, const char *program, str_t *out)
{
    const char *script = str_eq(shell, "bash")   ? bash_script
                         : str_eq(shell, "zsh")  ? zsh_script
                         : str_eq(shell, "fish") ? fish_script
                                                 : NULL;
    for (const char *p = script; p && *p; p++) {
        /* "[@]", "(@" and "$@" are the shells' own. */
        bool own = p > script && strchr("[($", p[-1]);
        if (*p == '@' && !own)
            str_puts(out, program);
        else
            str_putc(out, *p);
    }
    return script;
}

static void put_candidate(const char *before, view_t name, const char *about, const char *typed, str_t *out)
{
    AUTO(free_p) char *text = xasprintf("%s%.*s", before, (int)name.n, name.p);
    if (!str_has_prefix(text, typed))
        return;
    str_puts(out, text);
    if (about)
        str_printf(out, "\t%s", about);
    str_putc(out, '\n');
}

static void put_values(const struct option *o, const char *before, const char *typed, str_t *out)
{
    view_t rest = view_of(str_or_empty(o->values)), part;
    while (rest.n && view_split(&rest, '|', &part))
        put_candidate(before, part, NULL, typed, out);
}

/* "--output=j": the values of --output behind what is typed. True when it was that. */
static bool answer_equals(const struct option *const *tables, const char *typed, str_t *out)
{
    const char *eq = str_has_prefix(typed, "--") ? strchr(typed, '=') : NULL;
    if (!eq)
        return false;
    const struct option *o = option_find(tables, typed + 2, (size_t)(eq - typed - 2));
    AUTO(free_p) char *before = xstrndup(typed, (size_t)(eq - typed + 1));
    if (o)
        put_values(o, before, typed, out);
    return true;
}

/* The option whose value the last word is; NULL. */
static const struct option *awaited(const struct option *const *tables, const char *previous)
{
    if (!previous || !option_takes_next(tables, previous))
        return NULL;
    return previous[1] == '-' ? option_find(tables, previous + 2, strlen(previous + 2))
                              : option_short(tables, previous[strlen(previous) - 1]);
}

static void answer_options(const struct option *const *tables, const char *typed, str_t *out)
{
    for (const struct option *const *t = tables; *t; t++)
        for (const struct option *o = *t; o->name; o++)
            put_candidate("--", view_of(o->name), o->help, typed, out);
}

static void answer_children(const struct command *c, const char *typed, str_t *out)
{
    for (size_t i = 0; i < ncommands; i++)
        if (command_is_child(c, &commands[i]))
            put_candidate("", view_of(command_name(&commands[i], "")), commands[i].summary, typed, out);
}

void completion_answer(size_t n, char **words, str_t *out, enum operand *operand)
{
    *operand = OPERAND_NONE;
    if (!n)
        return;
    /* bash takes "=" for a word of its own. */
    const char *typed = str_eq(words[n - 1], "=") ? "" : words[n - 1];
    size_t before = 0;
    for (size_t i = 0; i + 1 < n; i++)
        if (!str_eq(words[i], "="))
            words[before++] = words[i];
    const char *previous = before ? words[before - 1] : NULL;
    const struct command *c = command_find(&before, words);
    const struct option *tables[COMMAND_TABLES_MAX];
    command_tables(c, tables);

    const struct option *o = awaited(tables, previous);
    if (o) {
        put_values(o, "", typed, out);
    } else if (answer_equals(tables, typed, out)) {
        return;
    } else if (typed[0] == '-') {
        answer_options(tables, typed, out);
    } else if (command_has_children(c)) {
        answer_children(c, typed, out);
    } else {
        *operand = c->operand;
        if (c->operand == OPERAND_SHELL)
            put_values(&(struct option){.values = "bash|zsh|fish"}, "", typed, out);
    }
}
