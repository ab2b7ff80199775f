/* The rules for names, label keys and label values
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/), with kube-apiserver's texts. */
#ifndef CARGOCD_KUBESIM_NAMES_H
#define CARGOCD_KUBESIM_NAMES_H

#include "common/base/str.h"

enum name_rule { NAME_SUBDOMAIN, NAME_LABEL, NAME_RFC1035, NAME_PATH };
/* NULL when the name is allowed, else what is wrong with it. `prefix`: it is a generateName, to which more is
 * added. */
const char *name_check(enum name_rule rule, const char *name, bool prefix);
/* "example.com/name" or "name": how many things are wrong with it, and which. */
enum { NAME_PROBLEMS = 4 };
size_t qualified_name_check(const char *key, const char *problems[NAME_PROBLEMS]);
const char *label_value_check(const char *value);
const char *config_key_check(const char *key);

#endif
