/* The Jsonnet child: takes jobs from standard input until it is closed. The library has no limit of time; the
 * parent's deadline and the limits of the process are the limits. */
#include "common/base/enc.h"
#include "common/base/thread.h"
#include "repo-server/confine.h"
#include "repo-server/jsonnet/frame.h"
#include "repo-server/jsonnet/imports.h"
#include "repo-server/jsonnet/prelude.h"

#include <ctype.h>
#include <fcntl.h>
#include <libjsonnet.h>
#include <math.h>
#include <openssl/evp.h>
#include <sys/prctl.h>
#include <unistd.h>

/* How every file begins, on its first line. The names of the file's own `std` (thisFile) stay. */
#define PRELUDE_NAME "cargocd:std"
#define PREFIX       "local cargocd_std = std; local std = cargocd_std + (import \"" PRELUDE_NAME "\"); "

static const struct jsonnet_options forever = {.deadline = MONO_NEVER};

struct session {
    struct JsonnetVm *vm;
};

/* The library frees what callbacks give it, so it must come from the library. */
static char *vm_text(struct JsonnetVm *vm, const char *p, size_t n)
{
    char *copy = jsonnet_realloc(vm, NULL, n + 1);
    memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

/* ---- imports ---- */

/* A program as the library is to see it. */
static char *program_of(const char *text)
{
    AUTO_STR code = STR_INIT;
    str_puts(&code, PREFIX);
    jsonnet_mark_imports(text, strlen(text), &code);
    return str_take(&code);
}

static char *refused(struct session *s, const char *why, int *success)
{
    *success = 0;
    return vm_text(s->vm, why, strlen(why));
}

static int ask(const char *base, const char *rel, char *type, str_t *reply)
{
    AUTO_STR question = STR_INIT;
    str_puts(&question, "{\"base\":");
    json_write_string(base, strlen(base), JSON_NO_HTML, &question);
    str_puts(&question, ",\"rel\":");
    json_write_string(rel, strlen(rel), JSON_NO_HTML, &question);
    str_putc(&question, '}');
    int r = frame_write(1, FRAME_ASK, question.p, question.len, &forever, NULL);
    return r < 0 ? r : frame_read(0, type, reply, &forever, NULL);
}

static char *import(void *ctx, const char *base, const char *rel, char **found_here, int *success)
{
    struct session *s = ctx;
    bool as_is = *rel == JSONNET_AS_IS;
    AUTO_STR reply = STR_MAX(FRAME_MAX);
    AUTO_JSON doc = NULL;
    char type;
    if (strcmp(rel, PRELUDE_NAME) == 0) {
        *success = 1;
        *found_here = vm_text(s->vm, rel, strlen(rel));
        return vm_text(s->vm, jsonnet_prelude, sizeof(jsonnet_prelude) - 1);
    }
    rel += as_is;
    if (!utf8_valid(rel, strlen(rel)))
        return refused(s, "the name is not UTF-8", success);
    if (ask(base, rel, &type, &reply) < 0)
        _exit(1); /* the parent is gone */
    if (type != FRAME_FOUND || json_read(str_text(&reply), reply.len, &doc, NULL) < 0)
        return refused(s, str_text(&reply), success);
    const char *found = str_or_empty(json_str_at(doc, "found")),
               *text = str_or_empty(json_str_at(doc, "text"));
    AUTO(free_p) char *code = as_is ? xstrdup(text) : program_of(text);
    *success = 1;
    *found_here = vm_text(s->vm, found, strlen(found));
    return vm_text(s->vm, code, strlen(code));
}

/* ---- native functions ---- */

static struct JsonnetJsonValue *failed(struct JsonnetVm *vm, const char *why, int *success)
{
    *success = 0;
    return jsonnet_json_make_string(vm, why);
}

static struct JsonnetJsonValue *digest(void *ctx, const struct JsonnetJsonValue *const *argv, int *success)
{
    struct JsonnetVm *vm = ctx;
    unsigned char sum[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    const char *name = jsonnet_json_extract_string(vm, argv[0]),
               *text = jsonnet_json_extract_string(vm, argv[1]);
    const EVP_MD *md = name ? EVP_get_digestbyname(name) : NULL;
    if (!md || !text || !EVP_Digest(text, strlen(text), sum, &n, md, NULL))
        return failed(vm, "a digest is made of a string", success);
    hex_encode(sum, n, hex);
    *success = 1;
    return jsonnet_json_make_string(vm, hex);
}

static struct JsonnetJsonValue *arc_tangent(void *ctx, const struct JsonnetJsonValue *const *argv,
                                            int *success)
{
    struct JsonnetVm *vm = ctx;
    double y, x;
    if (!jsonnet_json_extract_number(vm, argv[0], &y) || !jsonnet_json_extract_number(vm, argv[1], &x))
        return failed(vm, "atan2 takes numbers", success);
    *success = 1;
    return jsonnet_json_make_number(vm, atan2(y, x));
}

/* ---- a job ---- */

static void set_variables(struct JsonnetVm *vm, const json_t *list,
                          void (*text)(struct JsonnetVm *, const char *, const char *),
                          void (*code)(struct JsonnetVm *, const char *, const char *))
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        (json_bool_at(v, "code") ? code : text)(vm, str_or_empty(json_str_at(v, "name")),
                                                str_or_empty(json_str_at(v, "value")));
    }
}

/* The length of a mark, as it is or escaped; 0: there is none. */
static size_t mark_at(const char *p)
{
    static const char escaped[] = "\\u0001";
    return *p == JSONNET_AS_IS ? 1 : str_has_prefix(p, escaped) ? sizeof(escaped) - 1 : 0;
}

/* Positions on first lines ("a.jsonnet:1:80-85", "a.jsonnet:(1:80)-(3:4)") without what we put there, and
 * names without their marks. */
static void put_positions(const char *text, str_t *out)
{
    const unsigned long ours = sizeof(PREFIX) - 1;
    bool same_line = false;
    for (const char *p = text; *p;) {
        size_t mark = mark_at(p);
        if (mark) {
            p += mark;
            continue;
        }
        bool at_line = (*p == ':' || *p == '(') && p[1] == '1' && p[2] == ':' && isdigit((unsigned char)p[3]);
        bool at_end = same_line && *p == '-' && isdigit((unsigned char)p[1]);
        size_t head = at_line ? 3 : 1;
        same_line = at_line;
        str_add(out, p, head);
        p += head;
        if (at_line || at_end) {
            char *end;
            unsigned long column = strtoul(p, &end, 10);
            str_printf(out, "%lu", column > ours ? column - ours : column);
            p = end;
        }
    }
}

static void evaluate(const json_t *job)
{
    static const char *const digest_params[] = {"name", "str", NULL}, *const atan_params[] = {"y", "x", NULL};
    struct session s = {.vm = jsonnet_make()};
    const char *text = str_or_empty(json_str_at(job, "text"));
    AUTO(free_p) char *code = program_of(text);
    int failed = 0;
    jsonnet_import_callback(s.vm, import, &s);
    jsonnet_native_callback(s.vm, "cargocd.digest", digest, s.vm, digest_params);
    jsonnet_native_callback(s.vm, "cargocd.atan2", arc_tangent, s.vm, atan_params);
    set_variables(s.vm, json_object_get(job, "ext"), jsonnet_ext_var, jsonnet_ext_code);
    set_variables(s.vm, json_object_get(job, "tla"), jsonnet_tla_var, jsonnet_tla_code);
    char *out = jsonnet_evaluate_snippet(s.vm, str_or_empty(json_str_at(job, "file")), code, &failed);
    AUTO_STR said = STR_INIT;
    if (failed)
        put_positions(out, &said);
    while (said.len && isspace((unsigned char)said.p[said.len - 1]))
        str_truncate(&said, said.len - 1);
    int r = failed ? frame_write(1, FRAME_ERROR, str_text(&said), said.len, &forever, NULL)
                   : frame_write(1, FRAME_RESULT, out, strlen(out), &forever, NULL);
    if (r < 0)
        _exit(1);
    jsonnet_realloc(s.vm, out, 0);
    jsonnet_destroy(s.vm);
}

int jsonnet_child_main(void)
{
    struct confine_rules rules = {.deny_tcp = true};
    char type;
    process_setup();
    prctl(PR_SET_DUMPABLE, 0);
#ifndef CARGOCD_SANITIZE /* the library's last words are not for the daemon's log */
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, 2);
#endif
    confine_system(&rules);
    if (confine_self(&rules) < 0)
        return 1;
    for (;;) {
        AUTO_STR text = STR_MAX(FRAME_MAX);
        AUTO_JSON job = NULL;
        if (frame_read(0, &type, &text, &forever, NULL) < 0)
            _exit(0);
        if (type != FRAME_JOB || json_read(str_text(&text), text.len, &job, NULL) < 0)
            _exit(1);
        evaluate(job);
    }
}
