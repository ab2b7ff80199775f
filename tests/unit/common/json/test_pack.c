#include "common/json/pack.h"
#include "common/json/pack_dictionary.h"
#include "tests/unit/test.h"

static void texts_come_back(void **state)
{
    (void)state;
    char text[5000];
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof(text); i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[i] = (char)(seed >> 40); /* what does not compress */
    }
    for (size_t n = 0; n < sizeof(text); n += n < 300 ? 1 : 97) {
        for (int kind = 0; kind < 2; kind++) {
            const char *p = kind ? pack_dictionary : text;
            AUTO(pack_free_p) pack_t *pack = pack_bytes(p, n);
            AUTO_STR out = STR_INIT;
            pack_read(pack, &out);
            assert_int_equal(out.len, n);
            assert_memory_equal(str_text(&out), p, n);
            assert_true(pack_size(pack) <= n + 32);
            pack_t *plain = pack_plain(p, n);
            assert_true(pack_hash(plain) == pack_hash(pack));
            plain = pack_tighten(plain);
            AUTO_STR again = STR_INIT;
            pack_read(plain, &again);
            assert_int_equal(again.len, n);
            assert_memory_equal(str_text(&again), p, n);
            assert_true(pack_size(plain) == pack_size(pack));
            pack_free(plain);
        }
    }
}

static void documents_of_a_cluster_are_small(void **state)
{
    (void)state;
    AUTO_JSON doc = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(
        json_read_str("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"creationTimestamp\":"
                      "\"2026-11-23T11:36:43Z\","
                      "\"name\":\"settings\",\"namespace\":\"shop\",\"resourceVersion\":\"349\",\"uid\":"
                      "\"441cee5e-cc24-4056-a87f-265ab0831172\"},\"data\":{\"mode\":\"fast\"}}",
                      &doc, &err));
    AUTO(pack_free_p) pack_t *pack = pack_json(doc);
    AUTO(free_p) char *text = json_text(doc, JSON_KEEP_ORDER);
    assert_true(pack_size(pack) < strlen(text) * 3 / 4);
    AUTO_JSON back = pack_open(pack);
    assert_true(json_same(doc, back));
}

static void equal_packs_have_equal_hashes(void **state)
{
    (void)state;
    AUTO(pack_free_p)
    pack_t *a = pack_bytes("some text", 9), *b = pack_bytes("some text", 9), *c = pack_bytes("some tex", 8);
    assert_true(pack_hash(a) == pack_hash(b));
    assert_true(pack_hash(a) != pack_hash(c));
    AUTO(pack_free_p) pack_t *again = pack_copy(a);
    assert_ptr_equal(again, a);
    assert_null(pack_open(NULL));
    assert_null(pack_tighten(NULL));
}

TESTS(T(texts_come_back), T(documents_of_a_cluster_are_small), T(equal_packs_have_equal_hashes))
