/* The three ways to a token for a managed cluster. Each blocks for at most about a minute. */
#ifndef CARGOCD_K8S_AUTH_CLOUDS_H
#define CARGOCD_K8S_AUTH_CLOUDS_H

#include "k8s-auth/aws.h"
#include "k8s-auth/fetch.h"

/* The token of EKS: a presigned GetCallerIdentity, valid for 14 minutes
 * (https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster). */
struct aws_options {
    const char *cluster, *role, *profile; /* role, profile: NULL or "": none */
};
int aws_token(http_t *io, const struct aws_options *o, struct token *out, err_t **err);

/* An access token by the application default credentials
 * (https://cloud.google.com/docs/authentication/application-default-credentials): the file of
 * GOOGLE_APPLICATION_CREDENTIALS, gcloud's, the metadata server. Files of the types service_account,
 * authorized_user, impersonated_service_account and external_account (workload identity federation from a
 * file, a URL or AWS). */
int gcp_token(http_t *io, struct token *out, err_t **err);

/* An access token of Entra ID as kubelogin gets it
 * (https://azure.github.io/kubelogin/concepts/login-modes.html): AAD_LOGIN_METHOD workloadidentity (the
 * default), spn (secret, or a PEM certificate), msi. */
int azure_token(http_t *io, struct token *out, err_t **err);

#endif
