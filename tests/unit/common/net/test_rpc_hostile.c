/* Peers that send twice, leave early, read slowly, send nonsense, or are nng itself. */
#include "tests/unit/common/net/rpc_fixture.h"
#include "common/base/rand.h"
#include "common/net/rpc_wire.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- a peer of sockets and bytes ---- */

static int dial(const char *address)
{
    int fd;
    struct timeval tv = {.tv_sec = 10};
    if (str_has_prefix(address, "ipc://")) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", address + 6);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (void *)&a, sizeof(a)), 0);
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        a.sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (void *)&a, sizeof(a)), 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    return fd;
}

static void send_frame(int fd, struct rpc_frame *f_take)
{
    send(fd, f_take->data, f_take->n, MSG_NOSIGNAL);
    free(f_take);
}

static bool read_exactly(int fd, void *p, size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t r = read(fd, (char *)p + have, n - have);
        if (r <= 0)
            return false;
        have += (size_t)r;
    }
    return true;
}

static int greet(const char *address)
{
    int fd = dial(address);
    unsigned char hello[RPC_HELLO_SIZE];
    send_frame(fd, rpc_hello(RPC_REQ));
    assert_true(read_exactly(fd, hello, sizeof(hello)));
    assert_memory_equal(hello, "\0SP\0\0\x31\0\0", RPC_HELLO_SIZE);
    return fd;
}

/* The next reply's envelope, NULL at the end. */
static Cargocd__Rpc__Envelope *next_reply(int fd, uint32_t *number)
{
    unsigned char head[12];
    Cargocd__Rpc__Envelope *e = NULL;
    if (!read_exactly(fd, head, sizeof(head)))
        return NULL;
    size_t n = rpc_get32(head + 4) - 4;
    *number = rpc_get32(head + 8);
    AUTO(free_p) unsigned char *p = xmalloc(n + 1);
    assert_true(read_exactly(fd, p, n));
    e = cargocd__rpc__envelope__unpack(NULL, n, p);
    assert_non_null(e);
    return e;
}

static void send_call(int fd, uint32_t number, const char *id, const char *method, const char *text)
{
    blob_t in = BLOB(text, strlen(text));
    unsigned char trace[4], body[256];
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Call c = CARGOCD__RPC__CALL__INIT;
    rpc_put32(trace, number);
    c.method = (char *)method;
    c.body.data = body;
    c.body.len = protobuf_c_message_pack(&in.base, body);
    e.id.data = (uint8_t *)id;
    e.id.len = strlen(id);
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CALL;
    e.call = &c;
    send_frame(fd, rpc_frame(false, trace, sizeof(trace), &e));
}

static void duplicates_run_once(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    int a = greet(f.address), b = greet(f.address);
    /* Twice while it runs, from two connections; once more when it is done. */
    send_call(a, 0x80000001, "id-1", "test.Slow", "100");
    assert_true(wait_until(int_is_set, &handled, SECONDS(5)));
    send_call(a, 0x80000002, "id-1", "test.Slow", "100");
    send_call(b, 0x80000003, "id-1", "test.Slow", "100");
    const int from[] = {a, a, b, b};
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        uint32_t number = 0;
        if (i == 3)
            send_call(b, 0x80000004, "id-1", "test.Slow", "100");
        AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = next_reply(from[i], &number);
        assert_non_null(e);
        assert_int_equal(e->kind_case, CARGOCD__RPC__ENVELOPE__KIND_REPLY);
        assert_null(e->reply->error);
        assert_int_equal(e->reply->body.len, 5);
        assert_true(number >= 0x80000001 && number <= 0x80000004);
    }
    assert_int_equal(handled, 1);
    /* The first asker goes: the call goes on for the second one. */
    send_call(a, 0x80000005, "id-2", "test.Slow", "300");
    send_call(b, 0x80000006, "id-2", "test.Slow", "300");
    sleep_ns(MILLIS(100));
    close(a);
    uint32_t number = 0;
    AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = next_reply(b, &number);
    assert_true(e && !e->reply->error);
    assert_int_equal(canceled_seen, 0);
    close(b);
    end(&f);
}

/* Whatever arrives, the server stays, answers what it can, and others are served. */
static void nonsense(struct fixture *f, int round)
{
    int fd = greet(f->address);
    for (int i = 0; i < 20; i++) {
        unsigned char junk[256];
        size_t n = (size_t)random_below(sizeof(junk) - 8);
        random_bytes(junk, sizeof(junk));
        memset(junk, 0, 6);
        junk[6] = (unsigned char)(n >> 8);
        junk[7] = (unsigned char)n;
        if (round % 2)
            junk[8] |= 0x80; /* a good trace before a bad envelope */
        send(fd, junk, 8 + n, MSG_NOSIGNAL);
    }
    shutdown(fd, SHUT_WR);
    for (unsigned char c[4096]; read(fd, c, sizeof(c)) > 0;)
        ;
    close(fd);
}

/* A valid envelope with a few bytes changed. */
static void mutants(struct fixture *f)
{
    int fd = greet(f->address);
    for (int i = 0; i < 50; i++) {
        unsigned char trace[4] = {0x80, 0, 0, 1}, data[] = {10, 3, 'a', 'b', 'c'};
        Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
        Cargocd__Rpc__ChunkPut put = CARGOCD__RPC__CHUNK_PUT__INIT;
        put.total = i % 3 ? 5 : UINT64_MAX - (uint64_t)i;
        put.offset = (uint64_t)(i % 7) * (UINT64_MAX / 6);
        put.data.data = data;
        put.data.len = sizeof(data);
        e.id.data = (uint8_t *)"mutant";
        e.id.len = 6;
        e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CHUNK_PUT;
        e.chunk_put = &put;
        struct rpc_frame *frame = rpc_frame(false, trace, sizeof(trace), &e);
        for (int j = 0; j < i % 4; j++)
            frame->data[12 + random_below(frame->n - 12)] = (unsigned char)random_below(256);
        send_frame(fd, frame);
    }
    shutdown(fd, SHUT_WR);
    for (unsigned char c[4096]; read(fd, c, sizeof(c)) > 0;)
        ;
    close(fd);
}

static void nonsense_never_stops_the_server(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    for (int i = 0; i < 60; i++)
        nonsense(&f, i);
    for (int i = 0; i < 20; i++)
        mutants(&f);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    end(&f);
}

/* An envelope that is none is answered, so that a caller does not wait. */
static void malformed_envelopes_are_answered(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    int fd = greet(f.address);
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        {"\x80\0\0\1", 4},                           /* nothing */
        {"\x80\0\0\1\xff\xff", 6},                   /* no protobuf */
        {"\x80\0\0\1\x0a\x00\x12\x00", 8},           /* an empty id */
        {"\x80\0\0\1\x0a\x01x", 7},                  /* no kind */
        {"\x80\0\0\1\x0a\x01x\x32\x00", 9},          /* a reply */
        {"\0\0\0\7\x80\0\0\1\x0a\x01x", 11},         /* through a device */
        {"\x80\0\0\1\x0a\x01x\x22\x02\x08\x05", 11}, /* a piece of a reply that is not there */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char head[8] = {[7] = (unsigned char)cases[i].n}, size[8];
        assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
        assert_int_equal(write(fd, cases[i].bytes, cases[i].n), (ssize_t)cases[i].n);
        assert_true(read_exactly(fd, size, sizeof(size)));
        size_t n = rpc_get32(size + 4);
        AUTO(free_p) unsigned char *reply = xmalloc(n);
        assert_true(read_exactly(fd, reply, n));
        size_t trace = rpc_trace_size(reply, n);
        assert_int_equal(trace, rpc_trace_size((const unsigned char *)cases[i].bytes, cases[i].n));
        assert_memory_equal(reply, cases[i].bytes, trace);
        Cargocd__Rpc__Envelope *e = cargocd__rpc__envelope__unpack(NULL, n - trace, reply + trace);
        assert_true(e && e->kind_case == CARGOCD__RPC__ENVELOPE__KIND_REPLY && e->reply->error);
        rpc_envelope_free(e);
    }
    close(fd);
    end(&f);
}

/* nng's own ipc listener would not survive this. */
static void peers_that_leave_early(const char *address)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, address);
    for (int i = 0; i < 60; i++) {
        int fd = dial(f.address);
        if (i % 3 == 1)
            send(fd, "\0SP", 3, MSG_NOSIGNAL);
        if (i % 3 == 2)
            send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
        if (i % 2)
            sleep_ns(MILLIS(2));
        close(fd);
    }
    rpc_client_t *late = client_of(&f);
    ASSERT_OK(call_text(late, "test.Echo", "x", &err));
    rpc_client_free(late);
    end(&f);
}

static void early_leavers(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    AUTO(free_p) char *address = xasprintf("ipc://%s/s.sock", dir);
    peers_that_leave_early(address);
    peers_that_leave_early("tcp://127.0.0.1:0");
    dir_remove(dir, NULL);
}

/* A peer that asks and never reads: its replies wait, ours do not. */
static void slow_reader(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    int fd = greet(f.address);
    for (uint32_t i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof(id), "slow-%u", i);
        send_call(fd, 0x80000000 | i, id, "test.Make", "1000000");
    }
    for (int i = 0; i < 20; i++)
        ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t number;
        AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = next_reply(fd, &number);
        assert_true(e && !e->reply->error);
        assert_true(e->reply->body.len > 1000000);
    }
    close(fd);
    end(&f);
}

/* A server that is not one: the client does not crash, does not hang, and says so. */
static void *bad_server(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0;; i++) {
        AUTO(close_p) int peer = accept(fd, NULL, NULL);
        if (peer < 0)
            return NULL;
        unsigned char junk[600] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
        random_bytes(junk + 8, sizeof(junk) - 8);
        if (i % 2)
            memset(junk + 8, 0, 7);
        send(peer, junk, i % 3 ? sizeof(junk) : 5, MSG_NOSIGNAL);
    }
}

static void nonsense_from_the_server(void **state)
{
    AUTO_ERR err = NULL;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (void *)&a, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (void *)&a, &len);
    struct fixture f = {.address = xasprintf("tcp://127.0.0.1:%d", ntohs(a.sin_port))};
    pthread_t t = thread_start("bad", bad_server, &fd);
    f.client = client_of(&f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(f.client, "test.Echo", "x", 1, MILLIS(400), NULL, &err), -ERR_UNAVAILABLE);
    rpc_client_free(f.client);
    shutdown(fd, SHUT_RDWR);
    pthread_join(t, NULL);
    close(fd);
    free(f.address);
}

/* ---- nng itself ---- */

static void nng_asks_us(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    nng_socket s;
    assert_int_equal(nng_req0_open(&s), 0);
    nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, 5000);
    assert_int_equal(nng_dial(s, f.address, NULL, 0), 0);
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Call c = CARGOCD__RPC__CALL__INIT;
    e.id.data = (uint8_t *)"nng";
    e.id.len = 3;
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CALL;
    e.call = &c;
    unsigned char request[64], *reply = NULL;
    size_t n = cargocd__rpc__envelope__pack(&e, request);
    assert_int_equal(nng_send(s, request, n, 0), 0);
    assert_int_equal(nng_recv(s, &reply, &n, NNG_FLAG_ALLOC), 0);
    Cargocd__Rpc__Envelope *got = cargocd__rpc__envelope__unpack(NULL, n, reply);
    assert_true(got && got->kind_case == CARGOCD__RPC__ENVELOPE__KIND_REPLY && !got->reply->error);
    rpc_envelope_free(got);
    nng_free(reply, n);
    nng_close(s);
    end(&f);
}

static void *nng_server(void *arg)
{
    nng_socket s = *(nng_socket *)arg;
    unsigned char *p = NULL, out[64];
    size_t n;
    if (nng_recv(s, &p, &n, NNG_FLAG_ALLOC) != 0)
        return NULL;
    Cargocd__Rpc__Envelope *e = cargocd__rpc__envelope__unpack(NULL, n, p);
    Cargocd__Rpc__Envelope r = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Reply reply = CARGOCD__RPC__REPLY__INIT;
    r.id = e->id;
    r.kind_case = CARGOCD__RPC__ENVELOPE__KIND_REPLY;
    r.reply = &reply;
    nng_send(s, out, cargocd__rpc__envelope__pack(&r, out), 0);
    rpc_envelope_free(e);
    nng_free(p, n);
    return NULL;
}

static bool is_connected(void *arg)
{
    return rpc_client_connected(arg);
}

static void we_ask_nng(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = temp_dir();
    struct fixture f = {.address = xasprintf("ipc://%s/nng.sock", dir)};
    nng_socket s;
    assert_int_equal(nng_rep0_open(&s), 0);
    nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, 5000);
    assert_int_equal(nng_listen(s, f.address, NULL, 0), 0);
    pthread_t t = thread_start("nng", nng_server, &s);
    f.client = client_of(&f);
    assert_true(wait_until(is_connected, f.client, SECONDS(5)));
    ASSERT_OK(rpc_health(f.client, SECONDS(5), &err));
    pthread_join(t, NULL);
    rpc_client_free(f.client);
    nng_close(s);
    free(f.address);
    dir_remove(dir, NULL);
}

TESTS_OR_SERVE(T(duplicates_run_once), T(nonsense_never_stops_the_server),
               T(malformed_envelopes_are_answered), T(early_leavers), T(slow_reader),
               T(nonsense_from_the_server), T(nng_asks_us), T(we_ask_nng))
