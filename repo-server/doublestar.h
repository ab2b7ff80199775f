/* Globs over paths in which "**" stands for any number of directories, none included
 * (github.com/bmatcuk/doublestar), and Git's pathspecs. */
#ifndef CARGOCD_REPO_DOUBLESTAR_H
#define CARGOCD_REPO_DOUBLESTAR_H

#include "common/base/base.h"

/* "*", "?", "[…]" and "{a,b}" do not cross slashes. */
bool doublestar_match(const char *pattern, const char *path);
/* As `git ls-files -- <spec>`: the file itself, what is below a directory, or a glob whose "*" crosses
 * slashes. */
bool pathspec_match(const char *spec, const char *path);

#endif
