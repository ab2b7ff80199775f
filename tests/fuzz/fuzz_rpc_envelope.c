/* What a peer sends: cut into messages (the first byte says how the stream falls into pieces), each decoded
 * as an envelope and its body as the largest request we have. */
#include "common/net/rpc_wire.h"

#include "proto/rpc/repo.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body(const ProtobufCBinaryData *b)
{
    ProtobufCMessage *m = NULL;
    if (rpc_unpack(&cargocd__repo__generate_manifest_request__descriptor, b->data, b->len, &m, NULL) == 0)
        protobuf_c_message_free_unpacked(m, NULL);
}

static void message(const unsigned char *p, size_t n)
{
    Cargocd__Rpc__Envelope *e = NULL;
    size_t trace = rpc_trace_size(p, n);
    if (!trace || rpc_envelope_read(p + trace, n - trace, &e, NULL) < 0)
        return;
    if (e->kind_case == CARGOCD__RPC__ENVELOPE__KIND_CALL)
        body(&e->call->body);
    if (e->kind_case == CARGOCD__RPC__ENVELOPE__KIND_REPLY && e->reply->error) {
        err_t *err = NULL;
        if (rpc_error_read(e->reply->error, &err) >= 0)
            abort();
        err_free(err);
    }
    rpc_envelope_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_reader r;
    if (size < 1)
        return 0;
    size_t step = (size_t)(data[0] & 0x7f) + 1;
    rpc_reader_init(&r, data[0] & 0x80, RPC_REQ);
    r.greeted = true;
    int got = 0;
    for (size_t at = 1; at < size && got >= 0;) {
        size_t room;
        unsigned char *to = rpc_reader_space(&r, &room);
        size_t n = min_size(min_size(room, step), size - at);
        memcpy(to, data + at, n);
        rpc_reader_added(&r, n);
        at += n;
        const unsigned char *p;
        while ((got = rpc_reader_next(&r, &p, &n, NULL)) > 0)
            message(p, n);
    }
    rpc_reader_dispose(&r);
    message(data, size);
    return 0;
}
