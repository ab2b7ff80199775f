/* One job, then the process ends and its memory with it. libgit2's own configuration look-ups are switched
 * off, and before anything of the server's is read the process gives up all files but the clone and its
 * scratch directory. */
#include "repo-server/git/child.h"
#include "common/base/file.h"
#include "common/base/thread.h"
#include "common/base/vec.h"
#include "repo-server/confine.h"
#include "repo-server/git/refs.h"
#include "repo-server/git/transport.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int git_child_failed(enum err_code code, const char *what, err_t **err)
{
    const git_error *e = git_error_last();
    return err_set(err, code, "%s: %s", what, e && e->message ? e->message : "unknown error");
}

int git_child_session_failed(struct git_session *s, const char *what, err_t **err)
{
    if (s->err)
        return err_move(err, TAKE(s->err));
    const git_error *e = git_error_last();
    const char *text = e && e->message ? e->message : "unknown error";
    enum err_code code = ERR_UNAVAILABLE;
    if (strstr(text, "not found") || strstr(text, "failed to resolve path"))
        code = ERR_NOT_FOUND;
    return err_set(err, code, "%s: %s", what, text);
}

static int connect_origin(struct git_session *s, git_repository *repo, git_remote **out, err_t **err)
{
    git_remote *remote = NULL;
    git_remote_connect_options options;
    git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    options.callbacks.transport = git_session_transport;
    options.callbacks.payload = s;
    int r = repo ? git_remote_create_anonymous(&remote, repo, s->job->url)
                 : git_remote_create_detached(&remote, s->job->url);
    if (r == 0)
        r = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &options);
    if (r < 0) {
        r = git_child_session_failed(s, "connect", err);
        git_remote_free(remote);
        return r;
    }
    *out = remote;
    return 0;
}

/* ---- list ---- */

static int list(struct git_session *s, str_t *out, err_t **err)
{
    git_remote *remote = NULL;
    int r = connect_origin(s, NULL, &remote, err);
    if (r < 0)
        return r;
    const git_remote_head **heads = NULL;
    size_t n = 0;
    if (git_remote_ls(&heads, &n, remote) < 0)
        r = git_child_session_failed(s, "list references", err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        char oid[GIT_OID_HEX];
        git_oid_tostr(oid, sizeof(oid), &heads[i]->oid);
        str_printf(out, "%s %s", oid, heads[i]->name);
        if (heads[i]->symref_target)
            str_printf(out, " %s", heads[i]->symref_target);
        str_putc(out, '\n');
    }
    git_remote_free(remote);
    return r;
}

/* ---- fetch ---- */

int git_child_open(const char *dir, git_repository **out, err_t **err)
{
    if (git_repository_open_bare(out, dir) == 0)
        return 0;
    if (git_repository_init(out, dir, true) < 0)
        return git_child_failed(ERR_INTERNAL, "make the repository", err);
    return 0;
}

bool git_child_has(git_repository *repo, const char *hex)
{
    git_oid oid;
    git_odb *odb = NULL;
    bool found = git_oid_fromstr(&oid, hex) == 0 && git_repository_odb(&odb, repo) == 0 &&
                 git_odb_exists(odb, &oid);
    git_odb_free(odb);
    return found;
}

static int cmp_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 41, *(char *const *)b + 41);
}

/* References serve negotiation only (what do we have?), so they are written as one file, not one by one, and
 * only those whose object arrived. */
static int write_refs(git_remote *remote, git_repository *repo, const char *dir, err_t **err)
{
    const git_remote_head **heads = NULL;
    size_t n = 0;
    if (git_remote_ls(&heads, &n, remote) < 0)
        return git_child_failed(ERR_INTERNAL, "list references", err);
    VEC(char *) lines = {};
    for (size_t i = 0; i < n; i++) {
        char oid[GIT_OID_HEX];
        git_oid_tostr(oid, sizeof(oid), &heads[i]->oid);
        if (str_has_prefix(heads[i]->name, "refs/") && !str_has_suffix(heads[i]->name, "^{}") &&
            git_child_has(repo, oid))
            VEC_PUSH(&lines, xasprintf("%s %s", oid, heads[i]->name));
    }
    VEC_SORT(&lines, cmp_lines);
    AUTO_STR text = STR_INIT;
    str_puts(&text, "# pack-refs with: sorted \n");
    VEC_FOREACH(&lines, line) {
        str_printf(&text, "%s\n", *line);
        free(*line);
    }
    VEC_FREE(&lines);
    AUTO(free_p) char *path = xasprintf("%s/packed-refs", dir);
    return file_write(path, text.p, text.len, 0600, err);
}

static int download(struct git_session *s, git_repository *repo, char **specs, size_t n, bool keep_refs,
                    err_t **err)
{
    git_remote *remote = NULL;
    int r = connect_origin(s, repo, &remote, err);
    if (r < 0)
        return r;
    git_fetch_options options;
    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    options.callbacks.transport = git_session_transport;
    options.callbacks.payload = s;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    git_strarray specs_array = {specs, n};
    if (git_remote_download(remote, &specs_array, &options) < 0)
        r = git_child_session_failed(s, "fetch", err);
    if (r == 0 && keep_refs)
        r = write_refs(remote, repo, s->job->dir, err);
    git_remote_free(remote);
    return r;
}

/* What neither a branch nor a tag leads to is asked for by its name or id. Servers may refuse that. */
static int fetch_want(struct git_session *s, git_repository *repo, err_t **err)
{
    const char *want = s->job->want;
    bool oid = git_is_commit(want);
    if (oid ? git_child_has(repo, want)
            : str_has_prefix(want, "refs/heads/") || str_has_prefix(want, "refs/tags/"))
        return 0;
    AUTO(free_p) char *spec = xasprintf("+%s:refs/cargocd/%s", want, oid ? want : want + strlen("refs/"));
    int r = download(s, repo, &spec, 1, false, err);
    if (r < 0)
        return err_wrap(err, "fetch %s", want);
    if (oid && !git_child_has(repo, want))
        return err_set(err, ERR_NOT_FOUND, "commit %s is not in the repository", want);
    return 0;
}

static int fetch(struct git_session *s, str_t *out, err_t **err)
{
    git_repository *repo = NULL;
    int r = git_child_open(s->job->dir, &repo, err);
    char *specs[] = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"};
    if (r == 0)
        r = download(s, repo, specs, ARRAY_LEN(specs), true, err);
    if (r == 0 && s->job->want)
        r = fetch_want(s, repo, err);
    git_repository_free(repo);
    return r;
}

/* ---- the process ---- */

static int confine(const struct git_session *s, err_t **err)
{
    struct confine_rules rules = {};
    confine_system(&rules);
    confine_allow(&rules, s->job->dir, CONFINE_READ | CONFINE_WRITE);
    confine_allow(&rules, s->job->scratch, CONFINE_READ | CONFINE_WRITE);
    if (s->job->op == GIT_OP_LFS)
        confine_allow(&rules, s->job->tls_dir, CONFINE_READ);
    confine_allow(&rules, getenv("SSL_CERT_FILE"), CONFINE_READ);
    confine_allow(&rules, getenv("SSL_CERT_DIR"), CONFINE_READ);
    if (s->job->op != GIT_OP_PACK && s->url.scheme == GIT_SCHEME_FILE)
        confine_allow(&rules, s->url.path, CONFINE_READ);
    if (confine_self(&rules) < 0)
        return err_set(err, ERR_INTERNAL, "the kernel refused the confinement of the git child");
    return 0;
}

static void setup_libgit2(void)
{
    git_libgit2_init();
    static const git_config_level_t levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                                                GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0); /* volumes may belong to another user */
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)16 << 20);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)256 << 20);
}

static int perform(const struct git_job *job, str_t *out, err_t **err)
{
    struct git_session s = {.job = job};
    int r = job->op == GIT_OP_PACK ? 0 : git_url_parse(str_or_empty(job->url), &s.url, err);
    if (r < 0 || (r = confine(&s, err)) < 0)
        return r;
    setup_libgit2();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    switch (job->op) {
    case GIT_OP_LIST:
        r = list(&s, out, err);
        break;
    case GIT_OP_FETCH:
        r = job->depth > 0 ? git_child_shallow(&s, err) : fetch(&s, out, err);
        break;
    case GIT_OP_LFS:
        r = git_child_lfs(&s, err);
        break;
    case GIT_OP_PACK:
        r = git_child_pack(job, out, err);
        break;
    }
    if (r == 0 && str_overflowed(out))
        r = err_set(err, ERR_RESOURCE_EXHAUSTED, "the list of references is too large");
    err_free(s.err);
    git_url_dispose(&s.url);
    return r;
}

static void answer(const str_t *out, err_t *err)
{
    AUTO_STR head = STR_INIT;
    if (err)
        str_printf(&head, "error %d\n%s", (int)err->code, err_text(err));
    else
        str_puts(&head, "ok\n");
    fwrite(head.p, 1, head.len, stdout);
    if (!err && out->len)
        fwrite(out->p, 1, out->len, stdout);
    fflush(stdout);
}

int git_child_main(void)
{
    process_setup();
    prctl(PR_SET_DUMPABLE, 0);
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_MAX(GIT_JOB_MAX);
    AUTO_STR out = STR_MAX(GIT_ANSWER_MAX);
    AUTO_JSON doc = NULL;
    struct git_job job;
    int r = fd_read_all(0, "the job", &text, &err);
    if (r == 0)
        r = git_job_read(text.p, text.len, &doc, &job, &err);
    if (r == 0)
        perform(&job, &out, &err);
    answer(&out, err);
    /* Nothing is worth tearing down: the process goes, and its memory with it. */
    _exit(0);
}
