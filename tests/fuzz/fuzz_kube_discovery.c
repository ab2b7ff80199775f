/* Both forms of discovery documents. Every resource that comes out can be asked for. */
#include "tests/fuzz/fuzz.h"
#include "common/json/json.h"
#include "common/kube/discovery.h"

static void check(struct kube_found *f)
{
    for (size_t i = 0; i < f->resources.n; i++) {
        const struct kube_resource *r = &f->resources.v[i];
        REQUIRE(!str_empty(r->kind) && !str_empty(r->plural) && !str_empty(r->version) && r->group);
        REQUIRE(!strchr(r->plural, '/'));
    }
    kube_found_dispose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON doc = NULL;
    AUTO_STR stale = STR_MAX(1 << 16);
    if (json_read((const char *)data, size, &doc, NULL) < 0)
        return 0;
    struct kube_found list = {}, aggregated = {};
    kube_found_list(&list, doc, "apps", "v1", true);
    check(&list);
    kube_is_aggregated(doc);
    kube_found_aggregated(&aggregated, doc, &stale);
    check(&aggregated);
    return 0;
}
