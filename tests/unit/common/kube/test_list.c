#include "tests/unit/test.h"
#include "common/base/vec.h"
#include "tests/unit/common/kube/fake_kube.h"

/* Answers by number; each names what its request must hold. */
struct step {
    const char *expect; /* in the target; NULL: anything */
    const char *status, *headers, *body;
};
struct script {
    const struct step *steps;
    size_t n;
    atomic_size_t at;
    atomic_int wrong;
};

static bool play(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct script *s = arg;
    size_t at = s->at++;
    if (at >= s->n || (s->steps[at].expect && !strstr(r->target, s->steps[at].expect))) {
        print_message("# request %zu: %s\n", at, r->target);
        s->wrong++;
        fake_reply(c, "500 Internal Server Error", NULL, "off script");
        return true;
    }
    /* "@" stands for 70,000 bytes. */
    const char *body = s->steps[at].body, *big = strchr(body, '@');
    AUTO(free_p)
    char *filled = big ? xasprintf("%.*s%070000d%s", (int)(big - body), body, 0, big + 1) : xstrdup(body);
    fake_reply(c, s->steps[at].status ? s->steps[at].status : "200 OK", s->steps[at].headers, filled);
    return true;
}

struct result {
    str_t items;
    int restarts;
    size_t end_at, n;
};

static int on_item(void *arg, const char *p, size_t n)
{
    struct result *r = arg;
    str_add(&r->items, p, n);
    str_putc(&r->items, '\n');
    return r->end_at && ++r->n == r->end_at ? -ERR_DATA_LOSS : 0;
}

static void on_restart(void *arg)
{
    struct result *r = arg;
    r->restarts++;
    str_puts(&r->items, "again\n");
}

static const struct kube_list_ops ops = {on_item, on_restart};

#define PAGE(version, token, items)                                                                          \
    "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token    \
    "\"},\"items\":[" items "]}"
#define EXPIRED    "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}"
#define BARE(name) "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name "\"}}\n"

static const struct {
    struct step steps[6];
    size_t n;
    struct kube_list what;
    int result;
    const char *items, *version;
    int restarts;
} lists[] = {
    /* Two pages; bare items are named, others left as they are. */
    {{{"configmaps?limit=500", NULL, NULL,
       PAGE("5", "a b", "{\"metadata\":{\"name\":\"x\"}},{\"kind\":\"K\"}")},
      {"limit=500&continue=a%20b", NULL, NULL, PAGE("5", "", "{\"metadata\":{\"name\":\"y\"}}")}},
     2,
     {},
     0,
     BARE("x") "{\"kind\":\"K\"}\n" BARE("y"),
     "5",
     0},
    /* Selectors and namespace. */
    {{{"/api/v1/namespaces/n%2F/configmaps?labelSelector=a%3Db&fieldSelector=c%21%3Dd&limit=2", NULL, NULL,
       PAGE("7", "", "")}},
     1,
     {.ns = "n/", .label_selector = "a=b", .field_selector = "c!=d", .page_size = 2},
     0,
     "",
     "7",
     0},
    /* A page that expired starts over, at last without pages. */
    {{{NULL, NULL, NULL, PAGE("5", "t", "{\"kind\":\"a\"}")},
      {"continue=t", "410 Gone", NULL, EXPIRED},
      {"limit=500", NULL, NULL, PAGE("6", "u", "{\"kind\":\"a\"}")},
      {"continue=u", "410 Gone", NULL, EXPIRED},
      {"configmaps", NULL, NULL, PAGE("8", "", "{\"kind\":\"a\"},{\"kind\":\"b\"}")}},
     5,
     {},
     0,
     "{\"kind\":\"a\"}\nagain\n{\"kind\":\"a\"}\nagain\n{\"kind\":\"a\"}\n{\"kind\":\"b\"}\n",
     "8",
     2},
    /* 410 for the first page is an error. */
    {{{NULL, "410 Gone", NULL, EXPIRED}}, 1, {}, -ERR_OUT_OF_RANGE, "", NULL, 0},
    /* Odd objects do no harm: numbers, depth, invalid UTF-8, no metadata, oversized. */
    {{{NULL, NULL, NULL,
       PAGE("5", "",
            "{\"kind\":1e999},{\"kind\":\"\xff\"},3,null,{},{\"kind\":\"[[[[[[[[\"},"
            "{\"kind\":\"@\"},{\"kind\":\"z\"}")}},
     1,
     {.max_object = 30},
     0,
     "{\"kind\":1e999}\n{\"kind\":\"\xff\"}\n3\nnull\n{}\n{\"kind\":\"[[[[[[[[\"}\n{\"kind\":\"z\"}\n",
     "5",
     0},
    {{{NULL, NULL, NULL, "{\"kind\":\"List\",\"items\":null,\"metadata\":{\"resourceVersion\":\"9\"}}"}},
     1,
     {},
     0,
     "",
     "9",
     0},
    /* What is no list. */
    {{{NULL, NULL, NULL, "[]"}}, 1, {}, -ERR_INVALID_ARGUMENT, "", NULL, 0},
    {{{NULL, NULL, NULL, "{\"items\":[{\"kind\":1},"}},
     1,
     {},
     -ERR_INVALID_ARGUMENT,
     "{\"kind\":1}\n",
     NULL,
     0},
    {{{NULL, "403 Forbidden", NULL, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}"}},
     1,
     {},
     -ERR_PERMISSION_DENIED,
     "",
     NULL,
     0},
    /* Throttled, then not. */
    {{{NULL, "429 Too Many Requests", "Retry-After: 1\r\n", "{}"}, {NULL, NULL, NULL, PAGE("5", "", "")}},
     2,
     {},
     0,
     "",
     "5",
     0},
};

static void lists_come_whole_or_fail(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *version = NULL;
        struct script s = {.steps = lists[i].steps, .n = lists[i].n};
        struct result r = {};
        struct fake_kube f;
        fake_kube_open(&f, play, &s, (struct kube_config){}, (struct kube_options){.timeout_ns = SECONDS(5)});
        int got = kube_list(f.k, &configmaps, &lists[i].what, &ops, &r, &version, &err);
        if (got != lists[i].result || s.wrong)
            fail_msg("case %zu: %d %s", i, got, err_text(err));
        assert_string_equal(str_text(&r.items), lists[i].items);
        assert_true(str_eq(version, lists[i].version));
        assert_int_equal(r.restarts, lists[i].restarts);
        assert_int_equal(s.at, lists[i].n);
        str_dispose(&r.items);
        fake_kube_close(&f);
    }
}

static void readers_end_lists(void **state)
{
    static const struct step steps[] = {
        {NULL, NULL, NULL, PAGE("5", "t", "{\"kind\":1},{\"kind\":2},{\"kind\":3}")}};
    AUTO_ERR err = NULL;
    struct script s = {.steps = steps, .n = 1};
    struct result r = {.end_at = 2};
    struct fake_kube f;
    fake_kube_open(&f, play, &s, (struct kube_config){}, (struct kube_options){});
    assert_int_equal(kube_list(f.k, &configmaps, NULL, &ops, &r, NULL, &err), -ERR_DATA_LOSS);
    assert_string_equal(str_text(&r.items), "{\"kind\":1}\n{\"kind\":2}\n");
    str_dispose(&r.items);
    fake_kube_close(&f);
}

static void small_lists_are_documents(void **state)
{
    static const struct step steps[] = {
        {NULL, NULL, NULL,
         PAGE("5", "t", "{\"metadata\":{\"name\":\"x\"}},{\"kind\":\"\xff\"},{\"kind\":tru}")},
        {"continue=t", "410 Gone", NULL, EXPIRED},
        {NULL, NULL, NULL,
         PAGE("6", "", "{\"metadata\":{\"name\":\"y\"}},{\"kind\":\"\xff\"},{\"kind\":\"z\"}")}};
    AUTO_ERR err = NULL;
    struct script s = {.steps = steps, .n = ARRAY_LEN(steps)};
    struct fake_kube f;
    AUTO_JSON items = NULL;
    fake_kube_open(&f, play, &s, (struct kube_config){}, (struct kube_options){});
    ASSERT_OK(kube_list_json(f.k, &configmaps, NULL, &items, &err));
    assert_int_equal(json_array_size(items), 2);
    assert_string_equal(json_str_at(json_array_get(items, 0), "metadata", "name"), "y");
    assert_string_equal(json_str_at(json_array_get(items, 0), "kind"), "ConfigMap");
    fake_kube_close(&f);
}

static bool slow_page(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_chunk(c, "{\"items\":[", 10);
    if (strstr(r->target, "silent"))
        fake_linger(c, 5000);
    for (int i = 0; i < 10; i++) {
        fake_chunk(c, "{\"kind\":1},", 11);
        fake_linger(c, 50);
    }
    fake_chunk(c, "{}]}", 4);
    fake_chunk(c, NULL, 0);
    return true;
}

static void slow_lists_are_waited_for_silent_ones_are_not(void **state)
{
    AUTO_ERR err = NULL;
    struct result r = {};
    struct fake_kube f;
    fake_kube_open(&f, slow_page, NULL, (struct kube_config){},
                   (struct kube_options){.timeout_ns = MILLIS(300)});
    ASSERT_OK(kube_list(f.k, &configmaps, NULL, &ops, &r, NULL, &err));
    mono_t start = mono_now();
    struct kube_list silent = {.ns = "silent"};
    assert_int_equal(kube_list(f.k, &configmaps, &silent, &ops, &r, NULL, &err), -ERR_DEADLINE_EXCEEDED);
    assert_true(mono_now().ns - start.ns < SECONDS(3));
    str_dispose(&r.items);
    fake_kube_close(&f);
}

TESTS(T(lists_come_whole_or_fail), T(readers_end_lists), T(small_lists_are_documents),
      T(slow_lists_are_waited_for_silent_ones_are_not))
