/* A script runs in a state of its own, made for it and thrown away: nothing survives from one object to the
 * next. All that can raise a Lua error happens inside `attempt`, which owns nothing; what it leaves on the
 * stack is read afterwards by calls that raise none. */
#include "common/engine/script.h"
#include "common/engine/script_value.h"

#include <luajit-2.1/lauxlib.h>
#include <luajit-2.1/luajit.h>
#include <luajit-2.1/lualib.h>

#include <time.h>

struct run {
    const struct script *script;
    const json_t *object, *params;
    size_t used;
    int64_t left; /* instructions */
    bool over;    /* a limit was reached */
};

enum { STRIDE = 10000 };

/* ---- limits ---- */

static void *allocate(void *ctx, void *p, size_t old, size_t wanted)
{
    struct run *r = ctx;
    if (!wanted) {
        free(p);
        r->used -= p ? old : 0;
        return NULL;
    }
    size_t used = r->used - (p ? old : 0) + wanted;
    if (used > SCRIPT_MEMORY) {
        r->over = true;
        return NULL;
    }
    void *q = realloc(p, wanted); /* lint: allow realloc, because Lua wants NULL when there is no memory */
    if (q)
        r->used = used;
    return q;
}

static struct run *run_of(lua_State *l)
{
    void *ctx;
    lua_getallocf(l, &ctx);
    return ctx;
}

/* Once the instructions are used up every further one fails, so that no pcall gets a script past the limit.
 */
static void on_count(lua_State *l, lua_Debug *d)
{
    struct run *r = run_of(l);
    if ((r->left -= STRIDE) > 0)
        return;
    r->over = true;
    lua_sethook(l, on_count, LUA_MASKCOUNT, 1);
    luaL_error(l, "the script takes too long");
}

/* ---- what a script may call ---- */

static int os_time(lua_State *l)
{
    lua_pushnumber(l, (lua_Number)time(NULL));
    return 1;
}

static int os_date(lua_State *l)
{
    char text[256];
    const char *format = luaL_optstring(l, 1, "%c");
    time_t t = (time_t)luaL_optnumber(l, 2, (lua_Number)time(NULL));
    struct tm tm;
    if (*format == '!')
        format++;
    if (!gmtime_r(&t, &tm) || strlen(format) > 64)
        return luaL_error(l, "bad time or format");
    if (strncmp(format, "*t", 2) == 0) {
        const struct {
            const char *name;
            int value;
        } fields[] = {{"year", tm.tm_year + 1900}, {"month", tm.tm_mon + 1}, {"day", tm.tm_mday},
                      {"hour", tm.tm_hour},        {"min", tm.tm_min},       {"sec", tm.tm_sec},
                      {"wday", tm.tm_wday + 1},    {"yday", tm.tm_yday + 1}};
        lua_createtable(l, 0, ARRAY_LEN(fields));
        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
            lua_pushinteger(l, fields[i].value);
            lua_setfield(l, -2, fields[i].name);
        }
        return 1;
    }
    lua_pushlstring(l, text, strftime(text, sizeof(text), format, &tm));
    return 1;
}

/* Modules that are there already, and "os", which is there only this way. */
static int require(lua_State *l)
{
    const char *name = luaL_checkstring(l, 1);
    lua_getfield(l, LUA_REGISTRYINDEX, "cargocd.modules");
    lua_getfield(l, -1, name);
    if (lua_isnil(l, -1))
        return luaL_error(l, "module %s not found", name);
    return 1;
}

/* Text only: bytecode is not checked by anybody. */
static int load_text(lua_State *l)
{
    size_t n;
    const char *text = luaL_checklstring(l, 1, &n);
    if (luaL_loadbufferx(l, text, n, luaL_optstring(l, 2, "=load"), "t") == 0)
        return 1;
    lua_pushnil(l);
    lua_insert(l, -2);
    return 2;
}

/* The handler is called when the failure is over: Lua would call it where it happened, which for a limit is a
 * place where no limit holds. */
static int call_protected(lua_State *l)
{
    luaL_checkany(l, 2);
    lua_settop(l, 2);
    lua_pushvalue(l, 1);
    bool good = lua_pcall(l, 0, LUA_MULTRET, 0) == 0;
    if (!good) {
        lua_pushvalue(l, 2);
        lua_insert(l, -2);
        lua_call(l, 1, 1);
    }
    lua_pushboolean(l, good);
    lua_replace(l, 2);
    return lua_gettop(l) - 1;
}

static void open_library(lua_State *l, lua_CFunction open, const char *name)
{
    lua_pushcfunction(l, open);
    lua_pushstring(l, name);
    lua_call(l, 1, 0);
}

static void open_libraries(lua_State *l, bool all)
{
    static const struct luaL_Reg os[] = {{"time", os_time}, {"date", os_date}, {NULL, NULL}};
    static const char *const gone[] = {"dofile", "loadfile", "collectgarbage", "newproxy",
                                       "gcinfo", "module",   "print",          "_VERSION"};
    static const char *const modules[] = {"table", "string", "math", "coroutine"};
    open_library(l, luaopen_base, "");
    open_library(l, luaopen_table, LUA_TABLIBNAME);
    if (all) {
        open_library(l, luaopen_string, LUA_STRLIBNAME);
        open_library(l, luaopen_math, LUA_MATHLIBNAME);
        lua_getglobal(l, "string");
        lua_pushnil(l);
        lua_setfield(l, -2, "dump");
        lua_pop(l, 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        lua_pushnil(l);
        lua_setglobal(l, gone[i]);
    }
    lua_createtable(l, 0, 8);
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        lua_getglobal(l, modules[i]);
        lua_setfield(l, -2, modules[i]);
    }
    lua_createtable(l, 0, 2);
    luaL_register(l, NULL, os);
    if (all) {
        lua_pushvalue(l, -1);
        lua_setglobal(l, "os");
    }
    lua_setfield(l, -2, "os");
    lua_setfield(l, LUA_REGISTRYINDEX, "cargocd.modules");
    lua_pushcfunction(l, require);
    lua_setglobal(l, "require");
    lua_pushcfunction(l, load_text);
    lua_setglobal(l, "load");
    lua_pushcfunction(l, load_text);
    lua_setglobal(l, "loadstring");
    lua_pushcfunction(l, call_protected);
    lua_setglobal(l, "xpcall");
}

/* ---- running ---- */

static int attempt(lua_State *l)
{
    const struct run *r = run_of(l);
    open_libraries(l, r->script->open_libs);
    /* Opening a library may turn the compiler on. */
    luaJIT_setmode(l, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_sethook(l, on_count, LUA_MASKCOUNT, STRIDE);
    script_push(l, r->object);
    lua_setglobal(l, "obj");
    if (r->params)
        script_push(l, r->params);
    else
        lua_newtable(l);
    lua_setglobal(l, "actionParams");
    if (luaL_loadbufferx(l, r->script->source, strlen(r->script->source), "=<string>", "t") != 0)
        return lua_error(l);
    lua_call(l, 0, 1);
    lua_setfield(l, LUA_REGISTRYINDEX, "cargocd.result");
    lua_sethook(l, NULL, 0, 0);
    return 0;
}

static int fail(lua_State *l, const struct run *r, err_t **err)
{
    const char *why = lua_type(l, -1) == LUA_TSTRING ? lua_tostring(l, -1) : "an error that is no text";
    if (r->over)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the script went over its limits: %.200s", why);
    return err_set(err, ERR_INVALID_ARGUMENT, "%.1000s", why);
}

static int take_result(lua_State *l, json_t **out, err_t **err)
{
    const char *problem = NULL;
    lua_getfield(l, LUA_REGISTRYINDEX, "cargocd.result");
    if (lua_isnil(l, -1))
        return 0;
    *out = script_pull(l, &problem);
    if (*out)
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "the Lua script returned what is no document: %s", problem);
}

int script_run(const struct script *s, const json_t *object, const json_t *params, json_t **out, err_t **err)
{
    struct run r = {.script = s, .object = object, .params = params, .left = SCRIPT_INSTRUCTIONS};
    *out = NULL;
    if (strlen(s->source) > SCRIPT_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the script is longer than %d bytes", SCRIPT_MAX);
    lua_State *l = lua_newstate(allocate, &r);
    if (!l)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "no memory for a script");
    int code = lua_cpcall(l, attempt, NULL) != 0 ? fail(l, &r, err) : take_result(l, out, err);
    lua_close(l);
    return code;
}

/* ---- bundled scripts ---- */

/* A state in which our own scripts stay. They leave nothing behind but garbage. */
struct script_host {
    lua_State *l;
    struct run run;
    const char *library;
    unsigned runs;
};

enum { RUNS_OF_A_STATE = 5000, RUNS_OF_GARBAGE = 50 };

script_host_t *script_host_new(void)
{
    return xcalloc(1, sizeof(script_host_t));
}

static void drop_state(script_host_t *h)
{
    if (h->l)
        lua_close(h->l);
    h->l = NULL;
}

void script_host_free(script_host_t *h)
{
    if (!h)
        return;
    drop_state(h);
    free(h);
}

/* Leaves the file's function on the stack. */
static void find_or_load(lua_State *l, const script_host_t *h)
{
    void *key = (void *)(uintptr_t)h->run.script->source;
    lua_pushlightuserdata(l, key);
    lua_rawget(l, LUA_REGISTRYINDEX);
    if (!lua_isnil(l, -1))
        return;
    lua_pop(l, 1);
    const char *const parts[] = {h->library, h->run.script->source,
                                 "local k = kinds return function(o) return (k[o.kind] or k['*'])(o) end"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (luaL_loadbufferx(l, parts[i], strlen(parts[i]), "=<bundled>", "t") != 0)
            lua_error(l);
        lua_call(l, 0, i + 1 == ARRAY_LEN(parts) ? 1 : 0);
    }
    lua_pushlightuserdata(l, key);
    lua_pushvalue(l, -2);
    lua_rawset(l, LUA_REGISTRYINDEX);
}

static int attempt_bundled(lua_State *l)
{
    script_host_t *h = CONTAINER_OF(run_of(l), script_host_t, run);
    if (h->runs == 0) {
        open_libraries(l, true);
        luaJIT_setmode(l, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    }
    lua_sethook(l, on_count, LUA_MASKCOUNT, STRIDE);
    find_or_load(l, h);
    script_push(l, h->run.object);
    lua_call(l, 1, 1);
    lua_setfield(l, LUA_REGISTRYINDEX, "cargocd.result");
    return 0;
}

int script_host_run(script_host_t *h, const struct script *s, const char *library, const json_t *object,
                    json_t **out, err_t **err)
{
    *out = NULL;
    if (h->runs >= RUNS_OF_A_STATE)
        drop_state(h);
    h->library = library;
    if (!h->l) {
        h->run = (struct run){};
        h->runs = 0;
        h->l = lua_newstate(allocate, &h->run);
        if (!h->l)
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "no memory for a script");
    }
    h->run = (struct run){.script = s, .object = object, .used = h->run.used, .left = SCRIPT_INSTRUCTIONS};
    if (lua_cpcall(h->l, attempt_bundled, NULL) != 0) {
        int code = fail(h->l, &h->run, err);
        drop_state(h);
        return code;
    }
    int code = take_result(h->l, out, err);
    lua_settop(h->l, 0);
    if (++h->runs % RUNS_OF_GARBAGE == 0)
        lua_gc(h->l, LUA_GCCOLLECT, 0);
    return code;
}

/* ---- health ---- */

int script_health_of(const json_t *value, struct health *out, err_t **err)
{
    static const char *const types[] = {[JSON_STRING] = "string",
                                        [JSON_INTEGER] = "number",
                                        [JSON_REAL] = "number",
                                        [JSON_TRUE] = "boolean",
                                        [JSON_FALSE] = "boolean"};
    *out = (struct health){.status = HEALTH_BLANK};
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_object(value) && !json_is_array(value))
        return err_set(err, ERR_INVALID_ARGUMENT, "expect table output from Lua script, not %s",
                       types[json_typeof(value)]);
    const json_t *status = json_object_get(value, "status"), *message = json_object_get(value, "message");
    if ((status && !json_is_string(status)) || (message && !json_is_string(message)))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the Lua script returned a status or message that is no text");
    enum health_status s = health_parse(json_string_value(status));
    bool invalid = s == HEALTH_UNKNOWN && !str_eq(json_string_value(status), health_name(s));
    const char *text = invalid ? "Lua returned an invalid health status" : json_string_value(message);
    *out = (struct health){s == HEALTH_NONE ? HEALTH_BLANK : s, str_empty(text) ? NULL : xstrdup(text)};
    return 0;
}
