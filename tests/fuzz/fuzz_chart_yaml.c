/* Chart.yaml: details are texts, dependencies a list; and the words that templates are searched for. */
#include "repo-server/helm/chart_yaml.h"
#include "repo-server/helm/helm.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON details = NULL;
    AUTO_JSON dependencies = NULL;
    struct capabilities c = {};
    const char *text = (const char *)data;
    if (size > 1 << 16)
        return 0;
    if (chart_yaml_details(text, size, &details, NULL) == 0) {
        const json_t *list = json_object_get(details, "maintainers");
        REQUIRE(json_is_map(details));
        for (size_t i = 0; i < json_array_size(list); i++)
            REQUIRE(json_is_string(json_array_get(list, i)));
    }
    if (chart_yaml_dependencies(text, size, &dependencies, NULL) == 0)
        REQUIRE(json_is_array(dependencies));
    capabilities_scan(&c, "Chart.yaml", text, size);
    capabilities_scan(&c, "charts/x.tgz", text, size);
    capabilities_dispose(&c);
    return 0;
}
