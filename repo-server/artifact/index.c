/* A machine with one state per level of nesting that matters:
 *
 *   TOP      the document's keys; `entries` leads on
 *   CHARTS   names of charts
 *   VERSIONS the list of one chart
 *   FIELDS   the fields of one version; `urls` leads on
 *   URLS     of them the first counts
 *
 * Whatever else is nested is counted through (`skip`). */
#include "repo-server/artifact/index.h"
#include "common/base/str.h"

#include <ctype.h>
#include <yaml.h>

enum { MAX_ENTRIES = 1000000, MAX_DEPTH = 1000, MAX_TEXT = 4096, QUIET_MAX = 16 << 20 };

enum state { TOP, CHARTS, VERSIONS, FIELDS, URLS };

struct reader {
    yaml_parser_t parser;
    FILE *in, *out;
    size_t quiet; /* bytes read since the last event: one value must not fill the memory */
    bool started, is_map, saw_entries, done;
    enum state state;
    size_t skip;       /* levels of what does not matter */
    bool skipping_key; /* it is the key of a mapping */
    char *key;         /* of a mapping whose value is next; NULL: a key is next */
    struct index_entry at;
    size_t n;
    err_t *err;
};

void index_entry_dispose(struct index_entry *e)
{
    free(e->name);
    free(e->version);
    free(e->digest);
    free(e->url);
    *e = (struct index_entry){};
}

void index_entries_free(index_entries_t *l)
{
    VEC_FOREACH(l, e)
        index_entry_dispose(e);
    VEC_FREE(l);
}

static int read_some(void *arg, unsigned char *buffer, size_t size, size_t *got)
{
    struct reader *r = arg;
    *got = fread(buffer, 1, size, r->in);
    r->quiet += *got;
    return r->quiet <= QUIET_MAX && !ferror(r->in);
}

/* Texts that would break the lines belong to nobody. */
static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

static void put_entry(struct reader *r)
{
    struct index_entry *e = &r->at;
    const char *texts[] = {str_or_empty(e->name), str_or_empty(e->version), str_or_empty(e->digest),
                           str_or_empty(e->url)};
    bool good = *texts[0] && *texts[1];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        good = good && strlen(texts[i]) <= MAX_TEXT && is_plain(texts[i]);
    if (good && ++r->n > MAX_ENTRIES)
        err_set(&r->err, ERR_RESOURCE_EXHAUSTED, "the index has more than %d versions", MAX_ENTRIES);
    else if (good)
        fprintf(r->out, "%s\t%s\t%s\t%s\n", texts[0], texts[1], texts[2], texts[3]);
    free(TAKE(e->version));
    free(TAKE(e->digest));
    free(TAKE(e->url));
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}

static void on_scalar(struct reader *r, const char *text)
{
    if (r->state == URLS) {
        if (!r->at.url)
            r->at.url = xstrdup(text);
        return;
    }
    if (r->state == VERSIONS)
        return;
    if (!r->key) {
        r->key = xstrdup(text);
        return;
    }
    if (r->state == FIELDS && strcmp(r->key, "version") == 0)
        set_text(&r->at.version, text);
    else if (r->state == FIELDS && strcmp(r->key, "digest") == 0)
        set_text(&r->at.digest, text);
    free(TAKE(r->key));
}

/* True when the level counts; else it is to be skipped. */
static bool on_start(struct reader *r, bool map)
{
    const char *key = r->key;
    if (!r->started) {
        r->started = true;
        r->is_map = map;
        return map;
    }
    switch (r->state) {
    case TOP:
        if (!map || !key || strcmp(key, "entries") != 0)
            return false;
        r->saw_entries = true;
        r->state = CHARTS;
        break;
    case CHARTS:
        if (map || !key)
            return false;
        set_text(&r->at.name, key);
        r->state = VERSIONS;
        break;
    case VERSIONS:
        if (!map)
            return false;
        r->state = FIELDS;
        break;
    case FIELDS:
        if (map || !key || strcmp(key, "urls") != 0)
            return false;
        r->state = URLS;
        break;
    case URLS:
        return false;
    }
    free(TAKE(r->key));
    return true;
}

static void on_end(struct reader *r)
{
    if (r->state == FIELDS)
        put_entry(r);
    if (r->state == TOP)
        r->done = true;
    else
        r->state--;
    free(TAKE(r->key));
}

static void enter(struct reader *r, bool map)
{
    bool in_map = r->started && r->state != VERSIONS && r->state != URLS, is_key = in_map && !r->key;
    if (r->skip || !on_start(r, map)) {
        r->skipping_key = r->skip ? r->skipping_key : is_key;
        if (++r->skip > MAX_DEPTH)
            err_set(&r->err, ERR_RESOURCE_EXHAUSTED, "the index is nested too deeply");
    }
}

static void leave(struct reader *r)
{
    if (!r->skip) {
        on_end(r);
    } else if (--r->skip == 0) {
        free(TAKE(r->key));
        r->key = r->skipping_key ? xstrdup("") : NULL;
    }
}

static void on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        if (!r->started)
            r->done = true;
        else if (!r->skip)
            on_scalar(r, (const char *)e->data.scalar.value);
        break;
    case YAML_ALIAS_EVENT:
        if (!r->skip)
            on_scalar(r, "");
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        enter(r, e->type == YAML_MAPPING_START_EVENT);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        leave(r);
        break;
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
        r->done = true;
        break;
    default:
        break;
    }
}

static void run(struct reader *r)
{
    while (!r->done && !r->err) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e)) {
            if (r->quiet > QUIET_MAX)
                err_set(&r->err, ERR_RESOURCE_EXHAUSTED, "the index has a value that is too large");
            else
                err_set(&r->err, ERR_INVALID_ARGUMENT, "the index is no YAML: line %zu: %s",
                        r->parser.problem_mark.line + 1,
                        r->parser.problem ? r->parser.problem : "it cannot be read");
            break;
        }
        r->quiet = 0;
        on_event(r, &e);
        yaml_event_delete(&e);
    }
}

int index_reduce(FILE *yaml, FILE *lines, err_t **err)
{
    struct reader r = {.in = yaml, .out = lines};
    if (!yaml_parser_initialize(&r.parser))
        oom();
    yaml_parser_set_input(&r.parser, read_some, &r);
    run(&r);
    yaml_parser_delete(&r.parser);
    free(r.key);
    index_entry_dispose(&r.at);
    if (!r.err && (!r.is_map || !r.saw_entries))
        err_set(&r.err, ERR_INVALID_ARGUMENT, "the index has no entries");
    if (!r.err && (fflush(lines) != 0 || ferror(lines)))
        err_set(&r.err, ERR_RESOURCE_EXHAUSTED, "the index could not be kept");
    return r.err ? err_move(err, r.err) : 0;
}

/* ---- lines ---- */

static bool read_line(char *line, struct index_entry *out)
{
    view_t rest = view_of(line), part;
    char **fields[] = {&out->name, &out->version, &out->digest, &out->url};
    *out = (struct index_entry){};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!view_split(&rest, '\t', &part)) {
            index_entry_dispose(out);
            return false;
        }
        *fields[i] = xstrndup(part.p, part.n);
    }
    return true;
}

int index_read(FILE *lines, const char *name, index_entries_t *out, err_t **err)
{
    char *line = NULL;
    size_t cap = 0, wanted = name ? strlen(name) : 0;
    ssize_t n;
    while ((n = getline(&line, &cap, lines)) > 0) {
        struct index_entry e;
        if (name && (strncmp(line, name, wanted) != 0 || line[wanted] != '\t'))
            continue;
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (read_line(line, &e))
            VEC_PUSH(out, e);
    }
    free(line);
    return ferror(lines) ? err_set(err, ERR_DATA_LOSS, "a kept index cannot be read") : 0;
}
