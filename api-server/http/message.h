/* JSON against message descriptors: what Go's encoding/json does when it reads into the structs that Argo
 * CD's clients were built against. Known keys match without regard to case and get their proper spelling;
 * values must have their type; null is absence. Keys that are not known vanish from requests, and survive in
 * Kubernetes' own objects (fields of a newer version must not be lost). */
#ifndef CARGOCD_API_HTTP_MESSAGE_H
#define CARGOCD_API_HTTP_MESSAGE_H

#include "common/json/json.h"
#include "proto/api/table.h"

/* The JSON key of a field. */
const char *message_json_name(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f);
/* By JSON key or proto name, exactly; NULL when there is none. */
const ProtobufCFieldDescriptor *message_field(const ProtobufCMessageDescriptor *m, const char *key, size_t n);
bool message_is_map(const ProtobufCFieldDescriptor *f);
/* An object that survives with fields we do not know. */
bool message_is_kubernetes(const ProtobufCMessageDescriptor *m);

/* value as message m, as a new reference in *out. ERR_INVALID_ARGUMENT with Go's text. */
int message_accept(const ProtobufCMessageDescriptor *m, json_t *value, json_t **out, err_t **err);
/* value as one field (an element of it when `element`). */
int message_accept_field(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f,
                         json_t *value, json_t **out, err_t **err);
/* A text from a path or a query, by the field's type. */
int message_parse_scalar(const ProtobufCFieldDescriptor *f, const char *text, json_t **out, err_t **err);
/* Stores text at the dotted path ("id.type", "sinceTime.seconds", "labels[x]"). Unknown paths are ignored and
 * give 0. */
int message_put_path(const ProtobufCMessageDescriptor *m, json_t *object, const char *path, const char *text,
                     err_t **err);
/* proto2's required fields, as the reference enforces them: ERR_INTERNAL. */
int message_check_required(const ProtobufCMessageDescriptor *m, const json_t *object, err_t **err);

#endif
