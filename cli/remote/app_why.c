/* app why: the controller's decision journal. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/remote/commands.h"

static void print_decisions(const json_t *items)
{
    size_t i, k;
    json_t *d, *reason;
    json_array_foreach((json_t *)(uintptr_t)items, i, d) {
        AUTO_STR time = STR_INIT;
        put_go_time(str_or_empty(json_str_at(d, "time")), &time);
        printf_out("%s  %s: %s\n", str_text(&time), str_or_empty(json_str_at(d, "decision")),
                   str_or_empty(json_str_at(d, "verdict")));
        json_array_foreach(json_object_get(d, "reasons"), k, reason) {
            if (!str_empty(json_string_value(reason)))
                printf_out("    %s\n", json_string_value(reason));
        }
    }
}

int app_why(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_STR path = STR_INIT;
    AUTO_JSON answer = NULL;
    const char *format = args_text(r->args, "output");
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "/why", &path);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, str_text(&path), &answer, err);
    if (rc < 0)
        return rc;
    const json_t *items = json_object_get(answer, "items");
    if (print_document(items, format))
        return 0;
    if (*format && !str_eq(format, "wide"))
        return print_unknown_format(format, err);
    print_decisions(items);
    return 0;
}
