#include "k8s-auth/aws.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "k8s-auth/fetch.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_CHAIN = 5, MAX_FILE = 1 << 20, METADATA_SECONDS = 5 };

/* ---- shared files ---- */

void aws_files_dispose(struct aws_files *f)
{
    map_dispose(&f->values);
    map_dispose(&f->profiles);
}

static char *section_name(view_t line, bool config)
{
    view_t name = view_trim((view_t){line.p + 1, line.n - 2});
    static const char prefix[] = "profile";
    size_t n = sizeof(prefix) - 1;
    if (config && name.n > n && strncmp(name.p, prefix, n) == 0 && isspace((unsigned char)name.p[n]))
        name = view_trim((view_t){name.p + n, name.n - n});
    else if (config && !(name.n == 7 && strncmp(name.p, "default", 7) == 0))
        return NULL; /* sso-session, services … */
    return xstrndup(name.p, name.n);
}

static void take_line(struct aws_files *f, const char *profile, view_t line)
{
    const char *equal = memchr(line.p, '=', line.n);
    if (!equal)
        return;
    view_t name = view_trim((view_t){line.p, (size_t)(equal - line.p)}),
           value = view_trim((view_t){equal + 1, line.n - (size_t)(equal - line.p) - 1});
    AUTO(free_p) char *key = xasprintf("%s\n%.*s", profile, (int)name.n, name.p);
    for (char *p = strchr(key, '\n'); *p; p++)
        *p = (char)tolower((unsigned char)*p);
    map_put(&f->values, key, xstrndup(value.p, value.n));
}

void aws_files_parse(struct aws_files *f, const char *text, bool config)
{
    AUTO(free_p) char *profile = NULL;
    f->values.value_free = free;
    while (*text) {
        size_t n = strcspn(text, "\n");
        bool nested = *text == ' ' || *text == '\t';
        view_t line = view_trim((view_t){text, n});
        text += n + (text[n] == '\n');
        if (!line.n || *line.p == '#' || *line.p == ';' || nested)
            continue;
        if (*line.p == '[' && line.p[line.n - 1] == ']') {
            free(profile);
            profile = section_name(line, config);
            if (profile)
                map_put(&f->profiles, profile, NULL);
        } else if (profile) {
            take_line(f, profile, line);
        }
    }
}

const char *aws_value(const struct aws_files *f, const char *profile, const char *key)
{
    AUTO(free_p) char *name = xasprintf("%s\n%s", profile, key);
    const char *v = map_get(&f->values, name);
    return str_empty(v) ? NULL : v;
}

static void read_file(struct aws_files *f, const char *env, const char *name, bool config)
{
    AUTO_STR text = STR_MAX(MAX_FILE);
    const char *given = env_of(env), *home = env_of("HOME");
    AUTO(free_p) char *path = given ? xstrdup(given) : xasprintf("%s/.aws/%s", home ? home : "", name);
    if (file_read(path, &text, NULL) == 0)
        aws_files_parse(f, str_text(&text), config);
    if (text.p)
        wipe(text.p, text.len);
}

/* ---- region and token service ---- */

static bool is_true(const char *env)
{
    bool v = false;
    return env_of(env) && str_to_bool(env_of(env), &v) && v;
}

static char *sts_url(const struct aws *a)
{
    const char *given = env_of("AWS_ENDPOINT_URL_STS");
    given = given ? given : env_of("AWS_ENDPOINT_URL");
    given = given ? given : aws_value(&a->files, a->profile, "endpoint_url");
    if (given) {
        char *url = xstrdup(given);
        while (str_has_suffix(url, "/"))
            url[strlen(url) - 1] = 0;
        return url;
    }
    if (strcmp(a->region, "aws-global") == 0)
        return xstrdup("https://sts.amazonaws.com");
    bool china = str_has_prefix(a->region, "cn-"), dual = is_true("AWS_USE_DUALSTACK_ENDPOINT");
    const char *domain = dual ? (china ? "api.amazonwebservices.com.cn" : "api.aws")
                              : (china ? "amazonaws.com.cn" : "amazonaws.com");
    return xasprintf("https://sts%s.%s.%s", is_true("AWS_USE_FIPS_ENDPOINT") ? "-fips" : "", a->region,
                     domain);
}

int aws_open(http_t *io, const char *profile, struct aws *out, err_t **err)
{
    struct aws a = {.io = io, .named = !str_empty(profile)};
    const char *by_env = env_of("AWS_PROFILE");
    a.profile = xstrdup(a.named ? profile : by_env ? by_env : "default");
    read_file(&a.files, "AWS_CONFIG_FILE", "config", true);
    read_file(&a.files, "AWS_SHARED_CREDENTIALS_FILE", "credentials", false);
    const char *region = env_of("AWS_REGION");
    region = region ? region : env_of("AWS_DEFAULT_REGION");
    region = region ? region : aws_value(&a.files, a.profile, "region");
    int r = 0;
    if ((a.named || by_env) && !map_has(&a.files.profiles, a.profile))
        r = err_set(err, ERR_INVALID_ARGUMENT, "failed to get shared config profile, %s", a.profile);
    else if (!region)
        r = err_set(err, ERR_INVALID_ARGUMENT, "no region: set AWS_REGION");
    a.region = xstrdup(region ? region : "");
    a.sts = sts_url(&a);
    *out = a;
    if (r < 0)
        aws_close(out);
    return r;
}

void aws_close(struct aws *a)
{
    aws_files_dispose(&a->files);
    free(a->profile);
    free(a->region);
    free(a->sts);
    *a = (struct aws){};
}

/* ---- the token service ---- */

static char *element(const char *text, const char *name)
{
    AUTO(free_p) char *open = xasprintf("<%s>", name);
    AUTO(free_p) char *close = xasprintf("</%s>", name);
    const char *from = strstr(text, open), *to = from ? strstr(from, close) : NULL;
    if (!to)
        return NULL;
    from += strlen(open);
    view_t v = view_trim((view_t){from, (size_t)(to - from)});
    /* Of the characters that XML escapes only these occur in keys and tokens. */
    return memchr(v.p, '&', v.n) || memchr(v.p, '<', v.n) ? NULL : xstrndup(v.p, v.n);
}

int aws_credentials_of_xml(const char *text, struct sigv4_key *out, err_t **err)
{
    const char *from = strstr(text, "<Credentials>");
    *out = (struct sigv4_key){};
    if (from) {
        out->id = element(from, "AccessKeyId");
        out->secret = element(from, "SecretAccessKey");
        out->token = element(from, "SessionToken");
    }
    if (out->id && out->secret && out->token)
        return 0;
    sigv4_key_dispose(out);
    return err_set(err, ERR_INTERNAL, "the answer of the token service has no credentials");
}

static int ask_sts(struct aws *a, const char *form, const char *const *headers, struct sigv4_key *out,
                   err_t **err)
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p) char *url = xasprintf("%s/", a->sts);
    struct fetch f = {.method = "POST", .url = url, .headers = headers, .body = form};
    int r = fetch_text(a->io, &f, &text, err);
    if (r == 0)
        r = aws_credentials_of_xml(str_text(&text), out, err);
    if (text.p)
        wipe(text.p, text.len);
    return r;
}

static char *host_of(const char *url)
{
    const char *p = strstr(url, "://");
    p = p ? p + 3 : url;
    return xstrndup(p, strcspn(p, "/"));
}

static char *session_name(const char *given)
{
    return str_empty(given) ? xasprintf("cargocd-%lld", (long long)wall_now().ns) : xstrdup(given);
}

int aws_assume_role(struct aws *a, const struct sigv4_key *by, const char *role, const char *session,
                    const char *external_id, const char *seconds, struct sigv4_key *out, err_t **err)
{
    static const char type[] = "application/x-www-form-urlencoded; charset=utf-8";
    char date[SIGV4_DATE];
    AUTO_STR form = STR_INIT;
    AUTO(free_p) char *name = session_name(session);
    AUTO(free_p) char *host = host_of(a->sts);
    form_add(&form, "Action", "AssumeRole");
    form_add(&form, "Version", "2011-06-15");
    form_add(&form, "RoleArn", role);
    form_add(&form, "RoleSessionName", name);
    form_add(&form, "DurationSeconds", str_empty(seconds) ? "900" : seconds);
    if (!str_empty(external_id))
        form_add(&form, "ExternalId", external_id);
    wall_t now = wall_now();
    sigv4_date(now, date);
    struct sigv4_header headers[] = {
        {"content-type", type}, {"x-amz-date", date}, {"x-amz-security-token", by->token}};
    struct sigv4_request request = {.method = "POST",
                                    .host = host,
                                    .path = "/",
                                    .headers = headers,
                                    .nheaders = str_empty(by->token) ? 2 : 3,
                                    .body = str_text(&form),
                                    .n = form.len,
                                    .region = a->region,
                                    .service = "sts",
                                    .at = now};
    AUTO(free_p) char *authorization = sigv4_authorization(&request, by);
    AUTO(free_p)
    char *lines[] = {xasprintf("Content-Type: %s", type), xasprintf("X-Amz-Date: %s", date),
                     xasprintf("Authorization: %s", authorization),
                     str_empty(by->token) ? NULL : xasprintf("X-Amz-Security-Token: %s", by->token), NULL};
    int r = ask_sts(a, str_text(&form), (const char *const *)lines, out, err);
    for (size_t i = 1; i < ARRAY_LEN(lines); i++)
        free(lines[i]);
    return r < 0 ? err_wrap(err, "assume role %s", role) : 0;
}

static int web_identity(struct aws *a, const char *file, const char *role, const char *session,
                        struct sigv4_key *out, err_t **err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                                          NULL};
    AUTO(free_p) char *token = NULL;
    AUTO_STR form = STR_INIT;
    AUTO(free_p) char *name = session_name(session);
    if (str_empty(role))
        return err_set(err, ERR_INVALID_ARGUMENT, "a web identity token, but no role (AWS_ROLE_ARN)");
    if (read_text(file, &token, err) < 0)
        return err_wrap(err, "web identity token");
    form_add(&form, "Action", "AssumeRoleWithWebIdentity");
    form_add(&form, "Version", "2011-06-15");
    form_add(&form, "RoleArn", role);
    form_add(&form, "RoleSessionName", name);
    form_add(&form, "WebIdentityToken", token);
    wipe(token, strlen(token));
    int r = ask_sts(a, str_text(&form), headers, out, err);
    return r < 0 ? err_wrap(err, "assume role %s with web identity", role) : 0;
}

/* ---- containers, instances, processes ---- */

/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken"}. */
static int take_keys(const json_t *o, struct sigv4_key *out, err_t **err)
{
    const char *id = json_str_at(o, "AccessKeyId"), *secret = json_str_at(o, "SecretAccessKey"),
               *token = json_str_at(o, "Token");
    token = token ? token : json_str_at(o, "SessionToken");
    if (str_empty(id) || str_empty(secret))
        return err_set(err, ERR_UNAUTHENTICATED, "there are no credentials in the answer");
    *out = (struct sigv4_key){xstrdup(id), xstrdup(secret), token ? xstrdup(token) : NULL};
    return 0;
}

static int container(struct aws *a, struct sigv4_key *out, err_t **err)
{
    const char *relative = env_of("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
               *full = env_of("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
               *file = env_of("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
               *given = env_of("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    AUTO(free_p) char *url = relative ? xasprintf("http://169.254.170.2%s", relative) : xstrdup(full);
    AUTO(free_p) char *token = given ? xstrdup(given) : NULL;
    if (file) {
        free(TAKE(token));
        if (read_text(file, &token, err) < 0)
            return err_wrap(err, "container authorization token");
    }
    if (token && strpbrk(token, "\r\n"))
        return err_set(err, ERR_INVALID_ARGUMENT, "the container authorization token has more than one line");
    AUTO(free_p) char *line = token ? xasprintf("Authorization: %s", token) : NULL;
    const char *headers[] = {line, NULL};
    AUTO_JSON answer = NULL;
    struct fetch f = {.method = "GET", .url = url, .headers = headers, .direct = true};
    int r = fetch_json(a->io, &f, &answer, err);
    if (r == 0)
        r = take_keys(answer, out, err);
    return r < 0 ? err_wrap(err, "credentials of the container") : 0;
}

static int metadata(struct aws *a, const char *base, const char *path, const char *line, str_t *out,
                    err_t **err)
{
    const char *headers[] = {line, NULL};
    AUTO(free_p) char *url = xasprintf("%s%s", base, path);
    struct fetch f = {.method = "GET",
                      .url = url,
                      .headers = headers,
                      .direct = true,
                      .timeout_ns = SECONDS(METADATA_SECONDS)};
    return fetch_text(a->io, &f, out, err);
}

static int instance(struct aws *a, struct sigv4_key *out, err_t **err)
{
    static const char *const ttl[] = {"X-aws-ec2-metadata-token-ttl-seconds: 300", NULL};
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    const char *given = env_of("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    AUTO(free_p) char *base = xstrdup(given ? given : "http://169.254.169.254");
    AUTO_STR token = STR_INIT;
    AUTO_STR role = STR_INIT;
    AUTO_STR text = STR_INIT;
    AUTO_JSON answer = NULL;
    if (is_true("AWS_EC2_METADATA_DISABLED"))
        return err_set(err, ERR_UNAUTHENTICATED,
                       "there are no credentials, and the instance's metadata is disabled");
    while (str_has_suffix(base, "/"))
        base[strlen(base) - 1] = 0;
    AUTO(free_p) char *url = xasprintf("%s/latest/api/token", base);
    struct fetch f = {
        .method = "PUT", .url = url, .headers = ttl, .direct = true, .timeout_ns = SECONDS(METADATA_SECONDS)};
    int r = fetch_text(a->io, &f, &token, err);
    AUTO(free_p) char *line = xasprintf("X-aws-ec2-metadata-token: %s", str_text(&token));
    if (r == 0)
        r = metadata(a, base, roles, line, &role, err);
    AUTO(free_p)
    char *path = xasprintf("%s%.*s", roles, (int)strcspn(str_text(&role), "\r\n"), str_text(&role));
    if (r == 0)
        r = metadata(a, base, path, line, &text, err);
    if (r == 0 && json_read(str_text(&text), text.len, &answer, NULL) < 0)
        r = err_set(err, ERR_INTERNAL, "the answer is not JSON");
    if (r == 0)
        r = take_keys(answer, out, err);
    return r < 0 ? err_wrap(err, "no credentials: those of the instance") : 0;
}

static int process(const char *command, struct sigv4_key *out, err_t **err)
{
    char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command,
                    NULL};
    AUTO_STR text = STR_MAX(64 << 10);
    AUTO_JSON answer = NULL;
    struct proc_spec spec = {.argv = argv, .env = environ, .timeout_ns = SECONDS(30)};
    struct proc_result result;
    int r = proc_run(&spec, &text, NULL, &result, err);
    if (r == 0 && result.exit_status)
        r = err_set(err, ERR_UNAUTHENTICATED, "it ended with status %d", result.exit_status);
    if (r == 0 && json_read(str_text(&text), text.len, &answer, NULL) < 0)
        r = err_set(err, ERR_UNAUTHENTICATED, "its answer is not JSON");
    if (r == 0)
        r = take_keys(answer, out, err);
    return r < 0 ? err_wrap(err, "credential_process") : 0;
}

/* ---- the order ---- */

static int ambient(struct aws *a, struct sigv4_key *out, err_t **err)
{
    if (env_of("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || env_of("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return container(a, out, err);
    return instance(a, out, err);
}

static int of_environment(struct sigv4_key *out)
{
    const char *id = env_of("AWS_ACCESS_KEY_ID"), *secret = env_of("AWS_SECRET_ACCESS_KEY"),
               *token = env_of("AWS_SESSION_TOKEN");
    if (!id || !secret)
        return -ERR_NOT_FOUND;
    *out = (struct sigv4_key){xstrdup(id), xstrdup(secret), token ? xstrdup(token) : NULL};
    return 0;
}

static int by_source(struct aws *a, const char *source, struct sigv4_key *out, err_t **err)
{
    if (strcmp(source, "Environment") == 0)
        return of_environment(out) < 0
                   ? err_set(err, ERR_UNAUTHENTICATED, "the environment has no credentials")
                   : 0;
    if (strcmp(source, "Ec2InstanceMetadata") == 0)
        return instance(a, out, err);
    if (strcmp(source, "EcsContainer") == 0)
        return container(a, out, err);
    return err_set(err, ERR_INVALID_ARGUMENT, "credential_source %s is not known", source);
}

static int of_profile(struct aws *a, const char *profile, unsigned depth, struct sigv4_key *out, err_t **err);

/* What the profile's role, if it has one, is assumed by. */
static int base_of_profile(struct aws *a, const char *profile, unsigned depth, struct sigv4_key *out,
                           err_t **err)
{
    const struct aws_files *f = &a->files;
    const char *source = aws_value(f, profile, "source_profile"),
               *id = aws_value(f, profile, "aws_access_key_id"),
               *secret = aws_value(f, profile, "aws_secret_access_key"),
               *token = aws_value(f, profile, "aws_session_token"),
               *from = aws_value(f, profile, "credential_source"),
               *command = aws_value(f, profile, "credential_process");
    if (source && strcmp(source, profile) != 0)
        return of_profile(a, source, depth + 1, out, err);
    if (id && secret) {
        *out = (struct sigv4_key){xstrdup(id), xstrdup(secret), token ? xstrdup(token) : NULL};
        return 0;
    }
    if (from)
        return by_source(a, from, out, err);
    if (aws_value(f, profile, "sso_start_url") || aws_value(f, profile, "sso_session"))
        return err_set(err, ERR_UNIMPLEMENTED, "profile %s: single sign-on needs a browser", profile);
    return command ? process(command, out, err) : ambient(a, out, err);
}

static int of_profile(struct aws *a, const char *profile, unsigned depth, struct sigv4_key *out, err_t **err)
{
    const struct aws_files *f = &a->files;
    const char *role = aws_value(f, profile, "role_arn"),
               *session = aws_value(f, profile, "role_session_name"),
               *identity = aws_value(f, profile, "web_identity_token_file");
    if (depth > MAX_CHAIN)
        return err_set(err, ERR_INVALID_ARGUMENT, "profile %s: more than %d roles one after another", profile,
                       MAX_CHAIN);
    if (identity)
        return web_identity(a, identity, role, session, out, err);
    struct sigv4_key base;
    if (base_of_profile(a, profile, depth, &base, err) < 0)
        return err_again(err);
    if (!role) {
        *out = base;
        return 0;
    }
    int r = aws_assume_role(a, &base, role, session, aws_value(f, profile, "external_id"),
                            aws_value(f, profile, "duration_seconds"), out, err);
    sigv4_key_dispose(&base);
    return r;
}

int aws_credentials(struct aws *a, struct sigv4_key *out, err_t **err)
{
    const char *identity = env_of("AWS_WEB_IDENTITY_TOKEN_FILE");
    *out = (struct sigv4_key){};
    if (!a->named && of_environment(out) == 0)
        return 0;
    if (!a->named && identity)
        return web_identity(a, identity, env_of("AWS_ROLE_ARN"), env_of("AWS_ROLE_SESSION_NAME"), out, err);
    return of_profile(a, a->profile, 0, out, err);
}
