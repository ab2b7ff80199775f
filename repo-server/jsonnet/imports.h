/* libjsonnet asks for an imported file without saying whether it is to be evaluated or taken as it is, and
 * asks once for both. So the names of files that are taken as they are get a mark. */
#ifndef CARGOCD_REPO_JSONNET_IMPORTS_H
#define CARGOCD_REPO_JSONNET_IMPORTS_H

#include "common/base/str.h"

/* The mark: it stands first in the name. */
enum { JSONNET_AS_IS = '\x01' };

/* Appends the program with the mark put into the names after importstr and importbin. Columns stay where
 * there is a blank before the name, which is given up for it. */
void jsonnet_mark_imports(const char *text, size_t n, str_t *out);

#endif
