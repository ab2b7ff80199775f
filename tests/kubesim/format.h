/* How objects are shown to one client: under which version, whole or metadata only. A format has texts of its
 * own, so that a reply that is still being sent survives a change of what is served. */
#ifndef CARGOCD_KUBESIM_FORMAT_H
#define CARGOCD_KUBESIM_FORMAT_H

#include "tests/kubesim/registry.h"

enum accept { ACCEPT_FULL, ACCEPT_PARTIAL, ACCEPT_PARTIAL_LIST, ACCEPT_NONE };
/* The first media type of an Accept header that we can write; NULL: everything is accepted. */
enum accept accept_parse(const char *header);

struct format {
    char *api_version, *kind, *list_kind;
    bool custom;  /* items of a list carry apiVersion and kind, and fields are sorted */
    bool partial; /* PartialObjectMetadata */
    convert_fn from_stored;
};
struct format format_new(const struct endpoint *e, bool partial) MUST_USE;
void format_dispose(struct format *f);
/* typed: with apiVersion and kind. */
void format_object(const struct format *f, const struct blob *b, bool typed, str_t *out);
/* A document in the endpoint's version. */
void format_document(const struct format *f, const json_t *object, str_t *out);
/* What is before and behind the items of a list; items are separated by commas. remaining < 0: not told. */
void format_list_head(const struct format *f, const char *meta, str_t *out);
void format_list_tail(const struct format *f, const char *meta, str_t *out);
char *format_list_meta(const struct format *f, uint64_t rv, const char *continue_token, int64_t remaining)
    MUST_USE;
/* {"type":"ADDED","object":...}\n; rv: instead of the object's own; 0: its own. */
void format_event(const struct format *f, const char *type, const struct blob *b, uint64_t rv, str_t *out);
void format_bookmark(const struct format *f, uint64_t rv, str_t *out);

#endif
