/* SPDX-License-Identifier: Apache-2.0 */
/* Part i belongs to thread i, so that the rows of one map that a thread has made are in its cache when it reads them
 * for the next. A part that its thread has not begun when the caller is done with its own, the caller takes over: a
 * thread that sleeps, or that the system has no time for, holds no other up. A thread that waits spins for a while, because the
 * next firing is about to come, and then sleeps. */
#define _GNU_SOURCE
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SPIN_NANOSECONDS = 100000, SPINS = 32 };

/* Where those sleep who wait for the same. */
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    _Atomic uint32_t sleepers;
} gate;

typedef struct helper {
    efm_threads *threads;
    uint32_t part;
    pthread_t thread;
} helper;

struct efm_threads {
    _Atomic uint32_t open; /* bit i: part i of the job is not begun */
    _Atomic uint32_t left; /* parts that are not made, of those after the first */
    _Atomic int ends;
    efm_work work;        /* the job; stays while parts are left */
    const void *job;
    gate posted, made;
    uint32_t count;
    int spins;             /* whether there is a core for each */
    pid_t process;
    helper helpers[EFM_MAX_WORKERS]; /* the caller's is not used */
};

typedef int condition(const efm_threads *threads, uint32_t part);

/* -- Waiting ---------------------------------------------------------------------------------------- */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int spin(const efm_threads *t, condition *is_so, uint32_t part)
{
    const int64_t end = t->spins ? nanoseconds() + SPIN_NANOSECONDS : 0;
    do {
        for (int i = 0; i < SPINS; i++) {
            if (is_so(t, part)) {
                return 1;
            }
            relax();
        }
    } while (t->spins && nanoseconds() < end);
    return 0;
}

/* A thread says that it sleeps, then looks once more; the thread that changes the condition looks for sleepers after it. */
static void wait_until(efm_threads *t, gate *g, condition *is_so, uint32_t part)
{
    if (spin(t, is_so, part)) {
        return;
    }
    pthread_mutex_lock(&g->mutex);
    atomic_fetch_add(&g->sleepers, 1);
    while (!is_so(t, part)) {
        pthread_cond_wait(&g->opened, &g->mutex);
    }
    atomic_fetch_sub(&g->sleepers, 1);
    pthread_mutex_unlock(&g->mutex);
}

static void wake(gate *g)
{
    if (atomic_load(&g->sleepers) > 0) {
        pthread_mutex_lock(&g->mutex);
        pthread_cond_broadcast(&g->opened);
        pthread_mutex_unlock(&g->mutex);
    }
}

/* -- Parts ------------------------------------------------------------------------------------------ */

static uint32_t bit(uint32_t part)
{
    return (uint32_t)1 << part;
}

static int is_wanted(const efm_threads *t, uint32_t part)
{
    return atomic_load(&t->ends) || (atomic_load(&t->open) & bit(part)) != 0;
}

static int is_made(const efm_threads *t, uint32_t part)
{
    (void)part;
    return atomic_load(&t->left) == 0;
}

/* Makes a part unless another thread has begun it. */
static void make(efm_threads *t, uint32_t part)
{
    if ((atomic_load(&t->open) & bit(part)) == 0 || (atomic_fetch_and(&t->open, ~bit(part)) & bit(part)) == 0) {
        return;
    }
    t->work(t->job, part);
    if (atomic_fetch_sub(&t->left, 1) == 1) {
        wake(&t->made);
    }
}

static void *help(void *argument)
{
    const helper *h = argument;
    while (!atomic_load(&h->threads->ends)) {
        wait_until(h->threads, &h->threads->posted, is_wanted, h->part);
        make(h->threads, h->part);
    }
    return NULL;
}

void efm_threads_share(void *threads, uint32_t parts, efm_work work, const void *job)
{
    efm_threads *t = threads;
    if (parts > t->count || t->process != getpid()) {
        for (uint32_t i = 0; i < parts; i++) {
            work(job, i);
        }
        return;
    }
    t->work = work;
    t->job = job;
    atomic_store(&t->left, parts - 1);
    atomic_store(&t->open, (uint32_t)(((uint64_t)1 << parts) - 2));
    wake(&t->posted);
    work(job, 0);
    for (uint32_t i = parts - 1; i > 0; i--) {
        make(t, i);
    }
    wait_until(t, &t->made, is_made, 0);
}

/* -- Beginning and end ------------------------------------------------------------------------------ */

static int has_cores(uint32_t count)
{
#if defined(__linux__)
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
        return (uint32_t)CPU_COUNT(&mine) >= count;
    }
#endif
    return sysconf(_SC_NPROCESSORS_ONLN) >= (long)count;
}

static void open_gate(gate *g)
{
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->opened, NULL);
}

static void close_gate(gate *g)
{
    pthread_cond_destroy(&g->opened);
    pthread_mutex_destroy(&g->mutex);
}

/* Signals are for the threads that the program has of its own. */
static void start_helpers(efm_threads *t, uint32_t count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (t->count = 1; t->count < count; t->count++) {
        helper *h = &t->helpers[t->count];
        h->threads = t;
        h->part = t->count;
        if (pthread_create(&h->thread, NULL, help, h) != 0) {
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

efm_threads *efm_threads_start(uint32_t count)
{
    efm_threads *t = calloc(1, sizeof *t);
    if (t != NULL) {
        open_gate(&t->posted);
        open_gate(&t->made);
        t->spins = has_cores(count);
        t->process = getpid();
        start_helpers(t, count < EFM_MAX_WORKERS ? count : EFM_MAX_WORKERS);
    }
    return t;
}

uint32_t efm_threads_count(const efm_threads *threads)
{
    return threads->count;
}

void efm_threads_stop(efm_threads *threads)
{
    if (threads == NULL || threads->process != getpid()) {
        return; /* a forked process has the memory but not the threads */
    }
    atomic_store(&threads->ends, 1);
    wake(&threads->posted);
    for (uint32_t i = 1; i < threads->count; i++) {
        pthread_join(threads->helpers[i].thread, NULL);
    }
    close_gate(&threads->made);
    close_gate(&threads->posted);
    free(threads);
}
