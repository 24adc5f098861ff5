/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for one inference on a host with several cores: the efm_workers of POSIX systems. */
#ifndef EFM_THREADS_H
#define EFM_THREADS_H

#include "edgefm.h"

typedef struct efm_threads efm_threads;

/* `count` threads, 1 .. EFM_MAX_WORKERS, of which the caller of efm_run() is one; fewer where the system gives fewer,
   null where there is no memory. */
efm_threads *efm_threads_start(uint32_t count);

uint32_t efm_threads_count(const efm_threads *threads);

/* The share() of efm_workers, whose context is `threads`. In a process that was forked off later, where these
   threads are not, the caller does it all. */
void efm_threads_share(void *threads, uint32_t parts, efm_work work, const void *job);

/* Ends them; null is allowed. */
void efm_threads_stop(efm_threads *threads);

#endif
