/* Exact decimal numbers, for comparing and hashing whatever their spelling. */
#ifndef CARGOCD_JSON_NUMBER_H
#define CARGOCD_JSON_NUMBER_H

#include "common/json/json.h"

/* sign * 0.DIGITS * 10^exponent, without leading or trailing zeros; zero has no digits. */
struct decimal {
    bool negative;
    int64_t exponent;
    size_t n;
    const char *digits; /* into the buffer given to decimal_of */
};

/* The value of a JSON number; scratch receives its digits. */
void decimal_of(const json_t *v, str_t *scratch, struct decimal *out);
int decimal_cmp(const struct decimal *a, const struct decimal *b);

#endif
