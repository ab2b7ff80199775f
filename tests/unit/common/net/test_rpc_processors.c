#include "tests/unit/test.h"
#include "common/net/rpc.h"
#include "common/net/rpc_processors.h"

#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

static int asked;

/* In place of the C library's: a machine with 64 processors. The sanitizers call it early, too. */
long __sysconf(int name);
long __sysconf(int name)
{
    if (name == _SC_NPROCESSORS_ONLN)
        return asked++, 64;
    return ((long (*)(int))dlsym(RTLD_NEXT, "__sysconf"))(name);
}

static int threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void only_the_one_who_asks_sees_fewer(void **state)
{
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), 64);
    rpc_max_processors = 3;
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), 3);
    assert_int_equal(sysconf(_SC_PAGESIZE), getpagesize());
    rpc_max_processors = 100;
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), 64);
    rpc_max_processors = 0;
}

/* nng would start 88 threads. */
static void nng_starts_few_threads(void **state)
{
    int before = threads();
    asked = 0;
    rpc_setup();
    assert_true(asked > 0); /* it did ask here */
    assert_in_range(threads() - before, 5, 16);
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), 64);
}

TESTS(T(only_the_one_who_asks_sees_fewer), T(nng_starts_few_threads))
