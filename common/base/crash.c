/* What runs here runs in a process whose memory may be in any state: only calls that are safe in a signal
 * handler, and backtrace, which is once it has been called before. */
#include "common/base/crash.h"
#include "common/base/base.h"

#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK = 64 << 10, FRAMES = 48 };

static bool started;

struct line {
    char text[256];
    size_t n;
};

static void add(struct line *l, const char *s)
{
    while (*s && l->n < sizeof(l->text))
        l->text[l->n++] = *s++;
}

static void add_hex(struct line *l, uintptr_t v)
{
    char digits[2 * sizeof(v) + 1], *p = digits + sizeof(digits) - 1;
    *p = 0;
    do
        *--p = "0123456789abcdef"[v & 15];
    while (v >>= 4);
    add(l, "0x");
    add(l, p);
}

static const char *name_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    default:
        return "SIGABRT";
    }
}

static void report(int number, siginfo_t *info, void *context)
{
    (void)context;
    struct line l = {};
    char thread[16] = "";
    pthread_getname_np(pthread_self(), thread, sizeof(thread));
    add(&l, "level=fatal msg=\"");
    add(&l, name_of(number));
    if (number != SIGABRT) {
        add(&l, " at ");
        add_hex(&l, (uintptr_t)info->si_addr);
    }
    add(&l, "\" thread=\"");
    add(&l, thread);
    add(&l, "\" version=" CARGOCD_VERSION "\n");
    void *frames[FRAMES];
    if (write(STDERR_FILENO, l.text, l.n) > 0)
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
    raise(number); /* its default by now, delivered when this returns */
}

void crash_reports_start(void)
{
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs */
    started = true;
    crash_stack_new(); /* of the main thread, for good */
    struct sigaction act = {.sa_sigaction = report, .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_ONSTACK};
    sigemptyset(&act.sa_mask);
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaction(numbers[i], &act, NULL);
}

void *crash_stack_new(void)
{
    if (!started)
        return NULL;
    void *p = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    sigaltstack(&(stack_t){.ss_sp = p, .ss_size = STACK}, NULL);
    return p;
}

void crash_stack_free(void *stack)
{
    if (!stack)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(stack, STACK);
}
