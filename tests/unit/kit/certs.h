/* Throw-away certificates for tests. */
#ifndef CARGOCD_TESTS_UNIT_KIT_CERTS_H
#define CARGOCD_TESTS_UNIT_KIT_CERTS_H

#include "common/base/str.h"

/* PEM texts; valid for a day. */
struct certs {
    char *ca;
    char *server_cert, *server_key; /* for localhost, 127.0.0.1, ::1 and kube.example */
    char *client_cert, *client_key; /* of "tester" */
};
/* Made once per process; never freed before exit. */
const struct certs *certs_get(void);

#endif
