#include "tests/unit/test.h"
#include "common/base/rand.h"
#include "common/net/rpc_wire.h"

#include "proto/rpc/controller.pb-c.h"
#include "proto/rpc/repo.pb-c.h"

/* ---- framing ---- */

static struct rpc_frame *frame_of(bool ipc, size_t size)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Call c = CARGOCD__RPC__CALL__INIT;
    AUTO(free_p) uint8_t *body = xcalloc(1, size + 1);
    e.id.data = (uint8_t *)"id";
    e.id.len = 2;
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CALL;
    e.call = &c;
    c.method = "m";
    c.body.data = body;
    c.body.len = size;
    return rpc_frame(ipc, "\x80\0\0\1", 4, &e);
}

/* Frames of many sizes, handed in by pieces of `step` bytes, come out whole. */
static void cut(bool ipc, size_t step)
{
    AUTO_ERR err = NULL;
    static const size_t sizes[] = {0, 1, 100, 4000, 4080, 4090, 4096, 5000, 70000, 3};
    AUTO_STR stream = {};
    struct rpc_reader r;
    rpc_reader_init(&r, ipc, RPC_REQ);
    AUTO(free_p) struct rpc_frame *hello = rpc_hello(RPC_REQ);
    str_add(&stream, hello->data, hello->n);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO(free_p) struct rpc_frame *f = frame_of(ipc, sizes[i]);
        str_add(&stream, f->data, f->n);
    }
    size_t seen = 0;
    for (size_t at = 0; at < stream.len;) {
        size_t room;
        unsigned char *p = rpc_reader_space(&r, &room);
        assert_true(room > 0);
        size_t n = min_size(min_size(room, step), stream.len - at);
        memcpy(p, stream.p + at, n);
        at += n;
        rpc_reader_added(&r, n);
        const unsigned char *message;
        size_t size;
        int got;
        while ((got = rpc_reader_next(&r, &message, &size, &err)) > 0) {
            Cargocd__Rpc__Envelope *e = NULL;
            assert_int_equal(rpc_trace_size(message, size), 4);
            ASSERT_OK(rpc_envelope_read(message + 4, size - 4, &e, &err));
            assert_int_equal(e->call->body.len, sizes[seen++]);
            rpc_envelope_free(e);
        }
        ASSERT_OK(got);
    }
    assert_int_equal(seen, ARRAY_LEN(sizes));
    rpc_reader_dispose(&r);
}

static void frames_are_cut(void **state)
{
    static const size_t steps[] = {1, 2, 7, 8, 9, 100, 4095, 4096, 100000};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        cut(false, steps[i]);
        cut(true, steps[i]);
    }
}

static void bad_streams_end(void **state)
{
    static const struct {
        bool ipc;
        const char *bytes;
        size_t n;
        enum err_code code;
    } cases[] = {
        {false, "GET / HTTP/1.1\r\n", 16, ERR_INVALID_ARGUMENT},
        {false, "\0SP\0\0\x31\0\0", 8, ERR_INVALID_ARGUMENT}, /* a replier, not a requester */
        {false, "\0SP\1\0\x30\0\0", 8, ERR_INVALID_ARGUMENT},
        {false, "\0SP\0\0\x30\0\1", 8, ERR_INVALID_ARGUMENT},
        {false, "\0SP\0\0\x30\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, ERR_RESOURCE_EXHAUSTED},
        {false, "\0SP\0\0\x30\0\0\0\0\0\0\0\x11\0\1", 16, ERR_RESOURCE_EXHAUSTED},
        {true, "\0SP\0\0\x30\0\0\2\0\0\0\0\0\0\0\0", 17, ERR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct rpc_reader r;
        const unsigned char *p;
        size_t n;
        rpc_reader_init(&r, cases[i].ipc, RPC_REQ);
        memcpy(rpc_reader_space(&r, &n), cases[i].bytes, cases[i].n);
        rpc_reader_added(&r, cases[i].n);
        assert_int_equal(rpc_reader_next(&r, &p, &n, &err), -(int)cases[i].code);
        rpc_reader_dispose(&r);
    }
}

static void traces(void **state)
{
    static const struct {
        const char *bytes;
        size_t n, want;
    } cases[] = {
        {"", 0, 0},
        {"\x80\0\0", 3, 0},
        {"\x80\0\0\1", 4, 4},
        {"\0\0\0\1\x80\0\0\2xx", 10, 8},
        {"\0\0\0\1\0\0\0\2", 8, 0},
        {"\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\x80\0\0\0", 36, 36},
        {"\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\x80\0\0\0", 40, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(rpc_trace_size((const unsigned char *)cases[i].bytes, cases[i].n), cases[i].want);
}

/* ---- decoding ---- */

/* Two bytes for an element that takes a hundred in memory. */
static void short_messages_do_not_take_much_memory(void **state)
{
    AUTO_ERR err = NULL;
    size_t n = 8 << 20;
    AUTO(free_p) unsigned char *p = xmalloc(n);
    for (size_t i = 0; i < n; i += 2) {
        p[i] = 13 << 3 | 2; /* helm_repos: an empty Repository */
        p[i + 1] = 0;
    }
    ProtobufCMessage *m = NULL;
    assert_int_equal(rpc_unpack(&cargocd__repo__generate_manifest_request__descriptor, p, n, &m, &err),
                     -ERR_INVALID_ARGUMENT);
    assert_null(m);
    /* A thousand of them, and a hundred thousand short strings, are nothing unusual. */
    err_clear(&err);
    ASSERT_OK(rpc_unpack(&cargocd__repo__generate_manifest_request__descriptor, p, 200, &m, &err));
    assert_int_equal(((Cargocd__Repo__GenerateManifestRequest *)m)->n_helm_repos, 100);
    protobuf_c_message_free_unpacked(m, NULL);
    for (size_t i = 0; i < 400000; i += 4)
        memcpy(p + i, "\x0a\2ab", 4);
    ASSERT_OK(rpc_unpack(&cargocd__repo__get_directories_response__descriptor, p, 400000, &m, &err));
    assert_int_equal(((Cargocd__Repo__GetDirectoriesResponse *)m)->n_paths, 100000);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void envelopes_that_are_none(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool good;
    } cases[] = {
        {"", 0, false},
        {"\x0a\1x", 3, false},
        {"\x0a\0\x1a\0", 4, false},
        {"\x0a\1x\x1a\0", 5, true},
        {"\x0a\1x\x1a\5", 5, false},
        {"\x0a\1x\x1a\0\x7a\0", 7, true}, /* a field of the future */
        {"\x0a\x41xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x1a\0", 69, false},
        {"\x0a\x40xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x1a\0", 68, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        Cargocd__Rpc__Envelope *e = NULL;
        int r = rpc_envelope_read(cases[i].bytes, cases[i].n, &e, &err);
        assert_int_equal(r, cases[i].good ? 0 : -ERR_INVALID_ARGUMENT);
        rpc_envelope_free(e);
    }
}

static void random_bytes_never_crash(void **state)
{
    for (int i = 0; i < 20000; i++) {
        unsigned char p[64];
        size_t n = (size_t)random_below(sizeof(p));
        Cargocd__Rpc__Envelope *e = NULL;
        random_bytes(p, sizeof(p));
        if (i % 2)
            memcpy(p, "\x0a\1x", 3);
        if (rpc_envelope_read(p, n, &e, NULL) == 0)
            rpc_envelope_free(e);
    }
}

static void errors_travel(void **state)
{
    static const struct {
        int32_t code;
        enum err_code want;
    } cases[] = {{5, ERR_NOT_FOUND},
                 {16, ERR_UNAUTHENTICATED},
                 {0, ERR_UNKNOWN},
                 {-1, ERR_UNKNOWN},
                 {17, ERR_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        Cargocd__Rpc__Error e = CARGOCD__RPC__ERROR__INIT;
        e.code = cases[i].code;
        e.text = "what happened";
        assert_int_equal(rpc_error_read(&e, &err), -(int)cases[i].want);
        assert_string_equal(err_text(err), "what happened");
    }
}

TESTS(T(frames_are_cut), T(bad_streams_end), T(traces), T(short_messages_do_not_take_much_memory),
      T(envelopes_that_are_none), T(random_bytes_never_crash), T(errors_travel))
