/* argocd-k8s-auth aws|gcp|azure: prints an ExecCredential for the API server of a managed cluster, as the
 * program of the same name of Argo CD does. Cluster Secrets name it in execProviderConfig; awsAuthConfig
 * stands for it. */
#include "common/base/flag.h"
#include "common/base/thread.h"
#include "k8s-auth/clouds.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] = "argocd-k8s-auth aws|gcp|azure [flags]";

static void print_credential(struct token *t)
{
    AUTO_JSON o = json_object();
    char expiry[RFC3339_TEXT];
    json_set_str(o, "kind", "ExecCredential");
    json_set_str(o, "apiVersion", "client.authentication.k8s.io/v1beta1");
    json_put_at(o, json_false(), "spec", "interactive");
    if (t->expires) {
        rfc3339(t->expiry, expiry);
        json_put_at(o, json_str_new(expiry), "status", "expirationTimestamp");
    }
    json_put_at(o, json_str_new(t->text), "status", "token");
    AUTO(free_p) char *text = json_text(o, JSON_KEEP_ORDER);
    fputs(text, stdout);
}

static int run(const char *cloud, const struct aws_options *aws, struct token *t, err_t **err)
{
    http_t *io = http_new("fetch");
    int r = strcmp(cloud, "aws") == 0   ? aws_token(io, aws, t, err)
            : strcmp(cloud, "gcp") == 0 ? gcp_token(io, t, err)
            : strcmp(cloud, "azure") == 0
                ? azure_token(io, t, err)
                : err_set(err, ERR_INVALID_ARGUMENT, "unknown command \"%s\"", cloud);
    http_free(io);
    return r;
}

int main(int argc, char **argv)
{
    char *cluster = NULL, *role = NULL, *profile = NULL;
    struct flag flags[] = {
        {.name = "cluster-name", .type = FLAG_STRING, .target = &cluster, .help = "aws: name of the cluster"},
        {.name = "role-arn", .type = FLAG_STRING, .target = &role, .help = "aws: role to assume"},
        {.name = "profile",
         .type = FLAG_STRING,
         .target = &profile,
         .help = "aws: profile of the shared files"},
    };
    AUTO(free_p) char **args = NULL;
    AUTO_ERR err = NULL;
    struct token t = {};
    process_setup();
    int r = flags_parse(flags, ARRAY_LEN(flags), argc, argv, &args, usage, &err);
    if (r == 0 && (!args[0] || args[1])) {
        flags_print(flags, ARRAY_LEN(flags), usage);
        r = args[0] ? err_set(&err, ERR_INVALID_ARGUMENT, "one command at a time") : 1;
    }
    if (r == 0)
        r = run(args[0], &(struct aws_options){cluster, role, profile}, &t, &err);
    if (r == 0) {
        print_credential(&t);
        wipe(t.text, strlen(t.text));
    } else if (r < 0) {
        fprintf(stderr, "argocd-k8s-auth: %s\n", err_text(err));
    }
    free(t.text);
    flags_dispose(flags, ARRAY_LEN(flags));
    return r < 0 ? 20 : 0;
}
