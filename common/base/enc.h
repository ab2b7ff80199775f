/* Text forms of bytes: base64 (RFC 4648), hex, percent-encoding (RFC 3986). */
#ifndef CARGOCD_BASE_ENC_H
#define CARGOCD_BASE_ENC_H

#include "common/base/str.h"

/* Padded, standard alphabet. */
void base64_encode(const void *p, size_t n, str_t *out);
/* URL-safe alphabet without padding (JWT). */
void base64url_encode(const void *p, size_t n, str_t *out);
/* Both alphabets, padding optional, line breaks skipped. False on anything else; *out then holds nothing. */
bool base64_decode(const char *text, size_t n, str_t *out);

/* out has 2n+1 bytes; lower case. */
void hex_encode(const void *p, size_t n, char *out);
/* n hex digits (even) to n/2 bytes. */
bool hex_decode(const char *text, size_t n, unsigned char *out);

/* Everything but unreserved characters becomes %XX; with `keep_slash` also "/" stays. */
void url_escape(const char *text, bool keep_slash, str_t *out);
/* %XX decoded; with `form`, + is a space. False on a bad escape. */
bool url_unescape(view_t text, bool form, str_t *out);

#endif
