/* How many processors nng believes in. Internal to common/net. */
#ifndef CARGOCD_NET_RPC_PROCESSORS_H
#define CARGOCD_NET_RPC_PROCESSORS_H

/* While it is not 0, sysconf(_SC_NPROCESSORS_ONLN) answers no more than it on this thread. */
extern __thread long rpc_max_processors;

#endif
