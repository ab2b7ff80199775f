#include "repo-server/integrity/policy.h"
#include "common/argo/project.h"
#include "common/base/map.h"

enum { MAX_PROBLEMS = 10, LONG_ID = 16, FINGERPRINT = 40 };

void signatures_free(signatures_t *s)
{
    VEC_FOREACH(s, e) {
        free(e->revision);
        free(e->author);
    }
    VEC_FREE(s);
}

static int read_mode(const json_t *gpg, enum integrity_mode *out, err_t **err)
{
    static const char *const names[] = {"none", "head", "strict"};
    const char *mode = str_or_empty(json_str_at(gpg, "mode"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(mode, names[i]) == 0) {
            *out = (enum integrity_mode)i;
            return 0;
        }
    }
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "unknown GPG mode \"%s\" configured for GIT source integrity", mode);
}

int integrity_policy_of(const json_t *spec, const char *repo_url, bool gpg_enabled,
                        struct integrity_policy *out, err_t **err)
{
    const json_t *policies = json_at(spec, "git", "policies"), *found = NULL;
    size_t n = 0;
    *out = (struct integrity_policy){};
    for (size_t i = 0; i < json_array_size(policies); i++) {
        if (!integrity_policy_applies(json_array_get(policies, i), repo_url))
            continue;
        found = json_array_get(policies, i);
        n++;
    }
    if (n > 1)
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "multiple (%zu) git source integrity policies found for repo URL: %s", n, repo_url);
    const json_t *gpg = json_object_get(found, "gpg");
    if (!json_is_map(gpg) || !gpg_enabled)
        return 0;
    out->keys = json_object_get(gpg, "keys");
    return read_mode(gpg, &out->mode, err);
}

/* ---- results ---- */

static const char *const texts[] = {
    [SIGNATURE_GOOD] = "signed",
    [SIGNATURE_BAD] = "bad signature",
    [SIGNATURE_UNTRUSTED] = "signed with untrusted key",
    [SIGNATURE_EXPIRED] = "expired signature",
    [SIGNATURE_EXPIRED_KEY] = "signed with expired key",
    [SIGNATURE_REVOKED_KEY] = "signed with revoked key",
    [SIGNATURE_MISSING_KEY] = "signed with key not in keyring",
    [SIGNATURE_UNSIGNED] = "unsigned",
};

static bool is_hex(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789abcdefABCDEF") == n;
}

/* A key is named by its long id or its fingerprint, which ends with that. */
static bool allowed(const json_t *keys, const char *key)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *k = str_or_empty(json_string_value(json_array_get(keys, i)));
        if (is_hex(k, FINGERPRINT))
            k += FINGERPRINT - LONG_ID;
        if (is_hex(k, LONG_ID) && strcasecmp(k, key) == 0)
            return true;
    }
    return false;
}

static char *problem_of(const struct integrity_policy *policy, const struct signature *s)
{
    bool good = s->status == SIGNATURE_GOOD;
    if (good && allowed(policy->keys, s->key))
        return NULL;
    return xasprintf("Failed verifying revision %s by '%s': %s (key_id=%s)", s->revision, s->author,
                     good ? "signed with unallowed key" : texts[s->status], s->key);
}

json_t *integrity_result(const struct integrity_policy *policy, const signatures_t *signatures)
{
    json_t *problems = json_array(), *check = json_object(), *checks = json_array(), *result = json_object();
    map_t reported = {};
    VEC_FOREACH(signatures, s) {
        AUTO(free_p) char *text = problem_of(policy, s);
        if (!text || json_array_size(problems) >= MAX_PROBLEMS)
            continue;
        /* A key that is not right is told once, not for each commit. */
        if (*s->key && is_hex(s->revision, 40) && !map_put(&reported, s->key, check))
            continue;
        json_array_append_new(problems, json_str_new(text));
    }
    map_dispose(&reported);
    json_set_str(check, "Name", "GIT/GPG");
    json_object_set(check, "Problems", json_array_size(problems) ? problems : json_null());
    json_decref(problems);
    json_array_append_new(checks, check);
    json_object_set_new(result, "Checks", checks);
    return result;
}

char *integrity_problems(const json_t *result)
{
    AUTO_STR all = STR_INIT;
    const json_t *checks = json_object_get(result, "Checks");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i), *problems = json_object_get(check, "Problems");
        for (size_t k = 0; k < json_array_size(problems); k++)
            str_printf(&all, "%s%s: %s", all.len ? "\n" : "", str_or_empty(json_str_at(check, "Name")),
                       json_string_value(json_array_get(problems, k)));
    }
    return all.len ? str_take(&all) : NULL;
}

char *integrity_legacy_text(const signatures_t *signatures)
{
    if (!signatures->n)
        return xstrdup("");
    const struct signature *s = &signatures->v[0];
    if (s->status == SIGNATURE_UNSIGNED)
        return xstrdup("Revision is not signed.");
    const char *word = s->status == SIGNATURE_GOOD ? "Good" : s->status == SIGNATURE_BAD ? "Bad" : "Invalid";
    return xasprintf("%s signature from %s key %s", word, s->author, s->key);
}
