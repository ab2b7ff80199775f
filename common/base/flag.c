#include "common/base/flag.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include <stdio.h>

static void free_value(struct flag *f)
{
    if (f->type == FLAG_STRING) {
        free(*(char **)f->target);
        *(char **)f->target = NULL;
    } else if (f->type == FLAG_STRINGS) {
        strv_free(*(char ***)f->target);
        *(char ***)f->target = NULL;
    }
}

static void add_strings(char ***list, const char *value)
{
    char **more = strv_split(value, ",", true);
    size_t n = strv_len(*list), m = strv_len(more);
    *list = xrealloc(*list, (n + m + 1) * sizeof(**list));
    memcpy(*list + n, more, (m + 1) * sizeof(**list));
    free(more);
}

static bool lenient_bool(const char *value, bool *out)
{
    if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0) {
        *out = strcasecmp(value, "true") == 0;
        return true;
    }
    return str_to_bool(value, out);
}

/* Stores the value; false when it is not of the flag's type or range. */
static bool set_value(struct flag *f, const char *value)
{
    int64_t number;
    switch (f->type) {
    case FLAG_STRING:
        free_value(f);
        *(char **)f->target = xstrdup(value);
        return true;
    case FLAG_STRINGS:
        add_strings(f->target, value);
        return true;
    case FLAG_BOOL:
        return lenient_bool(value, f->target);
    case FLAG_INT:
        if (!str_to_i64(value, &number))
            return false;
        break;
    case FLAG_DURATION:
        if (!duration_parse(value, true, &number))
            return false;
        break;
    case FLAG_SECONDS:
        if (!duration_parse_or_seconds(value, &number))
            return false;
        break;
    default:
        return false;
    }
    if (f->max && (number < f->min || number > f->max))
        return false;
    *(int64_t *)f->target = number;
    return true;
}

static void set_defaults(struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct flag *f = &flags[i];
        if (f->fallback && !set_value(f, f->fallback))
            abort(); /* a default in a table that its own type refuses */
        const char *env = f->env ? getenv(f->env) : NULL;
        if (!env || !*env)
            continue;
        if (f->type == FLAG_STRINGS)
            free_value(f);
        if (!set_value(f, env))
            log_warn(NULL, "ignoring %s: not a value for --%s; using the default %s", f->env, f->name,
                     str_or_empty(f->fallback));
    }
}

static struct flag *find_flag(struct flag *flags, size_t n, const char *arg, const char **value)
{
    *value = NULL;
    if (arg[1] != '-') {
        for (size_t i = 0; i < n; i++) {
            if (flags[i].shorthand == arg[1]) {
                if (arg[2])
                    *value = arg[2] == '=' ? arg + 3 : arg + 2;
                return &flags[i];
            }
        }
        return NULL;
    }
    const char *name = arg + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    for (size_t i = 0; i < n; i++) {
        if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0) {
            *value = eq ? eq + 1 : NULL;
            return &flags[i];
        }
    }
    return NULL;
}

/* Handles argv[*i], which begins with "-"; advances *i over a separate value. */
static int parse_one(struct flag *flags, size_t n, int argc, char **argv, int *i, err_t **err)
{
    const char *value, *arg = argv[*i];
    struct flag *f = find_flag(flags, n, arg, &value);
    if (!f)
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown flag: %.*s", (int)strcspn(arg, "="), arg);
    if (!value && f->type == FLAG_BOOL) {
        value = "true";
    } else if (!value) {
        if (*i + 1 >= argc)
            return err_set(err, ERR_INVALID_ARGUMENT, "flag needs an argument: --%s", f->name);
        value = argv[++*i];
    }
    if (f->type == FLAG_STRINGS && !f->set)
        free_value(f);
    if (!set_value(f, value))
        return err_set(err, ERR_INVALID_ARGUMENT, "invalid argument \"%s\" for \"--%s\" flag", value,
                       f->name);
    f->set = true;
    return 0;
}

int flags_parse(struct flag *flags, size_t n, int argc, char **argv, char ***args, const char *usage,
                err_t **err)
{
    set_defaults(flags, n);
    AUTO(free_p) char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
    size_t nrest = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (!ended && strcmp(arg, "--") == 0) {
            ended = true;
            continue;
        }
        if (ended || arg[0] != '-' || !arg[1]) {
            if (!args)
                return err_set(err, ERR_INVALID_ARGUMENT, "unexpected argument: %s", arg);
            rest[nrest++] = arg;
            continue;
        }
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            flags_print(flags, n, usage);
            return 1;
        }
        int r = parse_one(flags, n, argc, argv, &i, err);
        if (r < 0)
            return r;
    }
    if (args)
        *args = TAKE(rest);
    return 0;
}

void flags_print(const struct flag *flags, size_t n, const char *usage)
{
    printf("%s\n\nFlags:\n", usage);
    for (size_t i = 0; i < n; i++) {
        const struct flag *f = &flags[i];
        char shorthand[8] = "    ";
        if (f->shorthand)
            snprintf(shorthand, sizeof(shorthand), "-%c, ", f->shorthand);
        printf("  %s--%s\n        %s", shorthand, f->name, str_or_empty(f->help));
        if (!str_empty(f->fallback))
            printf(" (default %s)", f->fallback);
        if (f->env)
            printf(" [$%s]", f->env);
        printf("\n");
    }
}

void flags_dispose(struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_value(&flags[i]);
}
