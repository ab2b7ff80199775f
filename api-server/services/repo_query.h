/* Messages to the repository server: what the files that ask it share. Messages live in an arena. */
#ifndef CARGOCD_API_SERVICES_REPO_QUERY_H
#define CARGOCD_API_SERVICES_REPO_QUERY_H

#include "api-server/services/server.h"
#include "proto/repo_message.h"

/* The repository with its credential, as far as the project may use one. */
Cargocd__Repo__Repository *repo_message(server_t *s, arena_t *a, const char *url, const char *project);
void repo_bytes(arena_t *a, const json_t *v, ProtobufCBinaryData *out);

/* What argocd-cm says about rendering. */
struct repo_settings {
    Cargocd__Repo__SourceTypes *types;
    Cargocd__Repo__KustomizeOptions *kustomize;
    char **schemes;
    size_t nschemes;
};
void repo_options(server_t *s, arena_t *a, struct repo_settings *out);

/* Asks the replica that the URL belongs to. *out is an unpacked message, the caller's. */
int repo_ask(server_t *s, const char *url, const char *method, const ProtobufCMessage *in,
             const ProtobufCMessageDescriptor *type, void *out, err_t **err);

#endif
