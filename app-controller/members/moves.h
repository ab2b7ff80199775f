/* Applications that change hands without a new plan: their destination has become another replica's.
 *
 * Both replicas learn of that by watches of their own, and whoever gains one may hear of it first. So it
 * asks: its Lease names the application and the version that it has seen. Each other replica looks at least
 * at that version, lets go, waits until its work has ended, and says in its own Lease that it has answered
 * the question, by number. When all have, the asker works it. Who dies is no longer waited for; its lease
 * runs out. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_MOVES_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_MOVES_H

#include "common/base/map.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

struct move {
    char *key, *rv;
    uint64_t number; /* of its question; they only grow, also from one life of the process to the next */
};
struct moves {
    lock_t lock; /* guards what follows */
    VEC(struct move) asked;
    uint64_t number, written; /* of the last question; that our Lease carries */
    map_t given;              /* k: a replica's name, v: uint64_t *, the number of its question */
    bool changed;             /* our Lease does not say all of this yet */
};
void moves_init(struct moves *m);
void moves_dispose(struct moves *m);

/* Asks for an application ("namespace/name") as of a version; again: for the newer one. */
void moves_ask(struct moves *m, const char *key, const char *rv);
void moves_withdraw(struct moves *m, const char *key);
bool moves_pending(struct moves *m);

/* What our Lease is to say: the question, "<number> <key>=<version> …", and the answers, "<name>=<number> …";
 * the caller's. At most 100 KiB of each: what does not fit is asked later. *number is for moves_wrote. */
char *moves_question(struct moves *m, uint64_t *number) MUST_USE;
char *moves_answers(struct moves *m) MUST_USE;
/* The Lease says so now. */
void moves_wrote(struct moves *m, uint64_t number);
/* Whether it is to be written. */
bool moves_unwritten(struct moves *m);

/* Answers another's question unless that has been done. let_go: false as long as it is worked here. */
void moves_answer(struct moves *m, const char *name, const char *question,
                  bool (*let_go)(void *ctx, const char *key, const char *rv), void *ctx);
/* The number of the last question; 0: none was asked. */
uint64_t moves_last(struct moves *m);
/* The number of our question that another's answers tell of; 0: none. */
uint64_t moves_answered(const char *answers, const char *name);
/* Takes out the applications of the questions up to this number: keys, the caller's (strv). */
char **moves_take(struct moves *m, uint64_t answered) MUST_USE;

#endif
