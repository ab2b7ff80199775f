/* Turns builtin.txt into C tables without pointers (strings are offsets into one text), so that they cost a
 * process no relocations and stay shared pages. usage: kinds_gen builtin.txt > builtin_tables.c */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STRINGS = 8192, MAX_TYPES = 2048, MAX_FIELDS = 16384, MAX_KINDS = 512, MAX_TOKENS = 64 };

static char *strings[MAX_STRINGS];
static unsigned offsets[MAX_STRINGS], nstrings, blob_size;

struct field {
    char type;
    bool list, map, object, omit, pointer, merge, retain, smap, set, atomic;
    unsigned name, patch_key, apply_keys, fallback;
    char *object_type;
};
static struct field fields[MAX_FIELDS];
static unsigned nfields;
static struct {
    char *name;
    unsigned first, n;
} types[MAX_TYPES];
static unsigned ntypes;
static struct {
    char *tokens[MAX_TOKENS];
    unsigned n;
} kinds[MAX_KINDS];
static unsigned nkinds;

static void die(const char *what, const char *line)
{
    fprintf(stderr, "kinds_gen: %s: %s\n", what, line);
    exit(1);
}

static char *dup(const char *s)
{
    char *p = strdup(s);
    if (!p)
        die("out of memory", s);
    return p;
}

static unsigned string(const char *s)
{
    for (unsigned i = 0; i < nstrings; i++)
        if (strcmp(strings[i], s) == 0)
            return offsets[i];
    if (nstrings == MAX_STRINGS)
        die("too many strings", s);
    strings[nstrings] = dup(s);
    offsets[nstrings] = blob_size;
    blob_size += (unsigned)strlen(s) + 1;
    return offsets[nstrings++];
}

static unsigned type_index(const char *name)
{
    for (unsigned i = 0; i < ntypes; i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    die("unknown type", name);
    return 0;
}

static unsigned split(char *line, char **tokens)
{
    unsigned n = 0;
    for (char *t = strtok(line, " \n"); t; t = strtok(NULL, " \n")) {
        if (n == MAX_TOKENS)
            die("too many words", line);
        tokens[n++] = t;
    }
    return n;
}

static void read_type(struct field *f, const char *t)
{
    if (*t == '[' || *t == '{') {
        f->list = *t == '[';
        f->map = *t == '{';
        t++;
    }
    /* A list in a list or map (rare) is plain data. */
    f->type = *t == '[' || *t == '{' ? 'j' : *t;
    f->object = f->type == '=';
    if (f->object)
        f->object_type = dup(t + 1);
}

static void read_field(char **tokens, unsigned n)
{
    if (nfields == MAX_FIELDS || n < 2)
        die("bad field", tokens[0]);
    struct field *f = &fields[nfields++];
    f->name = string(tokens[0]);
    f->patch_key = f->apply_keys = f->fallback = string("");
    read_type(f, tokens[1]);
    for (unsigned i = 2; i < n; i++) {
        const char *t = tokens[i];
        if (strcmp(t, "?") == 0)
            f->omit = true;
        else if (strcmp(t, "*") == 0)
            f->pointer = true;
        else if (strcmp(t, "retain") == 0)
            f->retain = true;
        else if (strcmp(t, "set") == 0)
            f->set = true;
        else if (strcmp(t, "atomic") == 0)
            f->atomic = true;
        else if (strncmp(t, "merge:", 6) == 0)
            f->merge = true, f->patch_key = string(t + 6);
        else if (strncmp(t, "map:", 4) == 0)
            f->smap = true, f->apply_keys = string(t + 4);
        else if (strncmp(t, "default:", 8) == 0)
            f->fallback = string(t + 8);
        else
            die("unknown word", t);
    }
}

static void read_file(FILE *in)
{
    char line[4096];
    string("");
    while (fgets(line, sizeof(line), in)) {
        char *tokens[MAX_TOKENS];
        if (*line == '#' || *line == '\n')
            continue;
        bool is_field = *line == ' ';
        unsigned n = split(line, tokens);
        if (is_field) {
            read_field(tokens, n);
            types[ntypes - 1].n++;
        } else if (strcmp(tokens[0], "type") == 0 && n == 2 && ntypes < MAX_TYPES) {
            types[ntypes].name = dup(tokens[1]);
            types[ntypes++].first = nfields;
        } else if (strcmp(tokens[0], "kind") == 0 && n >= 6 && nkinds < MAX_KINDS) {
            for (unsigned i = 1; i < n; i++)
                kinds[nkinds].tokens[i - 1] = dup(tokens[i]);
            kinds[nkinds++].n = n - 1;
        } else {
            die("bad line", tokens[0]);
        }
    }
}

static void write_fields(void)
{
    printf("const struct field_row builtin_fields[] = {\n");
    for (unsigned i = 0; i < nfields; i++) {
        const struct field *f = &fields[i];
        printf("{%u, %u, '%c', ", f->name, f->object ? type_index(f->object_type) + 1 : 0,
               f->object ? 'o' : f->type);
        printf("%s%s%s%s%s%s%s%s%s0, %u, %u, %u},\n", f->list ? "FR_LIST|" : "", f->map ? "FR_MAP|" : "",
               f->omit ? "FR_OMIT_EMPTY|" : "", f->pointer ? "FR_POINTER|" : "", f->merge ? "FR_MERGE|" : "",
               f->retain ? "FR_RETAIN|" : "", f->smap ? "FR_APPLY_MAP|" : "", f->set ? "FR_APPLY_SET|" : "",
               f->atomic ? "FR_ATOMIC|" : "", f->patch_key, f->apply_keys, f->fallback);
    }
    printf("};\n");
}

static void write_kinds(void)
{
    for (unsigned i = 0; i < nkinds; i++) {
        printf("static const struct kind_version versions_%u[] = {", i);
        for (unsigned v = 4; v < kinds[i].n; v++) {
            char *eq = strchr(kinds[i].tokens[v], '=');
            if (!eq)
                die("version without a type", kinds[i].tokens[v]);
            *eq = 0;
            printf("{\"%s\", ", kinds[i].tokens[v]);
            if (strcmp(eq + 1, "-") == 0)
                printf("NULL}, ");
            else
                printf("&builtin_schemas[%u]}, ", type_index(eq + 1));
        }
        printf("{NULL, NULL}};\n");
    }
    printf("const struct kind_info builtin_kinds[] = {\n");
    for (unsigned i = 0; i < nkinds; i++) {
        char **t = kinds[i].tokens;
        printf("{\"%s\", \"%s\", \"%s\", %s, versions_%u},\n", strcmp(t[0], "core") == 0 ? "" : t[0], t[1],
               t[2], strcmp(t[3], "namespaced") == 0 ? "true" : "false", i);
    }
    printf("};\nconst size_t builtin_kinds_n = %u;\n", nkinds);
}

int main(int argc, char **argv)
{
    FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!in)
        die("cannot read", argc == 2 ? argv[1] : "usage: kinds_gen FILE");
    read_file(in);
    fclose(in);
    printf("/* Made by common/kinds/gen from builtin.txt. */\n#include \"common/kinds/tables.h\"\n");
    for (unsigned i = 0; i < ntypes; i++)
        string(types[i].name);
    if (blob_size > UINT16_MAX)
        die("the strings need offsets of more than 16 bits", argv[1]);
    printf("const char builtin_strings[] =\n");
    for (unsigned i = 0; i < nstrings; i++)
        printf("\"%s\\0\"\n", strings[i]);
    printf(";\n");
    write_fields();
    printf("const struct schema builtin_schemas[] = {\n");
    for (unsigned i = 0; i < ntypes; i++)
        printf("{%u, %u, %u},\n", types[i].first, types[i].n, string(types[i].name));
    printf("};\nconst size_t builtin_schemas_n = %u;\n", ntypes);
    write_kinds();
    return 0;
}
