#include "tests/unit/test.h"
#include "common/base/metrics.h"
#include "common/base/thread.h"

static void writes_the_exposition_format(void **state)
{
    metrics_t *m = metrics_new();
    metric_t *c = metric_counter(m, "b_total", "Bees\nand \\more.", LABELS("repo", "kind"));
    metric_t *g = metric_gauge(m, "a_gauge", "A gauge.", NULL);
    metric_t *h = metric_histogram(m, "c_seconds", "Time.", (const double[]){0.1, 1, 20}, 3, LABELS("x"));
    metric_inc(c, LABELS("a\"b\\c\nd", "k"));
    metric_add(c, 1.5, LABELS("a\"b\\c\nd", "k"));
    metric_set(g, -2, NULL);
    metric_observe(h, 0.1, LABELS("y"));
    metric_observe(h, 0.5, LABELS("y"));
    metric_observe(h, 100, LABELS("y"));
    AUTO_STR out = STR_INIT;
    metrics_write(m, &out);
    assert_string_equal(str_text(&out), "# HELP a_gauge A gauge.\n"
                                        "# TYPE a_gauge gauge\n"
                                        "a_gauge -2\n"
                                        "# HELP b_total Bees\\nand \\\\more.\n"
                                        "# TYPE b_total counter\n"
                                        "b_total{repo=\"a\\\"b\\\\c\\nd\",kind=\"k\"} 2.5\n"
                                        "# HELP c_seconds Time.\n"
                                        "# TYPE c_seconds histogram\n"
                                        "c_seconds_bucket{x=\"y\",le=\"0.1\"} 1\n"
                                        "c_seconds_bucket{x=\"y\",le=\"1\"} 2\n"
                                        "c_seconds_bucket{x=\"y\",le=\"20\"} 2\n"
                                        "c_seconds_bucket{x=\"y\",le=\"+Inf\"} 3\n"
                                        "c_seconds_sum{x=\"y\"} 100.59999999999999\n"
                                        "c_seconds_count{x=\"y\"} 3\n");
    assert_true(metric_value(h, LABELS("y")) == 3 && metric_value(g, NULL) == -2);
    metric_forget(c, LABELS("a\"b\\c\nd", "k"));
    str_reset(&out);
    metrics_write(m, &out);
    assert_null(strstr(str_text(&out), "b_total"));
    metrics_free(m);
}

static bool is_kept(void *arg, char *const *values)
{
    return !str_eq(values[1], arg);
}

static void what_is_gone_is_dropped(void **state)
{
    metrics_t *m = metrics_new();
    metric_t *c = metric_counter(m, "n_total", "n", LABELS("ns", "name", "code"));
    metric_inc(c, LABELS("a", "gone", "1"));
    metric_inc(c, LABELS("b", "gone", "2"));
    metric_inc(c, LABELS("gone", "here", "2"));
    metric_retain(c, is_kept, (void *)(uintptr_t) "gone");
    AUTO_STR out = STR_INIT;
    metrics_write(m, &out);
    assert_string_equal(str_text(&out), "# HELP n_total n\n# TYPE n_total counter\n"
                                        "n_total{ns=\"gone\",name=\"here\",code=\"2\"} 1\n");
    metric_retain(NULL, is_kept, NULL);
    metrics_free(m);
}

static void series_are_bounded(void **state)
{
    metrics_t *m = metrics_new();
    metric_t *c = metric_counter(m, "n_total", "n", LABELS("a", "b"));
    for (int i = 0; i < METRIC_MAX_SERIES + 100; i++) {
        AUTO(free_p) char *v = xasprintf("%d", i);
        metric_inc(c, LABELS(v, "b"));
    }
    assert_true(metric_value(c, LABELS("5", "b")) == 1);
    assert_true(metric_value(c, LABELS("other", "other")) == 100);
    metrics_free(m);
}

static void no_registry_is_no_work(void **state)
{
    metric_t *c = metric_counter(NULL, "x", "x", NULL);
    assert_null(c);
    metric_inc(c, NULL);
    metric_observe(c, 1, NULL);
    metric_observe_since(c, mono_now(), NULL);
    metric_set(c, 1, NULL);
    metric_forget(c, NULL);
    assert_true(metric_value(c, NULL) == 0);
}

static void *count(void *arg)
{
    for (int i = 0; i < 1000; i++)
        metric_inc(arg, LABELS(i % 2 ? "a" : "b"));
    return NULL;
}

static void extra(void *arg, str_t *out)
{
    metrics_write_head(out, "extra", "gauge", "E.");
    metrics_write_sample(out, "extra", LABELS("l"), LABELS("v"), *(double *)arg);
}

static void counts_from_many_threads_while_written(void **state)
{
    metrics_t *m = metrics_new();
    metric_t *c = metric_counter(m, "t_total", "t", LABELS("x"));
    double v = 7;
    metrics_on_write(m, extra, &v);
    metrics_add_process(m);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        threads[i] = thread_start("count", count, c);
    AUTO_STR out = STR_INIT;
    for (int i = 0; i < 20; i++) {
        str_reset(&out);
        metrics_write(m, &out);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(metric_value(c, LABELS("a")) == 2000 && metric_value(c, LABELS("b")) == 2000);
    assert_non_null(strstr(str_text(&out), "extra{l=\"v\"} 7\n"));
    assert_non_null(strstr(str_text(&out), "process_resident_memory_bytes "));
    metrics_free(m);
}

TESTS(T(writes_the_exposition_format), T(what_is_gone_is_dropped), T(series_are_bounded),
      T(no_registry_is_no_work), T(counts_from_many_threads_while_written))
