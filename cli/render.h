/* The command `render`. */
#ifndef CARGOCD_CLI_RENDER_H
#define CARGOCD_CLI_RENDER_H

#include "cli/run.h"

/* RUN_RENDER, or the exit status for wrong use. */
int render(struct run *r, err_t **err);
/* The words that cargocd-render is to be started with, after RUN_RENDER. */
char **render_words(void);

#endif
