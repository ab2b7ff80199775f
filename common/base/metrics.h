/* Metrics: a registry of counters, gauges and histograms with labels, and Prometheus' text exposition
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * A family is made once and kept by its user; a series appears when it is first touched. Every function takes
 * a NULL family, so that code works the same without a registry. Thread-safe.
 *
 * Where a daemon has thousands of series that follow from its state (one per application), it does not keep
 * them here but writes them at the time of the scrape (metrics_on_write). */
#ifndef CARGOCD_BASE_METRICS_H
#define CARGOCD_BASE_METRICS_H

#include "common/base/clock.h"

typedef struct metrics metrics_t;
typedef struct metric metric_t;

metrics_t *metrics_new(void) MUST_USE;
/* Frees the families too. */
void metrics_free(metrics_t *m);

/* Names and help texts are copied; `labels` is NULL-terminated, NULL for none. A name that is registered
 * already gives the family that it names. */
metric_t *metric_counter(metrics_t *m, const char *name, const char *help, const char *const *labels);
metric_t *metric_gauge(metrics_t *m, const char *name, const char *help, const char *const *labels);
/* Upper bounds in ascending order; +Inf is added. */
metric_t *metric_histogram(metrics_t *m, const char *name, const char *help, const double *bounds,
                           size_t nbounds, const char *const *labels);

/* Label names or values: LABELS("repo", "request_type"). */
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* `values`: as many as the family has labels (missing ones count as ""); NULL for none. At most
 * METRIC_MAX_SERIES series a family: what comes after is counted in one series whose values are all "other".
 */
enum { METRIC_MAX_SERIES = 10000 };
void metric_add(metric_t *f, double v, const char *const *values);
static inline void metric_inc(metric_t *f, const char *const *values)
{
    metric_add(f, 1, values);
}
void metric_set(metric_t *f, double v, const char *const *values);
void metric_observe(metric_t *f, double v, const char *const *values);
/* The seconds since `start`. */
void metric_observe_since(metric_t *f, mono_t start, const char *const *values);
/* Drops a series. */
void metric_forget(metric_t *f, const char *const *values);
/* Drops every series for whose values keep says false; it is called under the registry's lock. */
void metric_retain(metric_t *f, bool (*keep)(void *arg, char *const *values), void *arg);
/* The value of a counter or gauge, the count of a histogram; 0 when there is no such series. For tests. */
double metric_value(metric_t *f, const char *const *values);

/* fn writes further families, in exposition format, at each scrape. */
void metrics_on_write(metrics_t *m, void (*fn)(void *arg, str_t *out), void *arg);
/* The process_* family: processor time, memory, descriptors, start time; and those of Go's runtime that say
 * the same of any process: threads, and bytes allocated from the heap. */
void metrics_add_process(metrics_t *m);
/* Everything, families sorted by name. */
void metrics_write(metrics_t *m, str_t *out);

/* For metrics_on_write: one line "name{labels} value"; a label's value is escaped. */
void metrics_write_sample(str_t *out, const char *name, const char *const *labels, const char *const *values,
                          double v);
/* A histogram: counts[i] up to bounds[i] and above the one before, counts[n] of the rest. */
void metrics_write_histogram(str_t *out, const char *name, const char *const *labels,
                             const char *const *values, const double *bounds, const uint64_t *counts,
                             size_t n, double sum);
void metrics_write_head(str_t *out, const char *name, const char *type, const char *help);

#endif
