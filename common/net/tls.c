#include "common/net/tls.h"

#include "common/base/clock.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <time.h>

enum { PEM_MAX = 1 << 20, LOAD_TRIES = 5 };

void tls_pair_dispose(struct tls_pair *p)
{
    free(TAKE(p->cert_pem));
    if (p->key_pem)
        wipe(p->key_pem, strlen(p->key_pem));
    free(TAKE(p->key_pem));
}

static X509 *read_certificate(const char *pem, err_t **err)
{
    BIO *bio = BIO_new_mem_buf(str_or_empty(pem), -1);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!x)
        err_set(err, ERR_INVALID_ARGUMENT, "not a certificate in PEM form");
    return x;
}

static int read_date(const char *cert_pem, const ASN1_TIME *(*which)(const X509 *x), int64_t *out,
                     err_t **err)
{
    X509 *x = read_certificate(cert_pem, err);
    if (!x)
        return -ERR_INVALID_ARGUMENT;
    struct tm tm;
    int ok = ASN1_TIME_to_tm(which(x), &tm);
    X509_free(x);
    if (!ok)
        return err_set(err, ERR_INVALID_ARGUMENT, "the certificate's date cannot be read");
    *out = (int64_t)timegm(&tm);
    return 0;
}

int tls_not_after(const char *cert_pem, int64_t *out, err_t **err)
{
    return read_date(cert_pem, X509_get0_notAfter, out, err);
}

int tls_not_before(const char *cert_pem, int64_t *out, err_t **err)
{
    return read_date(cert_pem, X509_get0_notBefore, out, err);
}

int tls_check_pair(const char *cert_pem, const char *key_pem, err_t **err)
{
    X509 *x = read_certificate(cert_pem, err);
    if (!x)
        return -ERR_INVALID_ARGUMENT;
    BIO *bio = BIO_new_mem_buf(str_or_empty(key_pem), -1);
    /* The empty passphrase keeps OpenSSL from asking at the terminal. */
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    BIO_free(bio);
    int ok = key && X509_check_private_key(x, key) == 1;
    bool readable = key != NULL;
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!readable)
        return err_set(err, ERR_INVALID_ARGUMENT, "not a private key in PEM form");
    return ok ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "the certificate and the key do not belong together");
}

/* ---- files ---- */

void tls_loaded_dispose(struct tls_loaded *l)
{
    free(TAKE(l->cert_pem));
    if (l->key_pem)
        wipe(l->key_pem, strlen(l->key_pem));
    free(TAKE(l->key_pem));
    free(TAKE(l->ca_pem));
}

static void stamp_all(const struct tls_files *files, struct file_stamp out[3])
{
    const char *paths[] = {files->cert, files->key, files->ca};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (!paths[i] || !file_stamp(paths[i], &out[i]))
            out[i] = (struct file_stamp){};
}

static bool stamps_eq(const struct file_stamp a[3], const struct file_stamp b[3])
{
    for (size_t i = 0; i < 3; i++)
        if (!file_stamp_eq(&a[i], &b[i]))
            return false;
    return true;
}

static int read_file(const char *path, char **out, err_t **err)
{
    if (!path)
        return 0;
    AUTO_STR s = STR_MAX(PEM_MAX);
    int r = file_read(path, &s, err);
    if (r < 0)
        return r;
    *out = str_take(&s);
    return 0;
}

static int read_all(const struct tls_files *files, struct tls_loaded *out, err_t **err)
{
    stamp_all(files, out->stamps);
    int r = read_file(files->cert, &out->cert_pem, err);
    if (r == 0)
        r = read_file(files->key, &out->key_pem, err);
    return r == 0 ? read_file(files->ca, &out->ca_pem, err) : r;
}

static int check_all(const struct tls_files *files, const struct tls_loaded *l, err_t **err)
{
    struct file_stamp now[3];
    stamp_all(files, now);
    if (!stamps_eq(l->stamps, now))
        return err_set(err, ERR_UNAVAILABLE, "%s and its companions are being written",
                       str_or_empty(files->cert));
    if (l->cert_pem && l->key_pem && tls_check_pair(l->cert_pem, l->key_pem, err) < 0)
        return err_wrap(err, "%s", files->cert);
    return 0;
}

/* Whoever renews the files may be between two of them: what does not fit is read again, a few times. */
int tls_load(const struct tls_files *files, struct tls_loaded *out, err_t **err)
{
    for (int i = 1;; i++) {
        struct tls_loaded l = {};
        err_t *e = NULL;
        int r = read_all(files, &l, &e);
        bool unreadable = r < 0;
        if (!unreadable)
            r = check_all(files, &l, &e);
        if (r == 0) {
            *out = l;
            return 0;
        }
        tls_loaded_dispose(&l);
        if (i == LOAD_TRIES || unreadable)
            return err_move(err, e);
        err_free(e);
        sleep_ns(MILLIS(10));
    }
}

bool tls_changed(const struct tls_files *files, const struct tls_loaded *loaded)
{
    struct file_stamp now[3];
    stamp_all(files, now);
    return !stamps_eq(loaded->stamps, now);
}
