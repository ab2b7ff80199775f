/* The server's REST API, as one context sees it. */
#ifndef CARGOCD_CLI_REMOTE_CLIENT_H
#define CARGOCD_CLI_REMOTE_CLIENT_H

#include "cli/run.h"
#include "common/json/json.h"
#include "common/net/http.h"

struct client_options {
    const char *server; /* host[:port] */
    bool plaintext, insecure;
    const char *root_path; /* "" or a path */
    const char *token;     /* "" for none */
    const char *ca_pem, *cert_pem, *key_pem;
    char *const *headers; /* "name:value" */
    int64_t retries;      /* when the server is not reached */
};

typedef struct client client_t;
/* Refuses ways to a server that are not available. */
int client_flags_check(const struct run *r, err_t **err);
/* Everything is copied. */
int client_new(const struct client_options *options, client_t **out, err_t **err);
/* By the command's options, the environment and the context. */
int client_of_run(const struct run *r, client_t **out, err_t **err);
/* The certificates of the options, or of a server's entry in the configuration (NULL: none), as PEM: of the
 * authority, ours, its key. NULL where there is none; the caller's. */
int client_certificates(const struct run *r, const json_t *server, char *pem[3], err_t **err);
void client_free(client_t *c);
AUTO_DECL(client_free_p, client_t, client_free)

/* "host:port", with the default port. */
const char *client_server(const client_t *c);
/* Whether it was reached without TLS. */
bool client_plaintext(const client_t *c);

/* Paths: "/api/v1/applications/%s" with escaped parts, and a query. */
void path_add(str_t *path, const char *segment);
/* Adds "name=value" behind ? or &; nothing for an empty value. */
void query_add(str_t *path, const char *name, const char *value);
void query_add_bool(str_t *path, const char *name, bool value);

/* One call: body NULL for none. *out (may be NULL) is the answer, {} when it is empty. Errors of the server
 * carry its code, and its words in the form of gRPC clients: "rpc error: code = NotFound desc = …". */
int client_call(client_t *c, const char *method, const char *path, const json_t *body, json_t **out,
                err_t **err);
int client_get(client_t *c, const char *path, json_t **out, err_t **err);

/* Has the server forget a token; *status is what it answered with. */
int client_log_out(const struct client_options *options, const char *token, int *status, err_t **err);

/* Of a call from now on; 0: none. */
void client_set_timeout(client_t *c, int64_t ns);

/* ---- streams ---- */

typedef struct stream stream_t;
/* Always opens; what goes wrong is told by stream_next. */
stream_t *stream_open(client_t *c, const char *path) MUST_USE;
/* 1 and the next event's "result"; 0: the stream has ended, or the deadline has passed (*timed_out);
 * negative: it broke, or the server sent an error. */
int stream_next(stream_t *s, mono_t deadline, json_t **event, bool *timed_out, err_t **err);
void stream_close(stream_t *s);
AUTO_DECL(stream_close_p, stream_t, stream_close)

/* The parts that the streams and the calls share. */
http_t *client_http(client_t *c);
void client_request(const client_t *c, const char *path, struct http_request *out, char **url);
/* The error that an answer tells. */
int client_refused(const char *url, int status, const char *body, size_t n, err_t **err);
/* "rpc error: code = … desc = …" from a {"code","message"} object. */
int client_rpc_error(const json_t *error, err_t **err);

#endif
