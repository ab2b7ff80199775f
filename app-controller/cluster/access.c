#include "app-controller/cluster/access.h"

enum { MAX_ANSWER = 1 << 20 };

#define REVIEWS "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

static json_t *review_of(const struct kube_resource *r, const char *ns)
{
    json_t *attributes = json_object(), *spec = json_object(), *review = json_object();
    json_put_str(attributes, "namespace", ns);
    json_set_str(attributes, "verb", "list");
    json_put_str(attributes, "group", r->group);
    json_set_str(attributes, "resource", r->plural);
    json_object_set_new_nocheck(spec, "resourceAttributes", attributes);
    json_set_str(review, "apiVersion", "authorization.k8s.io/v1");
    json_set_str(review, "kind", "SelfSubjectAccessReview");
    json_object_set_new_nocheck(review, "spec", spec);
    return review;
}

static int ask(kube_t *k, const struct kube_resource *r, const char *ns, bool *allowed, err_t **err)
{
    AUTO_JSON review = review_of(r, ns);
    AUTO_JSON answer = NULL;
    AUTO(free_p) char *text = json_text(review, JSON_GO);
    AUTO_STR body = STR_MAX(MAX_ANSWER);
    if (kube_raw(k, "POST", REVIEWS, "application/json", text, strlen(text), NULL, &body, err) < 0 ||
        json_read(str_text(&body), body.len, &answer, err) < 0)
        return err_wrap(err, "access review");
    *allowed = json_is_true(json_at(answer, "status", "allowed"));
    return 0;
}

int access_may_list(kube_t *k, const struct kube_resource *r, char *const *namespaces, bool *allowed,
                    err_t **err)
{
    bool yes = false;
    int result = 0;
    if (!namespaces || !r->namespaced)
        result = ask(k, r, NULL, &yes, err);
    else
        for (; *namespaces && !yes && result == 0; namespaces++)
            result = ask(k, r, *namespaces, &yes, err);
    if (result == 0)
        *allowed = yes;
    return result;
}
