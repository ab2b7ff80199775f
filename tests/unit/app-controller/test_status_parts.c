#include "app-controller/status_parts.h"
#include "tests/unit/golden.h"

static void links_lead_to_the_web_only(void **state)
{
    (void)state;
    AUTO_JSON app = json_of(
        "{\"metadata\":{\"annotations\":{\"link.argocd.argoproj.io/a\":\"javascript:alert(1)\","
        "\"link.argocd.argoproj.io/b\":\"docs|https://b\",\"link.argocd.argoproj.io/c\":\"https://c\","
        "\"link.argocd.argoproj.io/d\":\"https://x|data:text/html,x\",\"link.argocd.argoproj.io/e\":7,"
        "\"other\":\"https://o\"}}}");
    AUTO_JSON tree = json_of("{\"nodes\":[{\"networkingInfo\":{\"externalURLs\":[\"https://n\"]}}]}");
    AUTO_JSON want = json_of("{\"externalURLs\":[\"docs|https://b\",\"https://c\",\"https://n\"]}");
    AUTO_JSON have = status_summary(app, tree);
    assert_json_same(have, want, "summary");
}

TESTS(T(links_lead_to_the_web_only))
