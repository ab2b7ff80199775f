/* A keyring is a directory that is never changed once it is there: a changed set of keys makes another one,
 * and the former goes when nobody verifies with it any more (readers hold a reference). What was verified is
 * remembered with the keyring, so that the strict mode does not start a program for each old commit. */
#include "repo-server/integrity/gpg.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "common/base/proc.h"
#include "common/base/thread.h"
#include "repo-server/confine.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MAX_KEYS = 10000, MAX_KNOWN = 200000, KNOWN_S = 3600, OUTPUT_MAX = 1 << 20 };

/* A key may expire: what was found holds for a while. */
struct known {
    mono_t until;
    enum signature_status status;
    char key[17];
};

struct keyring {
    unsigned refs;
    char stamp[SHA256_HEX];
    char *dir;
    map_t known; /* by object; struct known */
};

/* The lock guards the keyring at hand, its references and what it knows. */
struct gpg {
    lock_t lock, making;
    struct gpg_options options;
    struct keyring *ring;
};

gpg_t *gpg_new(const struct gpg_options *options)
{
    gpg_t *g = xcalloc(1, sizeof(*g));
    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_init(&g->making, NULL);
    g->options = *options;
    return g;
}

static void ring_free(struct keyring *r)
{
    if (!r)
        return;
    dir_remove(r->dir, NULL);
    free(r->dir);
    map_dispose(&r->known);
    free(r);
}

void gpg_free(gpg_t *g)
{
    if (!g)
        return;
    ring_free(g->ring);
    pthread_mutex_destroy(&g->lock);
    pthread_mutex_destroy(&g->making);
    free(g);
}

/* ---- the program ---- */

static int run_gpg(const gpg_t *g, const char *home, char *const *args, view_t input, str_t *out, int *status,
                   err_t **err)
{
    VEC(char *) argv = {};
    AUTO(free_p) char *gnupg = xasprintf("GNUPGHOME=%s", home);
    const char *path = getenv("PATH");
    AUTO(free_p) char *path_env = xasprintf("PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *env[] = {path_env, gnupg, (char *)"LC_ALL=C", NULL};
    static const char *const fixed[] = {
        "gpg", "--batch", "--no-tty", "--no-autostart", "--disable-dirmngr", "--no-auto-key-retrieve"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        VEC_PUSH(&argv, (char *)fixed[i]);
    for (size_t i = 0; args[i]; i++)
        VEC_PUSH(&argv, args[i]);
    VEC_PUSH(&argv, NULL);
    struct confine_rules rules = {.deny_tcp = true};
    confine_system(&rules);
    confine_allow(&rules, home, CONFINE_READ | CONFINE_WRITE);
    confine_allow(&rules, g->options.keys_dir, CONFINE_READ);
    struct proc_spec spec = {
        .argv = argv.v,
        .env = env,
        .cwd = home,
        .input = input.p,
        .input_size = input.n,
        .timeout_ns = g->options.timeout_ns ? g->options.timeout_ns : SECONDS(30),
        .max_memory = (uint64_t)1 << 30,
        .max_file = 64 << 20,
#ifndef CARGOCD_SANITIZE
        .max_cpu_s = 60,
#endif
        .confine = confine_self,
        .confine_arg = &rules,
    };
    AUTO_STR errs = STR_MAX(OUTPUT_MAX);
    struct proc_result result = {};
    int r = proc_run(&spec, out, &errs, &result, err);
    VEC_FREE(&argv);
    *status = result.exit_status;
    return r < 0 ? err_wrap(err, "gpg") : 0;
}

/* ---- keyrings ---- */

/* The names and stamps of the key files; symlinks of mounted ConfigMaps are followed. */
static void read_keys_dir(const gpg_t *g, char ***paths, char stamp[SHA256_HEX])
{
    VEC(char *) list = {};
    DIR *d = g->options.keys_dir ? opendir(g->options.keys_dir) : NULL;
    for (struct dirent *e; d && list.n < MAX_KEYS && (e = readdir(d));) {
        struct stat st;
        AUTO(free_p) char *path = xasprintf("%s/%s", g->options.keys_dir, e->d_name);
        if (e->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            VEC_PUSH(&list, TAKE(path));
    }
    if (d)
        closedir(d);
    VEC_PUSH(&list, NULL);
    *paths = list.v;
    sha256_ctx_t *c = sha256_begin();
    for (size_t i = 0; list.v[i]; i++) {
        struct file_stamp s = {};
        file_stamp(list.v[i], &s);
        sha256_field_str(c, list.v[i]);
        sha256_field(c, &s, sizeof(s));
    }
    sha256_end_hex(c, stamp);
}

static int make_ring(const gpg_t *g, char **paths, const char *stamp, struct keyring **out, err_t **err)
{
    struct keyring *r = xcalloc(1, sizeof(*r));
    AUTO_STR said = STR_MAX(OUTPUT_MAX);
    r->known.value_free = free;
    memcpy(r->stamp, stamp, SHA256_HEX);
    int status = 0, e = dir_make_temp(g->options.scratch, "gnupg-", &r->dir, err);
    VEC(char *) args = {};
    VEC_PUSH(&args, (char *)"--import");
    for (size_t i = 0; paths[i]; i++)
        VEC_PUSH(&args, paths[i]);
    VEC_PUSH(&args, NULL);
    /* A file that is no key is one key less, whatever the exit status. */
    if (e == 0 && paths[0])
        e = run_gpg(g, r->dir, args.v, (view_t){}, &said, &status, err);
    VEC_FREE(&args);
    if (e < 0) {
        ring_free(r);
        return err_recode(err, ERR_FAILED_PRECONDITION);
    }
    *out = r;
    return 0;
}

static struct keyring *current(gpg_t *g, const char *stamp)
{
    LOCKED(&g->lock);
    if (!g->ring || strcmp(g->ring->stamp, stamp) != 0)
        return NULL;
    g->ring->refs++;
    return g->ring;
}

static void release(gpg_t *g, struct keyring *r)
{
    {
        LOCKED(&g->lock);
        if (--r->refs > 0 || r == g->ring)
            return;
    }
    ring_free(r);
}

static int acquire(gpg_t *g, struct keyring **out, err_t **err)
{
    char stamp[SHA256_HEX];
    AUTO(strv_free_p) char **paths = NULL;
    read_keys_dir(g, &paths, stamp);
    if ((*out = current(g, stamp)))
        return 0;
    LOCKED(&g->making);
    if ((*out = current(g, stamp)))
        return 0;
    struct keyring *fresh = NULL, *former = NULL;
    int r = make_ring(g, paths, stamp, &fresh, err);
    if (r < 0)
        return r;
    fresh->refs = 1;
    *out = fresh;
    {
        LOCKED(&g->lock);
        former = g->ring && g->ring->refs == 0 ? g->ring : NULL;
        g->ring = fresh;
    }
    ring_free(former);
    return 0;
}

/* ---- verifying ---- */

bool gpg_status_read(const char *text, enum signature_status *status, char key[17])
{
    static const struct {
        const char *word;
        enum signature_status status;
    } words[] = {
        {"GOODSIG ", SIGNATURE_GOOD},          {"BADSIG ", SIGNATURE_BAD},
        {"EXPSIG ", SIGNATURE_EXPIRED},        {"EXPKEYSIG ", SIGNATURE_EXPIRED_KEY},
        {"REVKEYSIG ", SIGNATURE_REVOKED_KEY}, {"ERRSIG ", SIGNATURE_MISSING_KEY},
    };
    view_t rest = view_of(text), line;
    size_t found = 0;
    while (view_split(&rest, '\n', &line)) {
        AUTO(free_p) char *l = xstrndup(line.p, line.n);
        const char *said = str_after(l, "[GNUPG:] ");
        for (size_t i = 0; said && i < ARRAY_LEN(words); i++) {
            const char *id = str_after(said, words[i].word);
            size_t n = id ? strspn(id, "0123456789ABCDEF") : 0;
            if (!id || (n != 16 && n != 40))
                continue;
            memcpy(key, id + n - 16, 16);
            key[16] = '\0';
            *status = words[i].status;
            found++;
        }
    }
    return found == 1; /* several signatures under one another prove nothing */
}

static int verify_with(gpg_t *g, const struct keyring *ring, view_t data, view_t signature, struct known *out,
                       err_t **err)
{
    AUTO_STR said = STR_MAX(OUTPUT_MAX);
    AUTO(free_p) char *dir = NULL;
    int status = 0, r = dir_make_temp(ring->dir, "sig-", &dir, err);
    AUTO(free_p) char *file = xasprintf("%s/sig", str_or_empty(dir));
    if (r == 0)
        r = file_write(file, signature.p, signature.n, 0600, err);
    char *args[] = {(char *)"--status-fd",
                    (char *)"1",
                    (char *)"--trust-model",
                    (char *)"always",
                    (char *)"--verify",
                    file,
                    (char *)"-",
                    NULL};
    if (r == 0)
        r = run_gpg(g, ring->dir, args, data, &said, &status, err);
    if (dir)
        dir_remove(dir, NULL);
    if (r < 0)
        return err_recode(err, ERR_FAILED_PRECONDITION);
    if (!gpg_status_read(str_text(&said), &out->status, out->key))
        *out = (struct known){.status = SIGNATURE_BAD, .key = "0000000000000000"};
    return 0;
}

int gpg_verify(gpg_t *g, const char *object, view_t data, view_t signature, enum signature_status *status,
               char key[17], err_t **err)
{
    struct keyring *ring = NULL;
    struct known k = {};
    bool seen = false;
    int r = acquire(g, &ring, err);
    if (r < 0)
        return r;
    {
        LOCKED(&g->lock);
        const struct known *found = map_get(&ring->known, object);
        seen = found && mono_left(found->until) > 0;
        k = seen ? *found : k;
    }
    if (!seen)
        r = verify_with(g, ring, data, signature, &k, err);
    if (r == 0 && !seen) {
        k.until = mono_after(mono_now(), SECONDS(KNOWN_S));
        LOCKED(&g->lock);
        if (ring->known.n < MAX_KNOWN)
            map_put(&ring->known, object, xmemdup(&k, sizeof(k)));
    }
    release(g, ring);
    *status = k.status;
    memcpy(key, k.key, sizeof(k.key));
    return r;
}
