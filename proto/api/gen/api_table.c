/* Writes the table of proto/api/table.h from a set of descriptors (protoc --include_imports
 * --descriptor_set_out). usage: api_table SET >table.c */
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/api/options.pb-c.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__FileDescriptorSet file_set_t;
typedef Google__Protobuf__FileDescriptorProto file_t;
typedef Google__Protobuf__DescriptorProto message_t;
typedef Google__Protobuf__FieldDescriptorProto field_t;
typedef Google__Protobuf__ServiceDescriptorProto service_t;
typedef Google__Protobuf__MethodDescriptorProto method_t;

enum { EXT_HTTP = 50001, EXT_PUBLIC = 50002, EXT_SENSITIVE = 50003, EXT_INLINED = 50001 };

static void die(const char *what, const char *about)
{
    fprintf(stderr, "api_table: %s: %s\n", what, about);
    exit(1);
}

/* The C name that protoc-c gives to a full name: parts joined by "__", CamelCase split by "_". */
static void c_name(const char *full, FILE *out)
{
    if (*full == '.')
        full++;
    int was_upper = 1;
    for (; *full; full++) {
        if (*full == '.') {
            fputs("__", out);
            was_upper = 1;
            continue;
        }
        int is_upper = isupper((unsigned char)*full) != 0;
        if (is_upper && !was_upper)
            fputc('_', out);
        fputc(tolower((unsigned char)*full), out);
        was_upper = is_upper;
    }
}

static void descriptor_ref(const char *full, FILE *out)
{
    fputc('&', out);
    c_name(full, out);
    fputs("__descriptor", out);
}

/* ---- options: our extensions arrive as unknown fields ---- */

static const ProtobufCMessageUnknownField *extension(const ProtobufCMessage *options, uint32_t tag,
                                                     unsigned *from)
{
    for (; options && *from < options->n_unknown_fields; (*from)++)
        if (options->unknown_fields[*from].tag == tag)
            return &options->unknown_fields[(*from)++];
    return NULL;
}

/* The payload of a length-delimited field: behind its length. */
static const uint8_t *payload(const ProtobufCMessageUnknownField *f, size_t *n)
{
    size_t at = 0;
    while (at < f->len && f->data[at] & 0x80)
        at++;
    at++;
    if (at > f->len)
        die("malformed option", "length");
    *n = f->len - at;
    return f->data + at;
}

static int flag_option(const ProtobufCMessage *options, uint32_t tag)
{
    unsigned from = 0;
    const ProtobufCMessageUnknownField *f = extension(options, tag, &from);
    return f && f->len == 1 && f->data[0] == 1;
}

/* ---- methods ---- */

static void put_text(const char *s, FILE *out)
{
    if (s)
        fprintf(out, "\"%s\"", s);
    else
        fputs("NULL", out);
}

static void put_binding(const Cargocd__Api__HttpRule *r, FILE *out)
{
    const char *verbs[][2] = {
        {"GET", r->get}, {"PUT", r->put}, {"POST", r->post}, {"DELETE", r->delete_}, {"PATCH", r->patch}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (verbs[i][1]) {
            fprintf(out, "    {\"%s\", ", verbs[i][0]);
            put_text(verbs[i][1], out);
            fputs(", ", out);
            put_text(r->body, out);
            fputs("},\n", out);
        }
    for (size_t i = 0; i < r->n_also; i++)
        put_binding(r->also[i], out);
}

static size_t put_bindings(const method_t *m, size_t number, FILE *out)
{
    unsigned from = 0;
    const ProtobufCMessageUnknownField *f = m->options ? extension(&m->options->base, EXT_HTTP, &from) : NULL;
    if (!f)
        return 0;
    size_t n;
    const uint8_t *p = payload(f, &n);
    Cargocd__Api__HttpRule *rule = cargocd__api__http_rule__unpack(NULL, n, p);
    if (!rule)
        die("malformed http option", m->name);
    fprintf(out, "static const struct api_binding bindings_%zu[] = {\n", number);
    put_binding(rule, out);
    fputs("};\n", out);
    size_t count = 1 + rule->n_also;
    cargocd__api__http_rule__free_unpacked(rule, NULL);
    return count;
}

static void put_method(const file_t *file, const service_t *s, const method_t *m, size_t number,
                       size_t nbindings, FILE *out)
{
    const ProtobufCMessage *o = m->options ? &m->options->base : NULL;
    fprintf(out, "    {\"%s.%s\", \"%s\", ", file->package, s->name, m->name);
    descriptor_ref(m->input_type, out);
    fputs(", ", out);
    descriptor_ref(m->output_type, out);
    fprintf(out, ", %d, %d, %d, %d, ", m->client_streaming, m->server_streaming, flag_option(o, EXT_PUBLIC),
            flag_option(o, EXT_SENSITIVE));
    if (nbindings)
        fprintf(out, "bindings_%zu, %zu},\n", number, nbindings);
    else
        fputs("NULL, 0},\n", out);
}

static void put_methods(const file_set_t *set, FILE *out)
{
    char *table = NULL;
    size_t size = 0, number = 0;
    FILE *rows = open_memstream(&table, &size);
    for (size_t i = 0; i < set->n_file; i++)
        for (size_t j = 0; j < set->file[i]->n_service; j++) {
            const service_t *s = set->file[i]->service[j];
            for (size_t k = 0; k < s->n_method; k++, number++) {
                size_t n = put_bindings(s->method[k], number, out);
                put_method(set->file[i], s, s->method[k], number, n, rows);
            }
        }
    fclose(rows);
    fprintf(out, "const struct api_method api_methods[] = {\n%s};\n", table);
    fputs("const size_t api_nmethods = sizeof api_methods / sizeof *api_methods;\n\n", out);
    free(table);
}

/* ---- JSON names ---- */

static void message_json_names(const char *scope, const message_t *m, FILE *out)
{
    char full[512];
    snprintf(full, sizeof full, "%s.%s", scope, m->name);
    for (size_t i = 0; i < m->n_field; i++) {
        const field_t *f = m->field[i];
        if (!f->json_name || !strcmp(f->json_name, f->name) || strchr(f->name, '_'))
            continue;
        /* protoc fills in lower camel case; a capital first letter stands when the name itself has it. */
        if (isupper((unsigned char)f->name[0]) && !strcmp(f->json_name + 1, f->name + 1))
            continue;
        fputs("    {", out);
        descriptor_ref(full, out);
        fprintf(out, ", \"%s\", \"%s\"},\n", f->name, f->json_name);
    }
}

static void put_json_names(const file_set_t *set, FILE *out)
{
    fputs("const struct api_json_name api_json_names[] = {\n", out);
    for (size_t i = 0; i < set->n_file; i++)
        if (!strncmp(set->file[i]->name, "proto/api/", 10) &&
            strcmp(set->file[i]->name, "proto/api/options.proto") != 0)
            for (size_t j = 0; j < set->file[i]->n_message_type; j++)
                message_json_names(set->file[i]->package, set->file[i]->message_type[j], out);
    fputs("};\nconst size_t api_njson_names = sizeof api_json_names / sizeof *api_json_names;\n\n", out);
}

static void put_inlined(const file_set_t *set, FILE *out)
{
    fputs("const struct api_inlined api_inlined[] = {\n", out);
    for (size_t i = 0; i < set->n_file; i++) {
        unsigned from = 0;
        const ProtobufCMessage *o = set->file[i]->options ? &set->file[i]->options->base : NULL;
        for (const ProtobufCMessageUnknownField *f; (f = extension(o, EXT_INLINED, &from));) {
            size_t n;
            const uint8_t *p = payload(f, &n);
            char name[512];
            snprintf(name, sizeof name, "%.*s", (int)n, (const char *)p);
            char *dot = strrchr(name, '.');
            if (!dot)
                die("inlined: not Message.field", name);
            *dot = 0;
            fputs("    {", out);
            descriptor_ref(name, out);
            fprintf(out, ", \"%s\"},\n", dot + 1);
        }
    }
    fputs("};\nconst size_t api_ninlined = sizeof api_inlined / sizeof *api_inlined;\n", out);
}

/* ---- all of it ---- */

static void put_includes(const file_set_t *set, FILE *out)
{
    fputs("/* Made by proto/api/gen/api_table.c. */\n#include \"proto/api/table.h\"\n", out);
    for (size_t i = 0; i < set->n_file; i++) {
        const char *name = set->file[i]->name;
        if (strstr(name, "services/") || strstr(name, "options.proto") || strstr(name, "descriptor.proto"))
            continue;
        fprintf(out, "#include \"%.*s.pb-c.h\"\n", (int)(strlen(name) - strlen(".proto")), name);
    }
    fputc('\n', out);
}

static file_set_t *read_set(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        die("cannot open", path);
    size_t cap = (size_t)16 << 20;
    uint8_t *bytes = malloc(cap);
    size_t n = bytes ? fread(bytes, 1, cap, f) : 0;
    fclose(f);
    file_set_t *set = google__protobuf__file_descriptor_set__unpack(NULL, n, bytes);
    free(bytes);
    if (!set)
        die("no set of descriptors", path);
    return set;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage", "api_table SET");
    file_set_t *set = read_set(argv[1]);
    put_includes(set, stdout);
    put_methods(set, stdout);
    put_json_names(set, stdout);
    put_inlined(set, stdout);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return fflush(stdout) ? 1 : 0;
}
