#include "repo-server/jsonnet/jsonnet.h"
#include "common/base/proc.h"
#include "repo-server/jsonnet/frame.h"

#include <signal.h>
#include <unistd.h>

enum { MAX_MEMORY_MIB = 1024, MAX_CPU_S = 600 };

struct jsonnet {
    struct jsonnet_options options;
    struct proc_pipes child; /* pid 0: none */
};

jsonnet_t *jsonnet_new(const struct jsonnet_options *options)
{
    jsonnet_t *j = xcalloc(1, sizeof(*j));
    j->options = *options;
    j->child = (struct proc_pipes){0, -1, -1, -1};
    return j;
}

static void stop(jsonnet_t *j, bool at_once)
{
    if (at_once && j->child.pid > 0)
        kill(-j->child.pid, SIGKILL);
    proc_end(&j->child);
    j->child = (struct proc_pipes){0, -1, -1, -1};
}

void jsonnet_free(jsonnet_t *j)
{
    if (j)
        stop(j, false);
    free(j);
}

static int start(jsonnet_t *j, err_t **err)
{
    char *argv[] = {"/proc/self/exe", JSONNET_CHILD_ROLE, NULL};
    char *env[] = {
#ifdef CARGOCD_SANITIZE /* the shadow of sanitizers is larger than any limit of address space */
        "ASAN_OPTIONS=max_allocation_size_mb=256:hard_rss_limit_mb=3000",
        "TSAN_OPTIONS=max_allocation_size_mb=256:hard_rss_limit_mb=3000",
#endif
        "PATH=/usr/bin:/bin", NULL};
    struct proc_spec spec = {
        .argv = argv,
        .env = env,
        .cwd = "/",
        .max_cpu_s = MAX_CPU_S,
#ifndef CARGOCD_SANITIZE
        .max_memory = (uint64_t)MAX_MEMORY_MIB << 20,
#endif
        .max_file = 1,
    };
    return j->child.pid > 0 ? 0 : proc_spawn(&spec, false, &j->child, err);
}

static void put_text(str_t *out, const char *p, size_t n)
{
    json_write_string(str_or_empty(p), n, JSON_NO_HTML, out);
}

static int send_job(jsonnet_t *j, const char *path, const str_t *text, const json_t *ext_vars,
                    const json_t *tlas, err_t **err)
{
    AUTO_STR job = STR_MAX(FRAME_MAX);
    if (!utf8_valid(str_text(text), text->len))
        return err_set(err, ERR_FAILED_PRECONDITION, "the file is not UTF-8");
    str_puts(&job, "{\"file\":");
    put_text(&job, path, strlen(path));
    str_puts(&job, ",\"text\":");
    put_text(&job, text->p, text->len);
    str_puts(&job, ",\"ext\":");
    json_write(ext_vars, JSON_NO_HTML, &job);
    str_puts(&job, ",\"tla\":");
    json_write(tlas, JSON_NO_HTML, &job);
    str_putc(&job, '}');
    if (str_overflowed(&job))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the file is too large");
    return frame_write(j->child.to, FRAME_JOB, job.p, job.len, &j->options, err);
}

/* What the program imports. */
static int answer(jsonnet_t *j, const str_t *asked, err_t **err)
{
    AUTO_JSON doc = NULL;
    AUTO_ERR why = NULL;
    AUTO(free_p) char *found = NULL;
    AUTO_STR text = STR_MAX(FRAME_MAX);
    AUTO_STR frame = STR_MAX(FRAME_MAX);
    int r = json_read(str_text(asked), asked->len, &doc, &why);
    if (r == 0)
        r = j->options.import(j->options.arg, str_or_empty(json_str_at(doc, "base")),
                              str_or_empty(json_str_at(doc, "rel")), &found, &text, &why);
    if (r == -ERR_DATA_LOSS || r == -ERR_CANCELED)
        return err_move(err, TAKE(why));
    if (r == 0 && !utf8_valid(str_text(&text), text.len))
        r = err_set(&why, ERR_FAILED_PRECONDITION, "%s is not UTF-8", found);
    if (r < 0)
        return frame_write(j->child.to, FRAME_REFUSE, err_text(why), strlen(err_text(why)), &j->options, err);
    str_puts(&frame, "{\"found\":");
    put_text(&frame, found, strlen(found));
    str_puts(&frame, ",\"text\":");
    put_text(&frame, text.p, text.len);
    str_putc(&frame, '}');
    if (str_overflowed(&frame))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s is too large", found);
    return frame_write(j->child.to, FRAME_FOUND, frame.p, frame.len, &j->options, err);
}

static int converse(jsonnet_t *j, str_t *out, err_t **err)
{
    for (;;) {
        char type;
        int r = frame_read(j->child.from, &type, out, &j->options, err);
        if (r < 0)
            return r;
        if (type == FRAME_RESULT)
            return 0;
        if (type == FRAME_ERROR)
            return err_set(err, ERR_FAILED_PRECONDITION, "%s", str_text(out));
        r = type == FRAME_ASK ? answer(j, out, err) : err_set(err, ERR_INTERNAL, "a malformed answer");
        if (r < 0)
            return r;
    }
}

int jsonnet_run(jsonnet_t *j, const char *path, const str_t *text, const json_t *ext_vars, const json_t *tlas,
                str_t *out, err_t **err)
{
    AUTO_ERR why = NULL;
    int r = start(j, &why);
    if (r == 0)
        r = send_job(j, path, text, ext_vars, tlas, &why);
    if (r == 0)
        r = converse(j, out, &why);
    if (r < 0 && r != -ERR_FAILED_PRECONDITION) /* it may be in the middle of something */
        stop(j, true);
    return r < 0 ? err_move(err, TAKE(why)) : 0;
}
