/* One table of the whole public API, made from the files below services by gen/api_table.c: REST, gRPC,
 * gRPC-Web, metrics, audit and authorisation read it. Adding a method is adding it to a .proto and writing
 * its handler. */
#ifndef CARGOCD_PROTO_API_TABLE_H
#define CARGOCD_PROTO_API_TABLE_H

#include "common/base/base.h"

#include <protobuf-c/protobuf-c.h>

/* One route of REST. */
struct api_binding {
    const char *verb; /* "GET" */
    const char *path; /* "/api/v1/applications/{name}/sync": literals, {field}, {field=**} */
    const char *body; /* NULL: none; "*": the whole message; else a field of it */
};

struct api_method {
    const char *service; /* "application.ApplicationService" */
    const char *name;    /* "Sync" */
    const ProtobufCMessageDescriptor *in, *out;
    bool client_stream, server_stream;
    bool is_public; /* callable without a session */
    bool sensitive; /* its messages carry secrets: never logged */
    const struct api_binding *bindings;
    size_t nbindings;
};

extern const struct api_method api_methods[];
extern const size_t api_nmethods;

/* The JSON key of a field is its name, but for these. */
struct api_json_name {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    const char *json;
};
extern const struct api_json_name api_json_names[];
extern const size_t api_njson_names;

/* Fields whose message is written into the JSON object that holds it. */
struct api_inlined {
    const ProtobufCMessageDescriptor *message;
    const char *field;
};
extern const struct api_inlined api_inlined[];
extern const size_t api_ninlined;

#endif
