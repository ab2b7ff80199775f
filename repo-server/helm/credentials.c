/* Which of the caller's credentials a dependency is fetched with. Which one it was is a fact of the
 * rendering: whoever may not use the same one does not get what was fetched with it. */
#include "common/base/hash.h"
#include "repo-server/helm/helm.h"

const char *helm_without_oci(const char *url)
{
    const char *rest = str_after(str_or_empty(url), "oci://");
    return rest ? rest : str_or_empty(url);
}

bool helm_repo_is_oci(const struct render_repo *r)
{
    return r->enable_oci || str_eq(r->type, "oci");
}

static bool overlap(const char *a, const char *b)
{
    return *a && *b && (str_has_prefix(a, b) || str_has_prefix(b, a));
}

/* The repository of that URL or name, else the template with the longest prefix, else, for a registry, the
 * first repository of that host. */
const struct render_repo *helm_find_repo(const struct render_input *in, const char *url, const char *name,
                                         bool oci)
{
    const struct render_repo *best = NULL;
    for (size_t i = 0; i < in->nhelm_repos; i++)
        if ((url && str_eq(helm_without_oci(in->helm_repos[i].url), url)) ||
            (name && str_eq(in->helm_repos[i].name, name)))
            return &in->helm_repos[i];
    for (size_t i = 0; url && i < in->nhelm_repo_creds; i++) {
        const struct render_repo *c = &in->helm_repo_creds[i];
        if (!str_empty(c->url) && str_has_prefix(url, helm_without_oci(c->url)) &&
            (!best || strlen(c->url) > strlen(best->url)))
            best = c;
    }
    for (size_t i = 0; url && oci && !best && i < in->nhelm_repos; i++)
        if (helm_repo_is_oci(&in->helm_repos[i]) && overlap(url, helm_without_oci(in->helm_repos[i].url)))
            best = &in->helm_repos[i];
    return best;
}

static char *digest(const struct render_repo *r)
{
    char hex[SHA256_HEX];
    if (!r)
        return xstrdup("");
    sha256_ctx_t *c = sha256_begin();
    const char *parts[] = {r->url, r->username, r->password, r->tls_client_cert, r->tls_client_key};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        sha256_field_str(c, str_or_empty(parts[i]));
    if (r->azure)
        sha256_field_str(c, "azure");
    sha256_end_hex(c, hex);
    return xstrdup(hex);
}

/* How a question is spelled in a trace: "n:<name>", "u:<url>", "o:<url without oci://>". */
static char *question(const char *url, const char *name, bool oci)
{
    return xasprintf("%s:%s", name ? "n" : oci ? "o" : "u", name ? name : url);
}

void helm_note_credential(const struct render_input *in, const char *url, const char *name, bool oci)
{
    if (!in->trace)
        return;
    AUTO(free_p) char *asked = question(url, name, oci);
    AUTO(free_p) char *used = digest(helm_find_repo(in, url, name, oci));
    trace_fact(in->trace, FACT_CREDENTIAL, asked, used);
}

char *render_credential(const struct render_input *in, const char *asked)
{
    if (!*asked)
        return xstrdup(str_or_empty(in->access_key));
    if (strlen(asked) < 2 || asked[1] != ':')
        return NULL;
    const char *text = asked + 2;
    bool name = *asked == 'n';
    return digest(helm_find_repo(in, name ? NULL : text, name ? text : NULL, *asked == 'o'));
}
