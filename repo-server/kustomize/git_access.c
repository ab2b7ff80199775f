#include "repo-server/kustomize/git_access.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "repo-server/git/origin.h"

#include <stdio.h>

enum { KNOWN_HOSTS_MAX = 1 << 20 };

struct access {
    const struct render_input *in;
    const struct workdir *work;
    words_t *env;
    str_t config;
};

/* A value of git's configuration, quoted. */
static void put_value(struct access *a, const char *key, const char *value)
{
    str_printf(&a->config, "\t%s = \"", key);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            str_putc(&a->config, '\\');
        if (*p == '\n')
            str_puts(&a->config, "\\n");
        else
            str_putc(&a->config, *p);
    }
    str_puts(&a->config, "\"\n");
}

static int put_file(struct access *a, const char *name, const char *text, const char *key, err_t **err)
{
    if (str_empty(text))
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/%s", a->work->home, name);
    if (key)
        put_value(a, key, path);
    return file_write(path, text, strlen(text), 0600, err);
}

static char *base_url(const origin_t *o)
{
    const char *scheme = o->parsed.scheme == GIT_SCHEME_HTTPS ? "https" : "http";
    AUTO(free_p) char *port = o->parsed.port ? xasprintf(":%u", o->parsed.port) : xstrdup("");
    return xasprintf("%s://%s%s", scheme, o->parsed.host, port);
}

/* The section of credentials: a file in the form of git-credential-store. */
static int put_password(struct access *a, const origin_t *o, const char *base, err_t **err)
{
    const char *sep = strstr(base, "://") + 3;
    AUTO_STR line = STR_INIT;
    if (!o->password)
        return 0;
    str_printf(&line, "%.*s", (int)(sep - base), base);
    url_escape(str_empty(o->username) ? "x-access-token" : o->username, false, &line);
    str_putc(&line, ':');
    url_escape(o->password, false, &line);
    str_printf(&line, "@%s\n", sep);
    AUTO(free_p) char *helper = xasprintf("store --file=%s/credentials", a->work->home);
    str_printf(&a->config, "[credential \"%s\"]\n", base);
    put_value(a, "helper", helper);
    int r = put_file(a, "credentials", str_text(&line), NULL, err);
    wipe(line.p, line.len);
    return r;
}

static int put_http(struct access *a, const origin_t *o, err_t **err)
{
    AUTO(free_p) char *base = base_url(o);
    AUTO(free_p) char *ca = remote_authorities(a->in->git->tls_dir, o->parsed.host);
    int r = o->bearer_token && !o->password ? 0 : put_password(a, o, base, err);
    str_printf(&a->config, "[http \"%s/\"]\n", base);
    if (o->bearer_token && !o->password) {
        AUTO(free_p) char *header = xasprintf("Authorization: Bearer %s", o->bearer_token);
        put_value(a, "extraHeader", header);
        wipe(header, strlen(header));
    }
    if (o->insecure)
        put_value(a, "sslVerify", "false");
    else if (r == 0)
        r = put_file(a, "git-ca.pem", ca, "sslCAInfo", err);
    if (r == 0)
        r = put_file(a, "git-cert.pem", o->tls_client_cert, "sslCert", err);
    if (r == 0)
        r = put_file(a, "git-key.pem", o->tls_client_key, "sslKey", err);
    return r;
}

static int put_ssh(struct access *a, const origin_t *o, err_t **err)
{
    AUTO_STR known = STR_MAX(KNOWN_HOSTS_MAX);
    AUTO(free_p) char *from = xasprintf("%s/ssh_known_hosts", str_or_empty(a->in->git->ssh_dir));
    AUTO(free_p) char *key = xasprintf("%s\n", str_or_empty(o->ssh_private_key));
    file_read(from, &known, NULL);
    int r = put_file(a, "known_hosts", str_text(&known), NULL, err);
    if (r == 0)
        r = put_file(a, "id", key, NULL, err);
    wipe(key, strlen(key));
    words_addf(a->env,
               "GIT_SSH_COMMAND=ssh -F none -i %s/id -o IdentitiesOnly=yes -o BatchMode=yes "
               "-o UserKnownHostsFile=%s/known_hosts -o StrictHostKeyChecking=%s",
               a->work->home, a->work->home, o->insecure ? "no" : "yes");
    return r;
}

int git_access_write(const struct render_input *in, const struct workdir *work, words_t *env, err_t **err)
{
    const origin_t *o = in->origin;
    struct access a = {in, work, env, STR_INIT};
    int r = 0;
    words_add(env, "GIT_CONFIG_NOSYSTEM=1");
    words_add(env, "GIT_TERMINAL_PROMPT=0");
    /* Not `file`: other clones are on this disk. */
    words_add(env, o && in->git->allow_file ? "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file"
                                            : "GIT_ALLOW_PROTOCOL=https:http:ssh:git");
    if (o && (o->parsed.scheme == GIT_SCHEME_HTTP || o->parsed.scheme == GIT_SCHEME_HTTPS))
        r = put_http(&a, o, err);
    else if (o && o->parsed.scheme == GIT_SCHEME_SSH && o->ssh_private_key)
        r = put_ssh(&a, o, err);
    if (r == 0)
        r = put_file(&a, ".gitconfig", str_text(&a.config), NULL, err);
    if (a.config.len)
        wipe(a.config.p, a.config.len);
    str_dispose(&a.config);
    return r;
}
