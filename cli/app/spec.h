/* Specs of applications from the options of app create, set, unset and add-source. */
#ifndef CARGOCD_CLI_APP_SPEC_H
#define CARGOCD_CLI_APP_SPEC_H

#include "cli/args.h"
#include "common/base/clock.h"
#include "common/json/json.h"

/* Where files that options name are read from. */
struct spec_files {
    int (*load)(void *arg, const char *path_or_url, str_t *out, err_t **err);
    void *arg;
};

/* Changes `source` by the options that were given. */
int spec_set_source(json_t *source, const args_t *args, const struct spec_files *files, err_t **err);
/* Changes the spec by the options that were given. Of several sources, the one at `position` (from 1; 0: the
 * first) is changed; with a negative position one is added. */
int spec_set(json_t *spec, int64_t position, const args_t *args, const struct spec_files *files, err_t **err);
/* Helm parameters ("name=value") for the source of an application at the position. */
int spec_set_parameters(json_t *app, int64_t position, char *const *parameters, err_t **err);

/* The retry strategy that the options --<prefix>retry-limit, --<prefix>retry-backoff-duration … stand for. */
json_t *retry_of(const args_t *args, const char *prefix) MUST_USE;

/* Takes out of the source what app unset's options name. *nothing: they name nothing that a source of this
 * kind could have; *changed: something was taken out. */
void spec_unset(json_t *source, const args_t *args, bool *changed, bool *nothing);

/* "a=b" texts into an object of texts. */
int labels_parse(char *const *texts, json_t *into, err_t **err);
/* "a=b" or "a". */
void annotations_parse(char *const *texts, json_t *into);
/* "name=value" texts as [{name, value}]. */
int infos_parse(char *const *texts, json_t **out, err_t **err);

/* Position (from 1) of the source of a name; ERR_NOT_FOUND. */
int source_position(const json_t *app, const char *name, int64_t *out, err_t **err);

#endif
