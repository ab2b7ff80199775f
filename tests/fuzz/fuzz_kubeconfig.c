/* Kubeconfig documents, every context of them, and what credential plugins print. */
#include "tests/fuzz/fuzz.h"
#include "common/kube/auth.h"
#include "common/kube/config_doc.h"

static void select_all(const json_t *doc)
{
    const char *name;
    json_t *context;
    json_object_foreach(json_object_get(doc, "contexts"), name, context) {
        struct kube_config c, copy;
        if (kube_config_doc_select(doc, name, &c, NULL) < 0)
            continue;
        kube_config_copy(&copy, &c);
        kube_config_dispose(&c);
        kube_config_dispose(&copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ERR err = NULL;
    json_t *doc = NULL;
    struct kube_credential credential;
    /* Files that are named must not be there: the input decides what is read. */
    if (kube_config_doc_read((const char *)data, size, "/nonexistent", &doc, &err) == 0) {
        select_all(doc);
        kube_config_doc_merge(doc, doc);
        json_decref(doc);
    }
    if (kube_exec_read((const char *)data, size, "client.authentication.k8s.io/v1", &credential, NULL) == 0)
        kube_credential_dispose(&credential);
    return 0;
}
