/* The text that packs refer to (pack.c). */
#ifndef CARGOCD_JSON_PACK_DICTIONARY_H
#define CARGOCD_JSON_PACK_DICTIONARY_H

#include <stddef.h>

extern const char *const pack_dictionary;
extern const size_t pack_dictionary_size;

#endif
