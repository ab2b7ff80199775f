#include "common/base/file.h"
#include "k8s-auth/clouds.h"

#include <stdio.h>
#include <unistd.h>

#define SCOPES    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email"
#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define STS_URL   "https://sts.googleapis.com/v1/token"

enum { JWT_SECONDS = 3600, MAX_DEPTH = 3 };

static const char *const form_headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};

static int post_form(http_t *io, const char *url, str_t *form, json_t **answer, err_t **err)
{
    struct fetch f = {.method = "POST", .url = url, .headers = form_headers, .body = str_text(form)};
    return fetch_json(io, &f, answer, err);
}

static const char *or_default(const char *given, const char *fallback)
{
    return str_empty(given) ? fallback : given;
}

static int oauth(http_t *io, const char *url, str_t *form, struct token *out, err_t **err)
{
    AUTO_JSON answer = NULL;
    int r = post_form(io, url, form, &answer, err);
    return r < 0 ? r : token_of_oauth(answer, out, err);
}

/* ---- keys of service accounts, users ---- */

static int service_account(http_t *io, const json_t *o, struct token *out, err_t **err)
{
    const char *url = or_default(json_str_at(o, "token_uri"), TOKEN_URL);
    int64_t now = wall_now().ns / NS_PER_SEC;
    AUTO(free_p) char *jwt = NULL;
    AUTO_STR form = STR_INIT;
    json_t *claims = json_object();
    json_set_str(claims, "iss", str_or_empty(json_str_at(o, "client_email")));
    json_set_str(claims, "scope", SCOPES);
    json_set_str(claims, "aud", url);
    json_object_set_new_nocheck(claims, "iat", json_integer(now));
    json_object_set_new_nocheck(claims, "exp", json_integer(now + JWT_SECONDS));
    if (jwt_rs256(claims, str_or_empty(json_str_at(o, "private_key")), NULL, &jwt, err) < 0)
        return err_again(err);
    form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    form_add(&form, "assertion", jwt);
    return oauth(io, url, &form, out, err);
}

static int user(http_t *io, const json_t *o, struct token *out, err_t **err)
{
    AUTO_STR form = STR_INIT;
    form_add(&form, "grant_type", "refresh_token");
    form_add(&form, "refresh_token", str_or_empty(json_str_at(o, "refresh_token")));
    form_add(&form, "client_id", str_or_empty(json_str_at(o, "client_id")));
    form_add(&form, "client_secret", str_or_empty(json_str_at(o, "client_secret")));
    return oauth(io, or_default(json_str_at(o, "token_uri"), TOKEN_URL), &form, out, err);
}

/* ---- acting as a service account ---- */

static int impersonate(http_t *io, const char *url, const struct token *by, const json_t *delegates,
                       struct token *out, err_t **err)
{
    AUTO_JSON body = json_object();
    AUTO_JSON answer = NULL;
    json_t *scopes = json_array();
    AUTO(strv_free_p) char **list = strv_split(SCOPES, " ", true);
    for (char **s = list; *s; s++)
        json_array_append_new(scopes, json_str_new(*s));
    json_object_set_new_nocheck(body, "scope", scopes);
    json_set_str(body, "lifetime", "3600s");
    if (json_is_array(delegates))
        json_object_set_nocheck(body, "delegates", (json_t *)(uintptr_t)delegates);
    AUTO(free_p) char *text = json_text(body, JSON_KEEP_ORDER);
    AUTO(free_p) char *line = xasprintf("Authorization: Bearer %s", by->text);
    const char *headers[] = {"Content-Type: application/json", line, NULL};
    struct fetch f = {.method = "POST", .url = url, .headers = headers, .body = text};
    if (fetch_json(io, &f, &answer, err) < 0)
        return err_wrap(err, "act as a service account");
    const char *token = json_str_at(answer, "accessToken");
    if (str_empty(token))
        return err_set(err, ERR_UNAUTHENTICATED, "act as a service account: the answer has no token");
    *out = (struct token){.text = xstrdup(token)};
    out->expires = rfc3339_parse(str_or_empty(json_str_at(answer, "expireTime")), &out->expiry);
    return 0;
}

/* ---- workload identity federation ---- */

/* The token itself, or the field of a JSON text that holds it. */
static int subject_of(const char *text, const json_t *format, char **out, err_t **err)
{
    AUTO_JSON o = NULL;
    if (!str_eq(json_str_at(format, "type"), "json")) {
        *out = xstrdup(text);
        return 0;
    }
    const char *field = json_str_at(format, "subject_token_field_name");
    if (json_read(text, strlen(text), &o, NULL) < 0 || str_empty(field) || str_empty(json_str_at(o, field)))
        return err_set(err, ERR_UNAUTHENTICATED, "the subject token has no field %s", str_or_empty(field));
    *out = xstrdup(json_str_at(o, field));
    return 0;
}

static int subject_of_url(http_t *io, const json_t *source, char **out, err_t **err)
{
    enum { MAX_HEADERS = 20 };
    const json_t *given = json_object_get(source, "headers");
    const char *lines[MAX_HEADERS + 1] = {NULL};
    AUTO_STR text = STR_INIT;
    size_t n = 0;
    json_t *v = (json_t *)(uintptr_t)given;
    for (void *it = json_object_iter(v); it && n < MAX_HEADERS; it = json_object_iter_next(v, it))
        lines[n++] = xasprintf("%s: %s", json_object_iter_key(it),
                               str_or_empty(json_string_value(json_object_iter_value(it))));
    struct fetch f = {.method = "GET", .url = json_str_at(source, "url"), .headers = lines, .direct = true};
    int r = fetch_text(io, &f, &text, err);
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)lines[i]);
    if (r < 0)
        return err_wrap(err, "subject token");
    view_t trimmed = view_trim((view_t){str_text(&text), text.len});
    AUTO(free_p) char *token = xstrndup(trimmed.p, trimmed.n);
    return subject_of(token, json_object_get(source, "format"), out, err);
}

/* A signed request for GetCallerIdentity, as JSON
 * (https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds). */
static int subject_of_aws(http_t *io, const char *audience, char **out, err_t **err)
{
    struct aws a;
    struct sigv4_key key;
    char date[SIGV4_DATE];
    if (aws_open(io, NULL, &a, err) < 0)
        return err_again(err);
    if (aws_credentials(&a, &key, err) < 0) {
        aws_close(&a);
        return err_again(err);
    }
    wall_t now = wall_now();
    sigv4_date(now, date);
    const char *host = strstr(a.sts, "://") + 3;
    struct sigv4_header headers[] = {{"x-amz-date", date},
                                     {"x-goog-cloud-target-resource", audience},
                                     {"x-amz-security-token", key.token}};
    struct sigv4_request request = {.method = "POST",
                                    .host = host,
                                    .path = "/",
                                    .query = "Action=GetCallerIdentity&Version=2011-06-15",
                                    .headers = headers,
                                    .nheaders = str_empty(key.token) ? 2 : 3,
                                    .region = a.region,
                                    .service = "sts",
                                    .at = now};
    AUTO(free_p) char *authorization = sigv4_authorization(&request, &key);
    AUTO(free_p) char *url = xasprintf("%s/?%s", a.sts, request.query);
    AUTO_JSON o = json_object();
    json_t *list = json_array();
    struct sigv4_header all[] = {
        {"Authorization", authorization}, {"host", host}, headers[0], headers[1], headers[2]};
    for (size_t i = 0; i < 2 + request.nheaders; i++) {
        json_t *h = json_object();
        json_set_str(h, "key", all[i].name);
        json_set_str(h, "value", all[i].value);
        json_array_append_new(list, h);
    }
    json_set_str(o, "url", url);
    json_set_str(o, "method", "POST");
    json_object_set_new_nocheck(o, "headers", list);
    *out = json_text(o, JSON_KEEP_ORDER);
    sigv4_key_dispose(&key);
    aws_close(&a);
    return 0;
}

static int subject(http_t *io, const json_t *o, char **out, err_t **err)
{
    const json_t *source = json_object_get(o, "credential_source");
    const char *file = json_str_at(source, "file"), *environment = json_str_at(source, "environment_id");
    AUTO(free_p) char *text = NULL;
    if (!str_empty(environment) && str_has_prefix(environment, "aws"))
        return subject_of_aws(io, str_or_empty(json_str_at(o, "audience")), out, err);
    if (!str_empty(json_str_at(source, "url")))
        return subject_of_url(io, source, out, err);
    if (str_empty(file))
        return err_set(err, ERR_UNIMPLEMENTED, "credential_source is none of file, url and aws");
    if (read_text(file, &text, err) < 0)
        return err_wrap(err, "subject token");
    return subject_of(text, json_object_get(source, "format"), out, err);
}

static int federated(http_t *io, const json_t *o, struct token *out, err_t **err)
{
    AUTO(free_p) char *token = NULL;
    AUTO_STR form = STR_INIT;
    if (subject(io, o, &token, err) < 0)
        return err_again(err);
    form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    form_add(&form, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    form_add(&form, "audience", str_or_empty(json_str_at(o, "audience")));
    form_add(&form, "subject_token_type", str_or_empty(json_str_at(o, "subject_token_type")));
    form_add(&form, "subject_token", token);
    form_add(&form, "scope", SCOPES);
    const char *as = json_str_at(o, "service_account_impersonation_url");
    struct token exchanged;
    if (oauth(io, or_default(json_str_at(o, "token_url"), STS_URL), &form, &exchanged, err) < 0)
        return err_wrap(err, "exchange of the subject token");
    if (str_empty(as)) {
        *out = exchanged;
        return 0;
    }
    int r = impersonate(io, as, &exchanged, NULL, out, err);
    free(exchanged.text);
    return r;
}

/* ---- where ---- */

static int by_type(http_t *io, const json_t *o, unsigned depth, struct token *out, err_t **err)
{
    const char *type = str_or_empty(json_str_at(o, "type"));
    if (strcmp(type, "service_account") == 0)
        return service_account(io, o, out, err);
    if (strcmp(type, "authorized_user") == 0)
        return user(io, o, out, err);
    if (strcmp(type, "external_account") == 0)
        return federated(io, o, out, err);
    if (strcmp(type, "impersonated_service_account") != 0 || depth >= MAX_DEPTH)
        return err_set(err, ERR_UNIMPLEMENTED, "credentials of the type '%s' are not served", type);
    struct token by;
    if (by_type(io, json_object_get(o, "source_credentials"), depth + 1, &by, err) < 0)
        return err_again(err);
    int r = impersonate(io, str_or_empty(json_str_at(o, "service_account_impersonation_url")), &by,
                        json_object_get(o, "delegates"), out, err);
    free(by.text);
    return r;
}

static int of_file(http_t *io, const char *path, struct token *out, err_t **err)
{
    AUTO(free_p) char *text = NULL;
    AUTO_JSON o = NULL;
    int r = read_text(path, &text, err);
    if (r == 0 && json_read(text, strlen(text), &o, NULL) < 0)
        r = err_set(err, ERR_INVALID_ARGUMENT, "it is not JSON");
    if (text)
        wipe(text, strlen(text));
    if (r == 0)
        r = by_type(io, o, 0, out, err);
    return r < 0 ? err_wrap(err, "credentials of %s", path) : 0;
}

static int of_metadata(http_t *io, struct token *out, err_t **err)
{
    static const char *const headers[] = {"Metadata-Flavor: Google", NULL};
    const char *host = env_of("GCE_METADATA_HOST");
    AUTO_STR url = STR_INIT;
    AUTO_JSON answer = NULL;
    str_printf(&url, "http://%s/computeMetadata/v1/instance/service-accounts/default/token?",
               host ? host : "169.254.169.254");
    AUTO_STR query = STR_INIT;
    AUTO(strv_free_p) char **scopes = strv_split(SCOPES, " ", true);
    AUTO(free_p) char *joined = strv_join(scopes, ",");
    form_add(&query, "scopes", joined);
    str_puts(&url, str_text(&query));
    struct fetch f = {.method = "GET", .url = str_text(&url), .headers = headers, .direct = true};
    int r = fetch_json(io, &f, &answer, err);
    return r < 0 ? err_wrap(err, "no credentials: those of the metadata server")
                 : token_of_oauth(answer, out, err);
}

int gcp_token(http_t *io, struct token *out, err_t **err)
{
    const char *path = env_of("GOOGLE_APPLICATION_CREDENTIALS"), *config = env_of("CLOUDSDK_CONFIG"),
               *home = env_of("HOME");
    if (path)
        return of_file(io, path, out, err);
    AUTO(free_p)
    char *known = config
                      ? xasprintf("%s/application_default_credentials.json", config)
                      : xasprintf("%s/.config/gcloud/application_default_credentials.json", home ? home : "");
    if (access(known, R_OK) == 0)
        return of_file(io, known, out, err);
    return of_metadata(io, out, err);
}
