/* The generated tables behind kinds.h. Strings are offsets into one text, so that the tables need no
 * relocation. */
#ifndef CARGOCD_KINDS_TABLES_H
#define CARGOCD_KINDS_TABLES_H

#include "common/kinds/kinds.h"

enum {
    FR_LIST = 1,
    FR_MAP = 2,
    FR_OMIT_EMPTY = 4,
    FR_POINTER = 8,
    FR_MERGE = 16,
    FR_RETAIN = 32,
    FR_APPLY_MAP = 64,
    FR_APPLY_SET = 128,
    FR_ATOMIC = 256
};

struct field_row {
    uint16_t name;
    uint16_t schema; /* index + 1 of the object's type; 0: none */
    char type;       /* enum field_type */
    uint16_t flags;
    uint16_t patch_key, apply_keys, fallback;
};

struct schema {
    uint32_t first, n; /* its rows in the set's fields, sorted by name */
    uint32_t name;
};

extern const char builtin_strings[];
extern const struct field_row builtin_fields[];
extern const struct schema builtin_schemas[];
extern const size_t builtin_schemas_n;
extern const struct kind_info builtin_kinds[];
extern const size_t builtin_kinds_n;

#endif
