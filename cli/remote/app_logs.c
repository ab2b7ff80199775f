/* app logs: lines of the pods, as the server merges them. With --follow a stream that breaks is opened again
 * for what came in the last second. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/remote/commands.h"

static void put_numbers(const struct run *r, bool again, str_t *path)
{
    int64_t tail = args_int(r->args, "tail"), since = again ? 1 : args_int(r->args, "since-seconds");
    AUTO(free_p) char *lines = xasprintf("%lld", (long long)tail);
    AUTO(free_p) char *seconds = xasprintf("%lld", (long long)since);
    query_add(path, "tailLines", tail ? lines : "");
    query_add(path, "sinceSeconds", since ? seconds : "");
}

static void logs_path(const struct run *r, bool again, str_t *path)
{
    static const char *const texts[][2] = {{"group", "group"},         {"kind", "kind"},
                                           {"namespace", "namespace"}, {"name", "resourceName"},
                                           {"filter", "filter"},       {"until-time", "untilTime"},
                                           {"container", "container"}};
    static const char *const flags[][2] = {
        {"follow", "follow"}, {"previous", "previous"}, {"match-case", "matchCase"}};
    AUTO(free_p) char *name = NULL, *ns = NULL;
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "/logs", path);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        query_add(path, texts[i][1], args_text(r->args, texts[i][0]));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (args_bool(r->args, flags[i][0]))
            query_add_bool(path, flags[i][1], true);
    put_numbers(r, again, path);
}

/* One stream to its end. */
static int print_stream(client_t *c, const struct run *r, bool again, err_t **err)
{
    AUTO_STR path = STR_INIT;
    logs_path(r, again, &path);
    AUTO(stream_close_p) stream_t *stream = stream_open(c, str_text(&path));
    for (;;) {
        AUTO_JSON line = NULL;
        bool timed_out;
        int rc = stream_next(stream, MONO_NEVER, &line, &timed_out, err);
        if (rc <= 0 || json_bool_at(line, "last"))
            return rc < 0 ? rc : 0;
        printf_out("%s\n", str_or_empty(json_str_at(line, "content")));
        if (args_bool(r->args, "follow") && print_finish(err) < 0)
            return err_again(err);
    }
}

int app_logs(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    if (!args_count(r->args))
        return run_usage(r);
    int rc = client_of_run(r, &c, err);
    if (rc < 0)
        return rc;
    for (bool again = false;; again = true) {
        AUTO_ERR why = NULL;
        rc = print_stream(c, r, again, &why);
        if (rc == 0)
            return 0;
        if (rc != -ERR_UNAVAILABLE || !args_bool(r->args, "follow"))
            return fail_with(1, "stream read failed: %s", err_text(why));
        sleep_ns(SECONDS(1));
    }
}
