/* What commands write: standard output as argocd formats it, messages on standard error as logrus does,
 * questions. */
#ifndef CARGOCD_CLI_PRINT_H
#define CARGOCD_CLI_PRINT_H

#include "common/base/clock.h"
#include "common/json/json.h"

/* Standard output. On a terminal, control characters other than line breaks and tabs are left out: names and
 * messages come from clusters. */
void print_text(const char *p, size_t n);
void print_str(const str_t *s);
void printf_out(const char *fmt, ...) PRINTF(1, 2);
/* Lays out and prints. */
void print_table(const str_t *rows);
/* The names of -o: json and yaml print and return true. */
bool print_document(const json_t *v, const char *format);
/* An object of the API, or a list of such, without apiVersion and kind, as argocd prints them. */
bool print_object(const json_t *v, const char *format);
/* ERR_INVALID_ARGUMENT "unknown output format: …". */
int print_unknown_format(const char *format, err_t **err);
/* 0, or an error when not everything could be written. */
int print_finish(err_t **err);

/* Logs at level fatal and returns the exit status that was given. */
int fail_with(int status, const char *fmt, ...) PRINTF(2, 3);
/* What argocd exits with after errors that servers, files and values cause. */
enum { EXIT_GENERIC = 20 };

/* ---- values as Go prints them ---- */

/* An RFC 3339 text in local time: "2006-01-02 15:04:05 +0000 UTC"; as it is when it is no time. */
void put_go_time(const char *rfc3339, str_t *out);
/* kubectl's ages: "5m3s". */
void put_age(int64_t ns, str_t *out);
/* "a, b" of a list of texts. */
void put_joined(const json_t *list, const char *separator, str_t *out);
const char *bool_text(bool b);

/* ---- questions ---- */

/* Asks until the answer is y, n or (if `all`) a; standard input's end is an error. *out: 'y', 'n', 'a'. */
int ask(const char *question, bool all, char *out, err_t **err);
/* A line; asked again while empty. */
int ask_line(const char *question, char **out, err_t **err);
/* Without echo on a terminal; a line of standard input elsewhere. */
int ask_secret(const char *question, char **out, err_t **err);

#endif
