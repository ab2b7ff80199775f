#include "repo-server/git/job.h"

static const char *const op_names[] = {"list", "fetch", "pack", "lfs"};

/* The fields that are texts, by their names on the wire. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"url", offsetof(struct git_job, url)},
    {"username", offsetof(struct git_job, username)},
    {"password", offsetof(struct git_job, password)},
    {"bearerToken", offsetof(struct git_job, bearer_token)},
    {"sshPrivateKey", offsetof(struct git_job, ssh_private_key)},
    {"knownHosts", offsetof(struct git_job, known_hosts)},
    {"tlsClientCert", offsetof(struct git_job, tls_client_cert)},
    {"tlsClientKey", offsetof(struct git_job, tls_client_key)},
    {"caPem", offsetof(struct git_job, ca_pem)},
    {"proxy", offsetof(struct git_job, proxy)},
    {"noProxy", offsetof(struct git_job, no_proxy)},
    {"dir", offsetof(struct git_job, dir)},
    {"scratch", offsetof(struct git_job, scratch)},
    {"want", offsetof(struct git_job, want)},
    {"lfsUrl", offsetof(struct git_job, lfs_url)},
    {"tlsDir", offsetof(struct git_job, tls_dir)},
};

void git_job_write(const struct git_job *job, str_t *out)
{
    str_printf(out, "{\"op\":\"%s\",\"insecure\":%s,\"forceBasic\":%s,\"depth\":%lld", op_names[job->op],
               job->insecure ? "true" : "false", job->force_basic ? "true" : "false", (long long)job->depth);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *value = *(const char *const *)((const char *)job + texts[i].offset);
        if (value) {
            str_printf(out, ",\"%s\":", texts[i].name);
            json_write_string(value, strlen(value), JSON_NO_HTML, out);
        }
    }
    str_putc(out, '}');
}

int git_job_read(const char *p, size_t n, json_t **doc, struct git_job *out, err_t **err)
{
    AUTO_JSON d = NULL;
    int r = json_read(p, n, &d, err);
    if (r < 0)
        return err_wrap(err, "read the job");
    struct git_job job = {.insecure = json_bool_at(d, "insecure"),
                          .force_basic = json_bool_at(d, "forceBasic"),
                          .depth = json_int_at(d, "depth")};
    const char *op = str_or_empty(json_str_at(d, "op"));
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(op_names); i++) {
        if (strcmp(op, op_names[i]) == 0) {
            job.op = (enum git_op)i;
            known = true;
        }
    }
    if (!known)
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown operation '%s'", op);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *(const char **)((char *)&job + texts[i].offset) = json_str_at(d, texts[i].name);
    *doc = TAKE(d);
    *out = job;
    return 0;
}

int git_answer_read(const char *p, size_t n, view_t *out, err_t **err)
{
    view_t rest = {p, n}, head;
    if (!n || !view_split(&rest, '\n', &head) || !rest.p)
        return err_set(err, ERR_INTERNAL, "the git child gave no answer");
    if (view_eq(head, "ok")) {
        *out = rest;
        return 0;
    }
    char code[16] = {};
    int64_t number = ERR_INTERNAL;
    if (head.n > 6 && head.n < 6 + sizeof(code) && memcmp(head.p, "error ", 6) == 0)
        memcpy(code, head.p + 6, head.n - 6);
    if (!str_to_i64(code, &number) || number <= ERR_OK || number >= ERR_CODE_MAX)
        number = ERR_INTERNAL;
    return err_set(err, (enum err_code)number, "%.*s", (int)min_size(rest.n, 8192), rest.p);
}
