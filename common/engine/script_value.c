#include "common/engine/script_value.h"

#include <luajit-2.1/lauxlib.h>

#include <math.h>

enum { PULL_DEPTH = 128, PULL_VALUES = 1 << 20 };

/* Lua's numbers are doubles: what a script reads is what JavaScript would. */
static void push_number(lua_State *l, const json_t *v)
{
    double d = 0;
    json_to_double(v, &d);
    lua_pushnumber(l, d);
}

void script_push(lua_State *l, const json_t *v)
{
    json_t *it_of = (json_t *)(uintptr_t)v;
    luaL_checkstack(l, 4, "the object is too deep");
    if (json_is_map(v)) {
        lua_createtable(l, 0, (int)json_object_size(v));
        for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
            lua_pushlstring(l, json_object_iter_key(it), json_object_iter_key_len(it));
            script_push(l, json_object_iter_value(it));
            lua_rawset(l, -3);
        }
    } else if (json_is_array(v)) {
        lua_createtable(l, (int)json_array_size(v), 0);
        for (size_t i = 0; i < json_array_size(v); i++) {
            script_push(l, json_array_get(v, i));
            lua_rawseti(l, -2, (int)i + 1);
        }
    } else if (json_is_any_number(v)) {
        push_number(l, v);
    } else if (json_is_string(v)) {
        lua_pushlstring(l, json_string_value(v), json_string_length(v));
    } else if (json_is_boolean(v)) {
        lua_pushboolean(l, json_is_true(v));
    } else {
        lua_pushnil(l);
    }
}

struct pull {
    lua_State *l;
    const char *problem;
    size_t left;
};

static json_t *pull_value(struct pull *p, int depth);

static json_t *refuse(struct pull *p, const char *problem)
{
    p->problem = problem;
    return NULL;
}

static json_t *pull_number(struct pull *p, double d)
{
    if (!isfinite(d))
        return refuse(p, "a number that is not finite");
    if (d == floor(d) && fabs(d) < 9007199254740992.0)
        return json_integer((json_int_t)d);
    return json_real(d);
}

static json_t *pull_text(struct pull *p)
{
    size_t n;
    const char *text = lua_tolstring(p->l, -1, &n);
    json_t *v = utf8_valid(text, n) ? json_stringn_nocheck(text, n) : NULL;
    return v ? v : refuse(p, "a text that is not UTF-8");
}

static json_t *pull_list(struct pull *p, size_t n, int depth)
{
    AUTO_JSON list = json_array();
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(p->l, -1, (int)i);
        json_t *item = pull_value(p, depth);
        lua_pop(p->l, 1);
        if (!item)
            return NULL;
        json_array_append_new(list, item);
    }
    return TAKE(list);
}

static json_t *pull_map(struct pull *p, int depth)
{
    AUTO_JSON map = json_object();
    lua_pushnil(p->l);
    while (lua_next(p->l, -2)) {
        size_t n;
        const char *key = lua_type(p->l, -2) == LUA_TSTRING ? lua_tolstring(p->l, -2, &n) : NULL;
        json_t *value = key && utf8_valid(key, n) ? pull_value(p, depth) : refuse(p, "a key that is no text");
        if (value && json_object_setn_new_nocheck(map, key, n, value))
            oom();
        if (!value) {
            lua_pop(p->l, 2);
            return NULL;
        }
        lua_pop(p->l, 1);
    }
    return TAKE(map);
}

static json_t *pull_value(struct pull *p, int depth)
{
    if (depth > PULL_DEPTH || p->left-- == 0 || !lua_checkstack(p->l, 6))
        return refuse(p, "too large or deep a table");
    switch (lua_type(p->l, -1)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(p->l, -1));
    case LUA_TNUMBER:
        return pull_number(p, lua_tonumber(p->l, -1));
    case LUA_TSTRING:
        return pull_text(p);
    case LUA_TTABLE: {
        size_t n = lua_objlen(p->l, -1);
        return n ? pull_list(p, n, depth + 1) : pull_map(p, depth + 1);
    }
    default:
        return refuse(p, lua_typename(p->l, lua_type(p->l, -1)));
    }
}

json_t *script_pull(lua_State *l, const char **problem)
{
    struct pull p = {.l = l, .left = PULL_VALUES};
    json_t *v = pull_value(&p, 0);
    *problem = p.problem;
    return v;
}
