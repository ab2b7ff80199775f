/* "headers NUL body": an answer that is no success becomes an error, whatever it is. */
#include "tests/fuzz/fuzz.h"
#include "common/kube/kube.h"
#include "common/kube/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int status = 300 + data[0];
    data++;
    size--;
    AUTO(free_p) char *head = take_text(&data, &size);
    AUTO_STR headers = STR_INIT, warnings = STR_INIT;
    str_puts(&headers, head);
    struct kube_failure failure = {};
    AUTO_ERR err = NULL;
    REQUIRE(kube_status_error(status, &headers, (const char *)data, size, "GET /", &failure, &err) < 0);
    REQUIRE(err && failure.http_status == status && failure.retry_after_ns >= 0);
    kube_failure_dispose(&failure);
    kube_warnings(&headers, &warnings);
    return 0;
}
