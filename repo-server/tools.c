#include "repo-server/tools.h"
#include "common/base/file.h"
#include "common/base/map.h"
#include "common/base/proc.h"
#include "common/base/thread.h"
#include "repo-server/confine.h"

#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION_TIMEOUT_S = 20, ERRORS_MAX = 1 << 20, MAX_PROCESSES = 4096, CLEANER_QUEUE = 100 };
#define MAX_FILE ((uint64_t)2 << 30)

struct known {
    struct file_stamp stamp;
    char *version;
};

/* The lock guards the map. */
struct tools {
    lock_t lock;
    map_t known; /* by path; struct known */
    char *names[TOOL_MAX];
    char *scratch;
    pool_t *cleaner;
    struct tools_options options;
};

static void known_free(void *p)
{
    struct known *k = p;
    free(k->version);
    free(k);
}

tools_t *tools_new(const struct tools_options *options)
{
    tools_t *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    t->known.value_free = known_free;
    t->options = *options;
    t->names[TOOL_HELM] = xstrdup(options->helm);
    t->names[TOOL_KUSTOMIZE] = xstrdup(options->kustomize);
    t->names[TOOL_KUBECTL] = xstrdup(options->kubectl);
    t->scratch = xstrdup(options->scratch);
    t->cleaner = pool_new("clean", 1, CLEANER_QUEUE);
    return t;
}

void tools_free(tools_t *t)
{
    if (!t)
        return;
    pool_free(t->cleaner);
    map_dispose(&t->known);
    for (size_t i = 0; i < TOOL_MAX; i++)
        free(t->names[i]);
    free(t->scratch);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- words ---- */

void words_add(words_t *w, const char *text)
{
    VEC_PUSH(w, xstrdup(text));
}

void words_addf(words_t *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    VEC_PUSH(w, xvasprintf(fmt, ap));
    va_end(ap);
}

void words_free(words_t *w)
{
    VEC_FOREACH(w, p) {
        if (*p)
            wipe(*p, strlen(*p));
        free(*p);
    }
    VEC_FREE(w);
}

/* ---- finding ---- */

static char *search(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    const char *path = getenv("PATH");
    AUTO(strv_free_p) char **dirs = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ":", true);
    for (size_t i = 0; dirs[i]; i++) {
        char *p = xasprintf("%s/%s", dirs[i], name);
        if (access(p, X_OK) == 0)
            return p;
        free(p);
    }
    return NULL;
}

/* The first line of what the program prints about itself, in a fresh directory and confined like any run. */
static int ask_version(tools_t *t, enum tool which, const char *path, char **out, err_t **err)
{
    static const char *const args[TOOL_MAX][4] = {
        {"version", "--template", "{{.Version}}", NULL}, {"version", NULL}, {"version", "--client", NULL}};
    static const char *const names[] = {"helm", "kustomize", "kubectl"};
    struct workdir w;
    words_t words = {}, env = {};
    AUTO_STR text = STR_INIT;
    int r = workdir_make(t, &w, err);
    if (r < 0)
        return r;
    for (size_t i = 0; args[which][i]; i++)
        words_add(&words, args[which][i]);
    struct tool_run run = {.work = &w,
                           .program = path,
                           .name = names[which],
                           .args = &words,
                           .env = &env,
                           .cwd = w.src,
                           .deadline = mono_after(mono_now(), SECONDS(VERSION_TIMEOUT_S))};
    r = tools_run(t, &run, &text, NULL, err);
    if (r == 0) {
        for (char *p = text.p; p && *p; p++)
            *p = isspace((unsigned char)*p) ? ' ' : *p;
        *out = xstrndup(str_text(&text), 200);
    }
    words_free(&words);
    words_free(&env);
    workdir_remove(t, &w);
    return r;
}

int tools_find(tools_t *t, enum tool which, const char *path, char **where, char **version, err_t **err)
{
    struct file_stamp stamp;
    AUTO(free_p) char *found = search(path ? path : t->names[which]);
    if (!found || !file_stamp(found, &stamp))
        return err_set(err, ERR_FAILED_PRECONDITION, "%s is not installed (not found%s)",
                       path ? path : t->names[which],
                       strchr(path ? path : t->names[which], '/') ? "" : " in PATH");
    AUTO(free_p) char *text = NULL;
    if (version) {
        LOCKED(&t->lock);
        const struct known *k = map_get(&t->known, found);
        text = k && file_stamp_eq(&k->stamp, &stamp) ? xstrdup(k->version) : NULL;
    }
    if (version && !text) {
        int r = ask_version(t, which, found, &text, err);
        if (r < 0)
            return err_wrap(err, "could not get the version of %s", t->names[which]);
        struct known *k = xmalloc(sizeof(*k));
        *k = (struct known){stamp, xstrdup(text)};
        LOCKED(&t->lock);
        map_put(&t->known, found, k);
    }
    *where = TAKE(found);
    if (version)
        *version = TAKE(text);
    return 0;
}

char *tools_version(tools_t *t, const char *name)
{
    AUTO(free_p) char *where = NULL;
    char *version = NULL;
    if (str_eq(name, "helm")) {
        tools_find(t, TOOL_HELM, NULL, &where, &version, NULL);
    } else if (!str_eq(name, "kustomize")) {
        tools_find(t, TOOL_KUSTOMIZE, name, &where, &version, NULL);
    } else {
        tools_find(t, TOOL_KUSTOMIZE, NULL, &where, &version, NULL);
        if (!where)
            tools_find(t, TOOL_KUBECTL, NULL, &where, &version, NULL);
    }
    return version;
}

/* ---- directories ---- */

int workdir_make(tools_t *t, struct workdir *out, err_t **err)
{
    struct workdir w = {};
    AUTO(free_p) char *dir = NULL;
    int r = dir_make_temp(t->scratch, "run-", &dir, err);
    if (r < 0)
        return r;
    /* Programs name files without links, and these names are masked in what they say. */
    w.dir = realpath(dir, NULL);
    if (!w.dir)
        return err_set_errno(err, errno, "find the directory of a program");
    w.src = xasprintf("%s/src", w.dir);
    w.tmp = xasprintf("%s/tmp", w.dir);
    if (mkdir(w.src, 0700) < 0 || mkdir(w.tmp, 0700) < 0)
        r = err_set_errno(err, errno, "make a directory for a program");
    if (r == 0)
        r = dir_make_temp(w.dir, "home-", &w.home, err);
    if (r < 0) {
        workdir_remove(t, &w);
        return r;
    }
    *out = w;
    return 0;
}

static void remove_dir(void *dir)
{
    dir_remove(dir, NULL);
    free(dir);
}

void workdir_remove(tools_t *t, struct workdir *w)
{
    if (w->dir && pool_submit(t->cleaner, remove_dir, w->dir, NULL) < 0)
        remove_dir(w->dir);
    free(w->src);
    free(w->home);
    free(w->tmp);
    *w = (struct workdir){};
}

/* ---- running ---- */

static void replace_all(const char *text, const char *what, const char *with, str_t *out)
{
    size_t n = strlen(what);
    for (const char *hit; n && (hit = strstr(text, what)); text = hit + n) {
        str_add(out, text, (size_t)(hit - text));
        str_puts(out, with);
    }
    str_puts(out, text);
}

char *tools_mask(const struct workdir *w, const char *text)
{
    const char *const shown[][2] = {{w->src, "<path to cached source>"},
                                    {w->home, "<path to cached source>/home"},
                                    {w->dir, "<path to cached source>"}};
    AUTO(free_p) char *now = xstrdup(text);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        AUTO_STR next = STR_INIT;
        replace_all(now, shown[i][0], shown[i][1], &next);
        free(now);
        now = str_take(&next);
    }
    return TAKE(now);
}

char *tools_describe(const struct tool_run *run)
{
    words_t argv = {};
    words_add(&argv, run->name);
    VEC_FOREACH(run->args, a)
        words_add(&argv, *a);
    VEC_PUSH(&argv, NULL);
    AUTO(free_p) char *text = proc_describe(argv.v);
    words_free(&argv);
    return tools_mask(run->work, text);
}

static void child_env(const struct tool_run *run, words_t *env)
{
    static const char *const passed[] = {"PATH", "SSL_CERT_DIR", "SSL_CERT_FILE"};
    static const char *const proxies[] = {"http_proxy", "https_proxy", "no_proxy",
                                          "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
    if (run->ca_file) /* Go's programs then still read the system's directory */
        words_addf(env, "SSL_CERT_FILE=%s", run->ca_file);
    for (size_t i = 0; i < ARRAY_LEN(passed) - (run->ca_file != NULL); i++)
        if (getenv(passed[i]))
            words_addf(env, "%s=%s", passed[i], getenv(passed[i]));
    for (size_t i = 0; run->network && !run->own_proxy && i < ARRAY_LEN(proxies); i++)
        if (getenv(proxies[i]))
            words_addf(env, "%s=%s", proxies[i], getenv(proxies[i]));
    words_addf(env, "HOME=%s", run->work->home);
    words_addf(env, "TMPDIR=%s", run->work->tmp);
    VEC_FOREACH(run->env, e)
        words_add(env, *e);
    VEC_PUSH(env, NULL);
}

static void allow(struct confine_rules *rules, const struct tool_run *run)
{
    confine_system(rules);
    confine_allow(rules, run->program, CONFINE_READ | CONFINE_EXEC);
    confine_allow(rules, run->also, CONFINE_READ | CONFINE_EXEC);
    confine_allow(rules, run->script, CONFINE_READ | CONFINE_EXEC);
    confine_allow(rules, run->work->dir, CONFINE_READ | CONFINE_WRITE);
    confine_allow(rules, getenv("SSL_CERT_FILE"), CONFINE_READ);
    confine_allow(rules, getenv("SSL_CERT_DIR"), CONFINE_READ);
    rules->deny_tcp = !run->network;
    rules->stay = true;
}

static int explain(tools_t *t, const struct tool_run *run, int r, const struct proc_result *result,
                   const str_t *errs, const struct proc_spec *spec, err_t **err)
{
    if (r == 0 && result->exit_status == 0)
        return 0;
    AUTO(free_p) char *what = tools_describe(run);
    char limit[DURATION_TEXT];
    duration_format(spec->timeout_ns, limit);
    if (r == -ERR_DEADLINE_EXCEEDED)
        return err_set(err, ERR_DEADLINE_EXCEEDED, "`%s` failed timeout after %s", what, limit);
    if (r == -ERR_RESOURCE_EXHAUSTED)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "`%s` wrote more output than is allowed", what);
    if (r == -ERR_CANCELED)
        return err_set(err, ERR_CANCELED, "`%s` was canceled", what);
    if (r < 0)
        return err_wrap(err, "`%s`", what);
    AUTO(free_p) char *said = tools_mask(run->work, str_text(errs));
    size_t n = strlen(said);
    while (n && isspace((unsigned char)said[n - 1]))
        said[--n] = '\0';
    return err_set(err, ERR_UNKNOWN, "`%s` failed exit status %d: %s", what, result->exit_status, said);
}

int tools_run(tools_t *t, const struct tool_run *run, str_t *out, str_t *errs, err_t **err)
{
    AUTO_STR said = STR_MAX(ERRORS_MAX);
    words_t argv = {}, env = {};
    struct confine_rules rules = {};
    struct proc_result result = {};
    int64_t left = mono_left(run->deadline);
    words_add(&argv, run->program);
    VEC_FOREACH(run->args, a)
        words_add(&argv, *a);
    VEC_PUSH(&argv, NULL);
    child_env(run, &env);
    allow(&rules, run);
    out->max = t->options.max_output;
    struct proc_spec spec = {
        .argv = argv.v,
        .env = env.v,
        .cwd = run->cwd,
        .input = run->input,
        .input_size = run->input ? strlen(run->input) : 0,
        .timeout_ns = t->options.timeout_ns && t->options.timeout_ns < left ? t->options.timeout_ns : left,
        .max_memory = t->options.max_memory,
        .max_file = MAX_FILE,
        .max_procs = MAX_PROCESSES,
        .confine = confine_self,
        .confine_arg = &rules,
        .canceled = run->canceled,
    };
    if (!spec.timeout_ns)
        spec.timeout_ns = 1;
    int r = proc_run(&spec, out, &said, &result, err);
    r = explain(t, run, r, &result, &said, &spec, err);
    if (errs)
        str_add(errs, str_text(&said), said.len);
    words_free(&argv);
    words_free(&env);
    return r;
}
