#include "common/net/rpc.h"
#include "common/net/rpc_processors.h"

#include <nng/nng.h>

enum { NNG_PROCESSORS = 2 };

void rpc_setup(void)
{
    nng_aio *aio = NULL;
    rpc_max_processors = NNG_PROCESSORS;
    if (nng_aio_alloc(&aio, NULL, NULL) == 0)
        nng_aio_free(aio); /* the first use starts its threads */
    rpc_max_processors = 0;
}
