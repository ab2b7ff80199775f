/* Globs as Argo CD's settings understand them: the rules of gobwas/glob 0.2 (https://github.com/gobwas/glob).
 *
 *   *      any text without a separator         **     any text
 *   ?      one character that is no separator   [abc] [a-z] [!a-z]  one of (not of) these
 *   {a,b}  one of the alternatives, which may be globs themselves      \x  the character x
 *
 * Without separators `*` crosses everything. */
#ifndef CARGOCD_BASE_GLOB_H
#define CARGOCD_BASE_GLOB_H

#include "common/base/base.h"

/* False also for a malformed pattern. `separators`: the characters that * and ? do not match; NULL or "":
 * none. */
bool glob_match(const char *pattern, const char *text, const char *separators);
/* Whether the pattern is well formed. */
bool glob_valid(const char *pattern);
/* A list of globs as Argo CD writes it: an entry in slashes ("/re/") is an (unanchored) regular expression.
 */
bool glob_or_regex_match(const char *pattern, const char *text);
/* Go's path.Match / filepath.Match: * and ? stop at "/", no ** and no {}. */
bool shell_match(const char *pattern, const char *text);

#endif
