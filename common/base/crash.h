/* A last word of a process that dies of its own fault: signal, address, thread and the frames of its stack go
 * to standard error, as offsets into its file (addr2line -e FILE OFFSET). Then the signal takes its course:
 * exit status and core dump are the system's. */
#ifndef CARGOCD_BASE_CRASH_H
#define CARGOCD_BASE_CRASH_H

/* For the process and its main thread. */
void crash_reports_start(void);

/* The calling thread can tell of a stack that overflowed, too, until crash_stack_free. NULL where reports
 * were not started, or there is no memory. */
void *crash_stack_new(void);
void crash_stack_free(void *stack);

#endif
