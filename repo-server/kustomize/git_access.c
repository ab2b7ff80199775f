#include "repo-server/kustomize/git_access.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "repo-server/git/origin.h"

#include <dirent.h>
#include <stdio.h>

enum { KNOWN_HOSTS_MAX = 1 << 20, HOSTS_MAX = 1000 };

struct access {
    const struct render_input *in;
    const struct workdir *work;
    words_t *env;
    str_t config;
    size_t files; /* of authorities */
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

static int write_text(struct access *a, const char *name, const char *text, err_t **err)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", a->work->home, name);
    return file_write(path, text, strlen(text), 0600, err);
}

static int put_file(struct access *a, const char *name, const char *text, const char *key, err_t **err)
{
    if (str_empty(text))
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/%s", a->work->home, name);
    if (key)
        put_value(a, key, path);
    return write_text(a, name, text, err);
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

/* Without a key ssh servers may still let somebody in; they are known by the same list. */
static int put_ssh(struct access *a, const origin_t *o, err_t **err)
{
    AUTO_STR known = STR_MAX(KNOWN_HOSTS_MAX);
    AUTO(free_p) char *from = xasprintf("%s/ssh_known_hosts", str_or_empty(a->in->git->ssh_dir));
    bool ssh = o && o->parsed.scheme == GIT_SCHEME_SSH, has_key = ssh && o->ssh_private_key;
    AUTO(free_p) char *key = xasprintf("%s\n", has_key ? o->ssh_private_key : "");
    file_read(from, &known, NULL);
    int r = write_text(a, "known_hosts", str_text(&known), err);
    if (r == 0 && has_key)
        r = put_file(a, "id", key, NULL, err);
    wipe(key, strlen(key));
    words_addf(a->env,
               "GIT_SSH_COMMAND=ssh -F none -i %s/%s -o IdentitiesOnly=yes -o BatchMode=yes "
               "-o UserKnownHostsFile=%s/known_hosts -o StrictHostKeyChecking=%s",
               a->work->home, has_key ? "id" : "none", a->work->home, ssh && o->insecure ? "no" : "yes");
    return r;
}

/* ---- authorities ---- */

/* "https://host:8443/x": host and what stands behind it up to the path. NULL: no https. */
static char *https_host(const char *url, char **port)
{
    const char *at = str_after(url, "https://");
    if (!at)
        return NULL;
    size_t n = strcspn(at, "/?#");
    const char *user = memrchr(at, '@', n);
    if (user) {
        n -= (size_t)(user + 1 - at);
        at = user + 1;
    }
    size_t host = strcspn(at, ":/?#");
    size_t digits = host < n && at[host] == ':' ? strspn(at + host + 1, "0123456789") : 0;
    *port = digits ? xasprintf(":%.*s", (int)digits, at + host + 1) : xstrdup("");
    return xstrndup(at, host);
}

/* git asks for the port, too: without one it is the scheme's. The source's own server has its section. */
static int trust(struct access *a, const char *host, const char *port, const char *ca, err_t **err)
{
    AUTO(free_p) char *name = xasprintf("git-ca-%zu.pem", a->files++);
    AUTO(free_p) char *base = xasprintf("https://%s%s", host, port);
    AUTO(free_p) char *own = a->in->origin ? base_url(a->in->origin) : xstrdup("");
    if (strcmp(base, own) == 0)
        return 0;
    str_printf(&a->config, "[http \"%s/\"]\n", base);
    return put_file(a, name, ca, "sslCAInfo", err);
}

/* A name that can stand in a section of git's configuration. */
static bool is_host(const char *name)
{
    return *name != '.' && *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-")];
}

/* What bases name further bases is not known yet, so that all hosts of the ConfigMap are told, by the usual
 * port. */
static int trust_all(struct access *a, err_t **err)
{
    DIR *d = str_empty(a->in->git->tls_dir) ? NULL : opendir(a->in->git->tls_dir);
    int r = 0;
    for (struct dirent *e; r == 0 && d && a->files < HOSTS_MAX && (e = readdir(d));) {
        AUTO(free_p)
        char *ca = is_host(e->d_name) ? remote_authorities(a->in->git->tls_dir, e->d_name) : NULL;
        if (ca)
            r = trust(a, e->d_name, "", ca, err);
    }
    if (d)
        closedir(d);
    return r;
}

/* Those that are named, by their ports; and for files that kustomize fetches itself, all in one file. */
static int trust_named(struct access *a, const map_t *remotes, char **ca_file, err_t **err)
{
    AUTO_STR all = STR_INIT;
    map_t seen = {};
    int r = 0;
    MAP_FOREACH(remotes, e) {
        AUTO(free_p) char *port = NULL;
        AUTO(free_p)
        char *host = https_host(str_after(e->key, "git::") ? e->key + strlen("git::") : e->key, &port);
        AUTO(free_p) char *ca = host && is_host(host) ? remote_authorities(a->in->git->tls_dir, host) : NULL;
        if (!ca || r < 0 || a->files >= HOSTS_MAX)
            continue;
        if (map_put(&seen, host, a))
            str_printf(&all, "%s\n", ca);
        if (*port)
            r = trust(a, host, port, ca, err);
    }
    map_dispose(&seen);
    if (r < 0 || !all.len)
        return r;
    if (getenv("SSL_CERT_FILE"))
        file_read(getenv("SSL_CERT_FILE"), &all, NULL);
    *ca_file = xasprintf("%s/authorities.pem", a->work->home);
    return write_text(a, "authorities.pem", str_text(&all), err);
}

int git_access_write(const struct render_input *in, const struct workdir *work, const map_t *remotes,
                     words_t *env, char **ca_file, err_t **err)
{
    const origin_t *o = in->origin;
    struct access a = {.in = in, .work = work, .env = env};
    int r = 0;
    words_add(env, "GIT_CONFIG_NOSYSTEM=1");
    words_add(env, "GIT_TERMINAL_PROMPT=0");
    /* Not `file`: other clones are on this disk. */
    words_add(env, o && in->git->allow_file ? "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file"
                                            : "GIT_ALLOW_PROTOCOL=https:http:ssh:git");
    if (o && (o->parsed.scheme == GIT_SCHEME_HTTP || o->parsed.scheme == GIT_SCHEME_HTTPS))
        r = put_http(&a, o, err);
    if (r == 0 && in->git)
        r = put_ssh(&a, o, err);
    if (r == 0 && in->git)
        r = trust_all(&a, err);
    if (r == 0 && in->git)
        r = trust_named(&a, remotes, ca_file, err);
    if (r == 0)
        r = put_file(&a, ".gitconfig", str_text(&a.config), NULL, err);
    if (a.config.len)
        wipe(a.config.p, a.config.len);
    str_dispose(&a.config);
    return r;
}
