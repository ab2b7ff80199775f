/* nng 1.5.2 starts, when it is first used, two threads of work and one of timers for each processor online
 * (88 threads on a machine with 64), and has no setting for it. It asks sysconf(3), and a symbol of the
 * program goes before one of the C library. So this file defines sysconf: it answers what the C library
 * answers, except on a thread that asked for less (rpc_setup does, while it starts nng). Where a program does
 * not export the symbol, only the limit is lost.
 *
 * The file stands alone because a linker takes it from the archive for any program that calls sysconf. */
#include "common/net/rpc_processors.h"

#include <unistd.h>

__thread long rpc_max_processors;

/* The C library's own name for it. */
extern long __sysconf(int name);

__attribute__((visibility("default"))) long sysconf(int name)
{
    long n = __sysconf(name);
    if (name == _SC_NPROCESSORS_ONLN && rpc_max_processors && n > rpc_max_processors)
        return rpc_max_processors;
    return n;
}
