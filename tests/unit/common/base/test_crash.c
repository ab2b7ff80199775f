#include "tests/unit/test.h"
#include "common/base/crash.h"
#include "common/base/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *use_nothing(void *arg)
{
    *(volatile int *)arg = 1;
    return NULL;
}

static void *use_all_of_the_stack(void *arg)
{
    volatile char here[4096];
    here[0] = 1;
    return arg ? use_all_of_the_stack((void *)(uintptr_t)here) : (void *)(uintptr_t)here[0];
}

static void *give_up(void *arg)
{
    (void)arg;
    abort();
}

/* What a child says that dies in a thread of its own, and how it ended. */
static int last_word(void *(*fn)(void *), void *arg, char *text, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        crash_reports_start();
        pthread_join(thread_start("unlucky", fn, arg), NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t r; n < size - 1 && (r = read(ends[0], text + n, size - 1 - n)) > 0;)
        n += (size_t)r;
    text[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_crash_is_told(void **state)
{
    static const struct {
        void *(*fn)(void *);
        void *arg;
        int number;
        const char *said;
    } cases[] = {
        {use_nothing, (void *)0x10, SIGSEGV,
         "level=fatal msg=\"SIGSEGV at 0x10\" thread=\"unlucky\" version="},
        {use_all_of_the_stack, "", SIGSEGV, "level=fatal msg=\"SIGSEGV at 0x"},
        {give_up, NULL, SIGABRT, "level=fatal msg=\"SIGABRT\" thread=\"unlucky\" version="},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[16384];
        assert_int_equal(last_word(cases[i].fn, cases[i].arg, text, sizeof(text)), cases[i].number);
        /* The frames: a file, an offset and an address each. */
        if (!strstr(text, cases[i].said) || !strstr(text, "(+0x"))
            fail_msg("case %zu said: %s", i, text);
    }
}

TESTS(T(a_crash_is_told))
