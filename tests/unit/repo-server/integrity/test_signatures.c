/* Signed and unsigned commits and tags, made by git and gpg, over the wire of the server. */
#include "tests/unit/repo-server/fixture/server.h"
#include "tests/unit/golden.h"

#include <nng/nng.h>

static struct fx_server server;
static char *url, *good, *other; /* fingerprints */
static int64_t depth;

#define GPG "GNUPGHOME=$PWD/gnupg gpg --batch --quiet --pinentry-mode loopback --passphrase ''"

static char *make_key(const char *name, const char *expires)
{
    fx_sh(GPG " --quick-gen-key '%s <%s@example.org>' ed25519 sign %s 2>/dev/null", name, name, expires);
    return fx_out(GPG " --list-keys --with-colons '%s' | awk -F: '/^fpr/{print $10; exit}'", name);
}

static void export_key(const char *fingerprint)
{
    fx_sh("mkdir -p keys; id=$(printf '%%s' %s | tail -c 16); " GPG " --armor --export %s > keys/$id",
          fingerprint, fingerprint);
}

/* A commit signed with the key ("": unsigned), pushed; the commit is the caller's. */
static char *commit(const char *key, const char *message)
{
    return fx_out(
        "cd signed && export GNUPGHOME=$PWD/../gnupg; date +%%N > n; git add -A; git -c "
        "user.signingkey=%s commit -q %s -m '%s' >/dev/null; git push -q origin HEAD 2>/dev/null; git "
        "rev-parse HEAD",
        *key ? key : "none", *key ? "-S" : "", message);
}

static void tag(const char *name, const char *key)
{
    fx_sh(
        "cd signed && export GNUPGHOME=$PWD/../gnupg; git -c user.signingkey=%s tag -m x %s %s; git push -q "
        "origin %s 2>/dev/null",
        *key ? key : "none", *key ? "-s" : "-a", name, name);
}

static int setup(void **state)
{
    static char keys[512];
    fx_begin(state);
    rpc_setup();
    snprintf(keys, sizeof(keys), "%s/keys", fx_dir());
    server.options = fx_server_options();
    server.options.gpg_keys_dir = keys;
    server.options.revision_ttl_ns = MILLIS(1);
    fx_server_start(&server, "server");
    fx_sh("mkdir -m 700 gnupg");
    good = make_key("good", "0");
    other = make_key("other", "0");
    export_key(good);
    fx_repo("signed");
    fx_write("signed/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    url = fx_file_url("signed");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    fx_sh("GNUPGHOME=$PWD/gnupg gpgconf --kill gpg-agent");
    free(url);
    free(good);
    free(other);
    nng_fini();
    return fx_end(state);
}

static char sentence[200]; /* verifyResult of the last answer */

/* The problems of a rendering under a policy; "" when it has passed, NULL when nothing was verified. */
static char *problems(const char *mode, const char *key, const char *revision)
{
    AUTO(free_p)
    char *spec = xasprintf(
        "{\"git\":{\"policies\":[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"%s\",\"keys\":"
        "[\"%s\"]}}]}}",
        mode, key);
    struct fx_ask a;
    AUTO_ERR err = NULL;
    fx_response_t *r = NULL;
    fx_request_t *q = fx_ask(&a, url, "{\"path\":\"app\"}");
    q->revision = (char *)revision;
    a.repo.depth = depth;
    q->source_integrity = (ProtobufCBinaryData){strlen(spec), (uint8_t *)spec};
    ASSERT_OK(fx_generate(&server, q, &r, &err));
    assert_true(r->n_manifests > 0);
    snprintf(sentence, sizeof(sentence), "%s", r->verify_result);
    AUTO(free_p)
    char *text = r->source_integrity_result.len
                     ? xstrndup((const char *)r->source_integrity_result.data, r->source_integrity_result.len)
                     : NULL;
    FX_FREE(r);
    if (!text)
        return NULL;
    AUTO_JSON doc = json_of(text);
    const json_t *check = json_array_get(json_object_get(doc, "Checks"), 0);
    assert_string_equal(json_str_at(check, "Name"), "GIT/GPG");
    AUTO_STR all = STR_INIT;
    const json_t *list = json_object_get(check, "Problems");
    for (size_t i = 0; i < json_array_size(list); i++)
        str_printf(&all, "%s\n", json_string_value(json_array_get(list, i)));
    return str_take(&all);
}

static void expect(const char *mode, const char *key, const char *revision, const char *part)
{
    AUTO(free_p) char *found = problems(mode, key, revision);
    if (!found || (part ? !strstr(found, part) : *found))
        fail_msg("%s %s: '%s' instead of '%s'", mode, revision, found ? found : "(none)", part ? part : "");
}

static void heads_are_verified(void **state)
{
    AUTO(free_p) char *unsigned_one = commit("", "unsigned");
    AUTO(free_p) char *signed_one = commit(good, "signed");
    AUTO(free_p) char *foreign = commit(other, "foreign");
    expect("head", good, unsigned_one, "by 'Ada <ada@example.org>': unsigned (key_id=)");
    assert_string_equal(sentence, "Revision is not signed.");
    expect("head", good, signed_one, NULL);
    assert_non_null(strstr(sentence, "Good signature from Ada <ada@example.org> key "));
    expect("head", good + 24, signed_one, NULL); /* by its long id */
    expect("head", other, signed_one, "signed with unallowed key");
    expect("head", good, foreign, "signed with key not in keyring");
    expect("head", good, "main", "signed with key not in keyring");
    export_key(other); /* the keyring follows the directory */
    expect("head", good, foreign, "signed with unallowed key");
    expect("head", other, foreign, NULL);
    AUTO(free_p) char *none = problems("none", good, unsigned_one);
    assert_null(none);
    assert_string_equal(sentence, "");
}

static void tags_count_before_commits(void **state)
{
    AUTO(free_p) char *unsigned_one = commit("", "below a signed tag");
    tag("v1.0.0", good);
    AUTO(free_p) char *signed_one = commit(good, "below an unsigned tag");
    tag("v2.0.0", "");
    fx_sh("cd signed && git tag light %s && git push -q origin light 2>/dev/null", signed_one);
    expect("head", good, "v1.0.0", NULL);
    expect("head", good, "v1.x", NULL);
    expect("head", good, "refs/tags/v1.0.0", NULL);
    expect("head", good, unsigned_one, "unsigned");
    expect("head", good, "v2.0.0", "Failed verifying revision v2.0.0 by 'Ada <ada@example.org>': unsigned");
    expect("head", good, "light", NULL);
    expect("strict", good, "v1.0.0", "unsigned");
}

static void history_is_verified_up_to_a_seal(void **state)
{
    AUTO(free_p) char *before = commit("", "long ago");
    AUTO(free_p) UNUSED char *bad_seal = commit("", "mine\n\nArgocd-gpg-seal: I say so");
    AUTO(free_p) char *after_bad = commit(good, "after");
    expect("strict", good, after_bad, "unsigned"); /* an unsigned seal seals nothing */
    AUTO(free_p) char *seal = commit(good, "sealed\n\nArgocd-gpg-seal: reviewed");
    expect("strict", good, seal, NULL);
    AUTO(free_p) char *after = commit(good, "fine");
    expect("strict", good, after, NULL);
    AUTO(free_p) char *hole = commit("", "sneaked in");
    AUTO(free_p) char *top = commit(good, "on top");
    AUTO(free_p) char *found = problems("strict", good, top);
    assert_non_null(strstr(found, hole));
    assert_null(strstr(found, before));
    expect("head", good, top, NULL);
}

/* Commits that a depth would leave out are verified all the same. */
static void a_depth_hides_no_commit(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *hole = commit("", "sneaked in");
    AUTO(free_p) char *top = commit(good, "on top");
    AUTO(free_p) char *remote = xasprintf("%s/signed.git", base);
    char *local = url;
    url = remote;
    depth = 1;
    expect("head", good, top, NULL);
    expect("head", good, hole, "unsigned");
    expect("strict", good, top, hole);
    url = local;
    depth = 0;
}

static void expired_and_revoked_keys(void **state)
{
    AUTO(free_p) char *brief = make_key("brief", "seconds=3");
    AUTO(free_p) char *gone = make_key("gone", "0");
    AUTO(free_p) char *by_brief = commit(brief, "brief");
    AUTO(free_p) char *by_gone = commit(gone, "gone");
    export_key(brief);
    fx_sh("sed 's/^:-----/-----/' gnupg/openpgp-revocs.d/%s.rev > rev; " GPG " --import rev 2>/dev/null",
          gone);
    export_key(gone);
    sleep_ns(SECONDS(4));
    expect("head", brief, by_brief, "signed with expired key");
    expect("head", gone, by_gone, "signed with revoked key");
}

/* The content was not signed by who seems to. */
static void forged_commits_are_bad(void **state)
{
    AUTO(free_p) char *real = commit(good, "real");
    AUTO(free_p)
    char *forged = fx_out(
        "cd signed && git cat-file commit %s | sed 's/^real$/forged/' > ../forged && c=$(git "
        "hash-object -t commit -w ../forged) && git update-ref refs/heads/forged $c && git push -q "
        "origin forged 2>/dev/null; echo $c",
        real);
    expect("head", good, forged, "bad signature");
}

static void other_methods_refuse(void **state)
{
    AUTO(free_p) char *unsigned_one = commit("", "for files");
    AUTO(free_p)
    char *spec = xasprintf(
        "{\"git\":{\"policies\":[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"head\",\"keys\":"
        "[\"%s\"]}}]}}",
        good);
    AUTO_ERR err = NULL;
    struct fx_ask a;
    fx_ask(&a, url, "{}");
    Cargocd__Repo__GetFilesRequest f = CARGOCD__REPO__GET_FILES_REQUEST__INIT;
    Cargocd__Repo__GetFilesResponse *fr = NULL;
    f.repo = &a.repo;
    f.revision = unsigned_one;
    f.source_integrity = (ProtobufCBinaryData){strlen(spec), (uint8_t *)spec};
    assert_int_equal(FX_CALL(&server, "repo.GetFiles", f, get_files_response, &fr, &err),
                     -ERR_FAILED_PRECONDITION);
    assert_non_null(strstr(err_text(err), "GIT/GPG: Failed verifying revision"));
    Cargocd__Repo__GetDirectoriesRequest d = CARGOCD__REPO__GET_DIRECTORIES_REQUEST__INIT;
    Cargocd__Repo__GetDirectoriesResponse *dr = NULL;
    d.repo = &a.repo;
    d.revision = unsigned_one;
    d.source_integrity = f.source_integrity;
    assert_int_equal(FX_CALL(&server, "repo.GetDirectories", d, get_directories_response, &dr, &err),
                     -ERR_FAILED_PRECONDITION);
    Cargocd__Repo__RevisionMetadataRequest m = CARGOCD__REPO__REVISION_METADATA_REQUEST__INIT;
    Cargocd__Repo__RevisionMetadataResponse *mr = NULL;
    m.repo = &a.repo;
    m.revision = unsigned_one;
    m.source_integrity = f.source_integrity;
    err_clear(&err);
    ASSERT_OK(FX_CALL(&server, "repo.RevisionMetadata", m, revision_metadata_response, &mr, &err));
    AUTO(free_p) char *text = xstrndup((const char *)mr->metadata.data, mr->metadata.len);
    FX_FREE(mr);
    assert_non_null(strstr(text, "\"signatureInfo\":\"Revision is not signed.\""));
    assert_non_null(strstr(text, "\"sourceIntegrityResult\":{\"Checks\":[{"));
}

REPO_TESTS(setup, teardown, T(heads_are_verified), T(tags_count_before_commits),
           T(history_is_verified_up_to_a_seal), T(a_depth_hides_no_commit), T(expired_and_revoked_keys),
           T(forged_commits_are_bad), T(other_methods_refuse))
