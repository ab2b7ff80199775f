/* What benchmarks share: a line per figure, judged by its budget. */
#ifndef CARGOCD_TESTS_BENCH_H
#define CARGOCD_TESTS_BENCH_H

#include <stdio.h>
#include <stdlib.h>

/* budget 0: none, the figure is for information. */
static inline void bench_print(const char *name, double value, const char *unit, double budget)
{
    if (budget > 0)
        printf("bench %s %.3g %s budget %g %s\n", name, value, unit, budget, value <= budget ? "ok" : "over");
    else
        printf("bench %s %.3g %s\n", name, value, unit);
    fflush(stdout);
}

static inline int bench_cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static inline double bench_median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), bench_cmp_double);
    return v[n / 2];
}

#endif
