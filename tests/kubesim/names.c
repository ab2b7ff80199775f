#include "tests/kubesim/names.h"

#define SUBDOMAIN_TEXT                                                                                       \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "    \
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "   \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
static const char subdomain_text[] = SUBDOMAIN_TEXT;
static const char label_text[] =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
static const char rfc1035_text[] =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')";
static const char qualified_text[] =
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')";
static const char name_part_text[] =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
static const char value_text[] = "a valid label must be an empty string or consist of alphanumeric "
                                 "characters, '-', '_' or '.', and must start and "
                                 "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
                                 "'12345', regex used for validation is "
                                 "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
static const char config_key_text[] = "a valid config key must consist of alphanumeric characters, '-', '_' "
                                      "or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
                                      "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_dns_label(view_t v)
{
    if (!v.n || !is_lower(v.p[0]) || !is_lower(v.p[v.n - 1]))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (!is_lower(v.p[i]) && v.p[i] != '-')
            return false;
    return true;
}

static bool is_subdomain(view_t v)
{
    view_t part;
    while (view_split(&v, '.', &part))
        if (!is_dns_label(part))
            return false;
    return true;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool is_word(view_t v)
{
    if (!v.n || !is_alnum(v.p[0]) || !is_alnum(v.p[v.n - 1]))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (!is_alnum(v.p[i]) && !strchr("-_.", v.p[i]))
            return false;
    return true;
}

const char *name_check(enum name_rule rule, const char *name, bool prefix)
{
    view_t v = view_of(name);
    /* What is appended to a prefix makes a hyphen at its end good. */
    if (prefix && v.n > 1 && v.p[v.n - 1] == '-')
        v.n--;
    switch (rule) {
    case NAME_SUBDOMAIN:
        return !is_subdomain(v) ? subdomain_text : v.n > 253 ? "must be no more than 253 characters" : NULL;
    case NAME_LABEL:
        return !is_dns_label(v) ? label_text : v.n > 63 ? "must be no more than 63 characters" : NULL;
    case NAME_RFC1035:
        if (!is_dns_label(v) || (v.p[0] >= '0' && v.p[0] <= '9'))
            return rfc1035_text;
        return v.n > 63 ? "must be no more than 63 characters" : NULL;
    case NAME_PATH:
        if (view_eq(v, "."))
            return "may not be '.'";
        if (view_eq(v, ".."))
            return "may not be '..'";
        return strchr(name, '/') ? "may not contain '/'" : strchr(name, '%') ? "may not contain '%'" : NULL;
    }
    return NULL;
}

static size_t check_prefix(view_t part, const char **problems)
{
    size_t n = 0;
    if (!part.n)
        problems[n++] = "prefix part must be non-empty";
    else if (part.n > 253)
        problems[n++] = "prefix part must be no more than 253 characters";
    else if (!is_subdomain(part))
        problems[n++] = "prefix part " SUBDOMAIN_TEXT;
    return n;
}

size_t qualified_name_check(const char *key, const char *problems[NAME_PROBLEMS])
{
    size_t n = 0;
    view_t rest = view_of(key), part;
    view_split(&rest, '/', &part);
    if (rest.p) {
        if (memchr(rest.p, '/', rest.n)) {
            problems[0] = qualified_text;
            return 1;
        }
        n = check_prefix(part, problems);
        part = rest;
    }
    if (!part.n)
        problems[n++] = "name part must be non-empty";
    else if (part.n > 63)
        problems[n++] = "name part must be no more than 63 characters";
    if (!is_word(part))
        problems[n++] = name_part_text;
    return n;
}

const char *label_value_check(const char *value)
{
    view_t v = view_of(value);
    if (v.n > 63)
        return "must be no more than 63 characters";
    return !v.n || is_word(v) ? NULL : value_text;
}

const char *config_key_check(const char *key)
{
    if (strlen(key) > 253)
        return "must be no more than 253 characters";
    for (const char *p = key; *p; p++)
        if (!is_alnum(*p) && !strchr("-_.", *p))
            return config_key_text;
    return *key ? NULL : config_key_text;
}
