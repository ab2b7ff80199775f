/* Artifacts of registries: which layer is the content, and what it is unpacked to. */
#include "common/base/semver.h"
#include "repo-server/artifact/pack.h"
#include "repo-server/artifact/store.h"

#include <unistd.h>

#define HELM_CONFIG  "application/vnd.cncf.helm.config.v1+json"
#define HELM_CONTENT "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
#define LAYER_TYPES                                                                                          \
    "application/vnd.oci.image.layer.v1.tar,application/vnd.oci.image.layer.v1.tar+gzip," HELM_CONTENT

enum { MAX_LAYERS = 10 };

/* ---- which layer ---- */

static bool is_content(const char *type)
{
    return str_has_suffix(type, "tar") || str_has_suffix(type, "tar+gzip") ||
           str_has_suffix(type, "tar.gzip");
}

static int check_type(const struct fetch *f, const char *type, err_t **err)
{
    const char *all = f->a->options.layer_types;
    AUTO(strv_free_p) char **allowed = strv_split(str_empty(all) ? LAYER_TYPES : all, ",", true);
    if (strv_contains(allowed, type))
        return 0;
    AUTO(free_p) char *shown = strv_join(allowed, ", ");
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "oci layer media type %s is not in the list of allowed media types: %s", type, shown);
}

/* The only content layer; of a chart, the chart's. */
static int choose_layer(const struct fetch *f, const json_t *manifest, bool chart, const json_t **out,
                        err_t **err)
{
    const json_t *layers = json_object_get(manifest, "layers");
    size_t found = 0;
    if (json_array_size(layers) > MAX_LAYERS)
        return err_set(err, ERR_INVALID_ARGUMENT, "expected no more than %d oci layers, got %zu", MAX_LAYERS,
                       json_array_size(layers));
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        const char *type = str_or_empty(json_str_at(layer, "mediaType"));
        if (chart ? strcmp(type, HELM_CONTENT) != 0 && strcmp(type, "application/tar+gzip") != 0
                  : !is_content(type))
            continue;
        *out = layer;
        found++;
    }
    if (found != 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "expected only a single oci content layer, got %zu", found);
    return 0;
}

static int download(struct fetch *f, struct registry *reg, const char *digest,
                    const struct pack_options *options, const char *pack, err_t **err)
{
    AUTO(close_p) int fd = store_scratch(f->a, err);
    if (fd < 0)
        return fd;
    int r = registry_blob(reg, digest, options->max_bytes ? options->max_bytes : UINT64_MAX / 2, fd, err);
    lseek(fd, 0, SEEK_SET);
    if (r == 0)
        r = pack_make(fd, pack, options, err);
    return r;
}

int oci_unpack(struct fetch *f, struct registry *reg, const char *digest, const json_t *manifest,
               const char *chart, char **pack, err_t **err)
{
    const json_t *layer = NULL;
    char key[SHA256_HEX];
    bool helm = chart || str_eq(json_str_at(manifest, "config", "mediaType"), HELM_CONFIG);
    struct pack_options options = {
        .max_bytes = chart ? f->a->options.max_chart : f->a->options.max_oci,
        .root = chart  ? chart
                : helm ? "*"
                       : NULL,
    };
    int r = choose_layer(f, manifest, helm, &layer, err);
    if (r == 0 && !chart)
        r = check_type(f, str_or_empty(json_str_at(layer, "mediaType")), err);
    if (r < 0)
        return r;
    store_key(key, f->remote->access_key, reg->repository, "oci", digest, NULL);
    *pack = store_pack_path(f->a, key);
    if (!f->fresh_content && store_has_pack(*pack))
        return 0;
    int64_t started = mono_now().ns;
    r = download(f, reg, str_or_empty(json_str_at(layer, "digest")), &options, *pack, err);
    oci_count(f, "extract", started, r);
    return r;
}

/* ---- which digest ---- */

/* What is no tag may be a constraint over the tags. */
static int by_constraint(struct fetch *f, char **tag, err_t **err)
{
    AUTO(semver_constraint_free_p) semver_constraint_t *c = NULL;
    AUTO(strv_free_p) char **tags = NULL;
    int r = semver_constraint_parse(f->revision, &c, err);
    if (r == 0)
        r = list_versions(f, f->remote->path, &tags, err);
    if (r == 0)
        r = semver_select(tags, strv_len(tags), f->revision, NULL, tag, err);
    for (char *p = *tag; p && *p; p++)
        *p = *p == '+' ? '_' : *p;
    return r;
}

static int find_manifest(struct fetch *f, struct registry *reg, char digest[OCI_DIGEST], json_t **out,
                         err_t **err)
{
    AUTO_ERR first = NULL;
    AUTO(free_p) char *tag = NULL;
    bool blank = strpbrk(f->revision, " ^~<>=*|,") != NULL;
    int r = blank ? err_set(&first, ERR_NOT_FOUND, "'%s' is no tag", f->revision)
                  : registry_manifest(reg, f->revision, digest, out, &first);
    if (r == 0)
        return 0;
    if (err_code(first) != ERR_NOT_FOUND || oci_is_digest(f->revision) || by_constraint(f, &tag, NULL) < 0)
        return err_move(err, TAKE(first));
    return registry_manifest(reg, tag, digest, out, err);
}

static int resolve(struct fetch *f, struct registry *reg, char **digest, json_t **manifest, err_t **err)
{
    char key[SHA256_HEX], found[OCI_DIGEST];
    store_key(key, f->remote->access_key, "oci", f->revision, NULL);
    *digest = f->fresh_lists ? NULL : store_recall(f->a, &f->a->resolved, key, f->a->options.list_ttl_ns);
    if (*digest)
        return 0;
    int64_t started = mono_now().ns;
    int r = find_manifest(f, reg, found, manifest, err);
    oci_count(f, "resolve-revision", started, r);
    if (r < 0)
        return err_wrap(err, "cannot get digest for revision %s", f->revision);
    *digest = xstrdup(found);
    store_remember(f->a, &f->a->resolved, key, found);
    return 0;
}

int oci_fetch(struct fetch *f, struct artifact *out, err_t **err)
{
    struct registry reg = {.remote = f->remote,
                           .settings = &f->a->options.remote,
                           .repository = f->remote->path,
                           .canceled = f->canceled};
    char key[SHA256_HEX], digest[OCI_DIGEST];
    AUTO_JSON manifest = NULL;
    int r = resolve(f, &reg, &out->revision, &manifest, err);
    if (r == 0 && !f->resolve_only) {
        store_key(key, f->remote->access_key, f->remote->path, "oci", out->revision, NULL);
        out->pack = store_pack_path(f->a, key);
        if (f->fresh_content || !store_has_pack(out->pack)) {
            free(TAKE(out->pack));
            if (!manifest)
                r = registry_manifest(&reg, out->revision, digest, &manifest, err);
            if (r == 0)
                r = oci_unpack(f, &reg, out->revision, manifest, NULL, &out->pack, err);
        }
    }
    registry_dispose(&reg);
    return r < 0 ? err_wrap(err, "fetch %s", f->remote->shown) : 0;
}

void oci_count(const struct fetch *f, const char *type, int64_t started_ns, int result)
{
    static const char *const failing[] = {"extract", "resolve-revision", "digest-metadata", "get-tags",
                                          "test-repo"};
    const struct artifacts_options *o = &f->a->options;
    const char *shown = f->remote->shown;
    metric_inc(o->oci_requests, LABELS(shown, type));
    metric_observe(o->oci_durations, (double)(mono_now().ns - started_ns) / NS_PER_SEC, LABELS(shown, type));
    for (size_t i = 0; result < 0 && i < ARRAY_LEN(failing); i++)
        if (strcmp(failing[i], type) == 0)
            metric_inc(o->oci_failures[i], i < 3 ? LABELS(shown, f->revision) : LABELS(shown));
}
