/* Which capabilities a chart asks for cannot be seen from outside of helm, but it can be read in its texts:
 * whoever wants one must spell the word. An occurrence of a form that we know is a fact about that version or
 * API; any other is taken for everything. So one new kind in the cluster does not re-render every chart.
 * Values count too, since `tpl` evaluates them, and packed subcharts, which are unpacked for it. */
#include "repo-server/helm/helm.h"

#include <zlib.h>

enum { UNPACKED_MAX = 64 << 20 };

void capabilities_dispose(struct capabilities *c)
{
    map_dispose(&c->apis);
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

static const char *after(const char *p, const char *end, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(end - p) >= n && memcmp(p, what, n) == 0 ? p + n : NULL;
}

/* `Has "apps/v1"` or `Has `…``: the literal, or nothing when it is computed. */
static bool literal(const char *p, const char *end, view_t *out)
{
    p = skip_blanks(p, end);
    if (p == end || (*p != '"' && *p != '`'))
        return false;
    const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));
    if (!close || memchr(p + 1, '\\', (size_t)(close - p - 1)))
        return false;
    *out = (view_t){p + 1, (size_t)(close - p - 1)};
    return true;
}

static void note_use(struct capabilities *c, const char *p, const char *end)
{
    const char *rest;
    view_t name;
    if (after(p, end, ".KubeVersion")) {
        c->kube_version = true;
    } else if ((rest = after(p, end, ".APIVersions.Has")) && literal(rest, end, &name)) {
        AUTO(free_p) char *key = xstrndup(name.p, name.n);
        map_put(&c->apis, key, c);
    } else if (after(p, end, ".APIVersions")) {
        c->all_apis = true;
    } else if (!after(p, end, ".HelmVersion")) {
        c->all_apis = c->kube_version = true;
    }
}

static void scan_text(struct capabilities *c, const char *p, size_t n)
{
    static const char word[] = "Capabilities";
    const char *end = p + n;
    for (const char *q = p; n && (q = memmem(q, (size_t)(end - q), word, sizeof(word) - 1));) {
        q += sizeof(word) - 1;
        note_use(c, q, end);
    }
    for (const char *q = p; n && !c->files && (q = memmem(q, (size_t)(end - q), "Files", 5)); q += 5)
        c->files = q > p && strchr(".\"`", q[-1]);
}

static bool unpack(const char *p, size_t n, str_t *out)
{
    z_stream z = {.next_in = (unsigned char *)p, .avail_in = (unsigned)n};
    char buf[16 << 10];
    int r = inflateInit2(&z, 15 + 16);
    while (r == Z_OK) {
        z.next_out = (unsigned char *)buf;
        z.avail_out = sizeof(buf);
        r = inflate(&z, Z_NO_FLUSH);
        str_add(out, buf, sizeof(buf) - z.avail_out);
        if (str_overflowed(out))
            break;
    }
    inflateEnd(&z);
    return r == Z_STREAM_END && !str_overflowed(out);
}

void capabilities_scan(struct capabilities *c, const char *path, const char *p, size_t n)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (str_has_suffix(name, ".tgz") || str_has_suffix(name, ".tar.gz")) {
        AUTO_STR text = STR_MAX(UNPACKED_MAX);
        if (n <= UNPACKED_MAX && unpack(p, n, &text))
            scan_text(c, str_text(&text), text.len);
        else
            c->all_apis = c->kube_version = c->files = true;
        /* Its Chart.yaml may ask for a version of Kubernetes. */
        c->kube_version = c->kube_version || (text.len && memmem(text.p, text.len, "kubeVersion:", 12));
        return;
    }
    scan_text(c, p, n);
    if (strcmp(name, "Chart.yaml") == 0 && n && memmem(p, n, "kubeVersion", 11))
        c->kube_version = true;
}
