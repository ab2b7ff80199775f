#include "common/net/tls.h"

#include "common/base/clock.h"
#include "common/base/rand.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <time.h>

enum {
    SKEW_SECONDS = 3600, /* clocks of other machines may be behind */
    SERIAL_BYTES = 16,
};

AUTO_DECL(x509_free_p, X509, X509_free)
AUTO_DECL(pkey_free_p, EVP_PKEY, EVP_PKEY_free)
AUTO_DECL(bio_free_p, BIO, BIO_free_all)

static int failed(err_t **err, const char *what)
{
    unsigned long e = ERR_get_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_INTERNAL, "%s: %s", what, reason ? reason : "unknown error");
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool add_name(GENERAL_NAMES *names, const char *text)
{
    unsigned char ip[sizeof(struct in6_addr)];
    size_t n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
    ASN1_STRING *value = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!value || !name)
        oom();
    bool ok = ASN1_STRING_set(value, n ? (const void *)ip : text, n ? (int)n : (int)strlen(text)) == 1;
    GENERAL_NAME_set0_value(name, n ? GEN_IPADD : GEN_DNS, value);
    return sk_GENERAL_NAME_push(names, name) > 0 && ok;
}

/* Made by hand rather than from OpenSSL's configuration text, in which a name could hold more than a name. */
static bool add_alt_names(X509 *x, const char *const *names)
{
    if (!names || !names[0])
        return true;
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    bool ok = all != NULL;
    for (size_t i = 0; ok && names[i]; i++)
        ok = add_name(all, names[i]);
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    random_bytes(bytes, sizeof(bytes));
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of the same length */
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok;
}

static bool set_dates(X509 *x, int days)
{
    time_t now = (time_t)(wall_now().ns / NS_PER_SEC);
    return ASN1_TIME_set(X509_getm_notBefore(x), now - SKEW_SECONDS) &&
           ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)days * 24 * 3600);
}

static bool set_subject(X509 *x, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)common_name, -1, -1, 0) == 1;
}

struct profile {
    const char *basic, *usage, *extended;
};
static const struct profile authority = {"critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", NULL};
static const struct profile peer = {"critical,CA:FALSE", "critical,digitalSignature,keyEncipherment",
                                    "serverAuth,clientAuth"};
static const struct profile server = {"critical,CA:FALSE", "critical,digitalSignature,keyEncipherment",
                                      "serverAuth"};

struct subject {
    const struct profile *profile;
    const char *common_name;
    const char *const *names;
    int days;
};

/* issuer and issuer_key NULL: self-signed. */
static X509 *make(const struct subject *s, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    AUTO(x509_free_p) X509 *x = X509_new();
    if (!x)
        oom();
    X509 *from = issuer ? issuer : x;
    bool ok = X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_dates(x, s->days) &&
              set_subject(x, s->common_name) && X509_set_issuer_name(x, X509_get_subject_name(from)) &&
              X509_set_pubkey(x, key) && add_extension(x, from, NID_basic_constraints, s->profile->basic) &&
              add_extension(x, from, NID_key_usage, s->profile->usage) &&
              (!s->profile->extended || add_extension(x, from, NID_ext_key_usage, s->profile->extended)) &&
              add_extension(x, from, NID_subject_key_identifier, "hash") &&
              add_extension(x, from, NID_authority_key_identifier, "keyid") && add_alt_names(x, s->names) &&
              X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()) > 0;
    return ok ? TAKE(x) : NULL;
}

static char *bio_text(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    return xstrndup(p, (size_t)n);
}

static int to_pem(X509 *x, EVP_PKEY *key, struct tls_pair *out, err_t **err)
{
    AUTO(bio_free_p) BIO *cert = BIO_new(BIO_s_mem());
    AUTO(bio_free_p) BIO *secret = BIO_new(BIO_s_secmem());
    if (!cert || !secret)
        oom();
    if (PEM_write_bio_X509(cert, x) != 1 ||
        PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) != 1)
        return failed(err, "write the certificate");
    *out = (struct tls_pair){bio_text(cert), bio_text(secret)};
    return 0;
}

static int issue(const struct subject *s, EVP_PKEY *key_take, X509 *issuer, EVP_PKEY *issuer_key,
                 struct tls_pair *out, err_t **err)
{
    AUTO(pkey_free_p) EVP_PKEY *key = key_take;
    if (!key)
        return failed(err, "make a key");
    AUTO(x509_free_p) X509 *x = make(s, key, issuer, issuer_key);
    if (!x)
        return failed(err, "make the certificate");
    return to_pem(x, key, out, err);
}

int tls_make_ca(const char *common_name, int days, struct tls_pair *out, err_t **err)
{
    const struct subject s = {&authority, common_name, NULL, days};
    return issue(&s, EVP_EC_gen("P-256"), NULL, NULL, out, err);
}

int tls_self_signed(const char *common_name, const char *const *names, int days, struct tls_pair *out,
                    err_t **err)
{
    const struct subject s = {&server, common_name, names, days};
    return issue(&s, EVP_RSA_gen(2048), NULL, NULL, out, err);
}

int tls_issue(const struct tls_pair *ca, const char *common_name, const char *const *names, int days,
              struct tls_pair *out, err_t **err)
{
    const struct subject s = {&peer, common_name, names, days};
    int r = tls_check_pair(ca->cert_pem, ca->key_pem, err);
    if (r < 0)
        return err_wrap(err, "read the authority");
    AUTO(bio_free_p) BIO *cert = BIO_new_mem_buf(ca->cert_pem, -1);
    AUTO(bio_free_p) BIO *secret = BIO_new_mem_buf(ca->key_pem, -1);
    AUTO(x509_free_p) X509 *issuer = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    AUTO(pkey_free_p) EVP_PKEY *key = PEM_read_bio_PrivateKey(secret, NULL, NULL, (void *)"");
    return issue(&s, EVP_EC_gen("P-256"), issuer, key, out, err);
}
