/* Archives from outside. Whatever comes, paths that are told are texts, sizes fit what is told, and nothing
 * is read past the limit. */
#include "common/base/tgz.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { LIMIT = 1 << 20 };

struct seen {
    uint64_t left, total;
};

static int on_entry(void *arg, const struct tgz_entry *e, err_t **err)
{
    struct seen *s = arg;
    REQUIRE(e->path && e->target && e->mode <= 07777);
    s->left = e->kind == TGZ_FILE ? e->size : 0;
    return 0;
}

static int on_data(void *arg, const void *p, size_t n, err_t **err)
{
    struct seen *s = arg;
    REQUIRE(n > 0 && n <= s->left);
    s->left -= n;
    s->total += n;
    REQUIRE(s->total <= LIMIT);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    struct tgz_reading reading = {on_entry, on_data, &s, LIMIT, 1000};
    AUTO_ERR err = NULL;
    int r = tgz_read(fd, &reading, &err);
    REQUIRE((r < 0) == (err != NULL));
    close(fd);
    return 0;
}
