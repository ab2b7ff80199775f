#include "common/yaml/yaml.h"

/* Go's unicode.IsSpace. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

static view_t skip_space(view_t v)
{
    uint32_t c;
    for (size_t n; v.n && (n = utf8_decode(v.p, v.n, &c)) && is_space(c); v.n -= n)
        v.p += n;
    return v;
}

void yaml_split_init(struct yaml_splitter *s, const char *p, size_t n)
{
    *s = (struct yaml_splitter){.rest = {p, n}, .next_line = 1};
}

bool yaml_split_next(struct yaml_splitter *s, view_t *piece)
{
    const char *from = s->rest.p;
    s->line = s->next_line;
    while (s->rest.n && !s->bad.p) {
        const char *line = s->rest.p, *newline = memchr(line, '\n', s->rest.n);
        size_t len = newline ? (size_t)(newline - line) + 1 : s->rest.n;
        s->rest.p += len, s->rest.n -= len;
        s->next_line++;
        if (len < 3 || memcmp(line, "---", 3) != 0)
            continue;
        view_t after = skip_space((view_t){line + 3, len - 3});
        if (after.n && after.p[0] != '#')
            s->bad = after;
        else if (line > from) {
            *piece = (view_t){from, (size_t)(line - from)};
            return true;
        }
    }
    *piece = (view_t){from, s->bad.p ? 0 : (size_t)(s->rest.p - from)};
    return piece->n > 0;
}

int yaml_split_end(const struct yaml_splitter *s, err_t **err)
{
    if (!s->bad.p)
        return 0;
    int shown = (int)min_size(view_trim(s->bad).n, 100);
    return err_set(err, ERR_INVALID_ARGUMENT, "line %zu: invalid document separator: %.*s", s->next_line - 1,
                   shown, s->bad.p);
}
