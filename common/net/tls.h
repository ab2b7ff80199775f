/* Certificates: a small authority that issues the daemons' certificates (ECDSA P-256), self-signed ones, and
 * files that are watched for change. */
#ifndef CARGOCD_NET_TLS_H
#define CARGOCD_NET_TLS_H

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/str.h"

struct tls_pair {
    char *cert_pem, *key_pem; /* owned; wiped by dispose */
};
void tls_pair_dispose(struct tls_pair *p);

/* A certificate authority valid for `days`. */
int tls_make_ca(const char *common_name, int days, struct tls_pair *out, err_t **err);
/* A certificate signed by ca for client and server use; names (NULL-terminated) are DNS names or IP
 * addresses. */
int tls_issue(const struct tls_pair *ca, const char *common_name, const char *const *names, int days,
              struct tls_pair *out, err_t **err);
/* RSA 2048 and self-signed, as Argo CD makes for argocd-server. */
int tls_self_signed(const char *common_name, const char *const *names, int days, struct tls_pair *out,
                    err_t **err);
/* Seconds since 1970 after which the first certificate in the PEM is not valid. */
int tls_not_after(const char *cert_pem, int64_t *out, err_t **err);
/* … and before which. */
int tls_not_before(const char *cert_pem, int64_t *out, err_t **err);
/* Whether certificate and key belong together. */
int tls_check_pair(const char *cert_pem, const char *key_pem, err_t **err);

/* Three files (certificate, key, authority) that are read together; any may be NULL. */
struct tls_files {
    const char *cert, *key, *ca;
};
struct tls_loaded {
    char *cert_pem, *key_pem, *ca_pem;
    struct file_stamp stamps[3];
};
int tls_load(const struct tls_files *files, struct tls_loaded *out, err_t **err);
bool tls_changed(const struct tls_files *files, const struct tls_loaded *loaded);
void tls_loaded_dispose(struct tls_loaded *l);

#endif
