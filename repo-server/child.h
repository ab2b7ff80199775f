/* Work that is done by the daemon's own binary started again: what needs much memory for a short time, or
 * meets bytes from outside in code that is not ours. */
#ifndef CARGOCD_REPO_CHILD_H
#define CARGOCD_REPO_CHILD_H

/* To be called first in main, also of other programs that link the archive `repo`. Returns -1 when argv[1]
 * names no such role, else the exit status. */
int repo_child_main(int argc, char **argv);

#endif
