/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a firing are runs of its rows, of CONV runs of its pixels: what they write lies apart, and what they read
 * was there before. Each works in scratch of its own, which the host lends and no package can reach. There is no lock
 * here: the host's share() returns when all parts are made. */
#include "share.h"

#include <stddef.h>

#include "edgefm_bytes.h"
#include "ops/convolution.h"

#if EFM_WITH_WORKERS

enum { WORK_OF_VALUE = 8 /* of an output, besides its multiply-adds */ };

typedef struct job {
    const efm_workers *workers;
    const efm_op_class *entry;
    const efm_op_args *args;
    uint32_t units, parts;
} job;

static int has_pixels(const efm_op_class *entry)
{
    return entry->id == EFM_OP_CONV;
}

/* Multiply-adds of an output pixel. */
static uint64_t products_of(const efm_op_class *entry, const efm_op_args *args)
{
    const uint64_t channels = args->out[0].channels;
    efm_window w;
    if (entry->id == EFM_OP_MATMUL) {
        return channels * args->in[0].channels;
    }
    if (entry->id != EFM_OP_CONV && entry->id != EFM_OP_DEPTHWISE) {
        return 0;
    }
    efm_window_read(args, &w);
    return channels * w.kernel_h * w.kernel_w * (entry->id == EFM_OP_CONV ? args->in[0].channels : 1);
}

/* How many parts a firing of `units` rows or pixels is worth. */
static uint32_t parts_of(const efm_workers *workers, const efm_op_class *entry, const efm_op_args *args, uint32_t units)
{
    const uint64_t pixels = (uint64_t)args->count * args->out[0].width;
    const uint64_t each = products_of(entry, args) + (uint64_t)WORK_OF_VALUE * args->out[0].channels;
    const uint64_t worth = pixels * each / EFM_LEAST_WORK;
    uint32_t parts = workers->count < units ? workers->count : units;
    return worth < parts ? (uint32_t)worth : parts;
}

static uint32_t begin_of(const job *j, uint32_t part)
{
    return (uint32_t)((uint64_t)j->units * part / j->parts);
}

static void count_products(const job *j, uint32_t part, uint32_t units)
{
    const uint64_t pixels = (uint64_t)units * (has_pixels(j->entry) ? 1 : j->args->out[0].width);
    if (j->workers->products != NULL) {
        j->workers->products[part] += pixels * products_of(j->entry, j->args);
    }
}

static void make_part(const void *context, uint32_t part)
{
    const job *j = context;
    const uint32_t begin = begin_of(j, part), units = begin_of(j, part + 1) - begin, width = j->args->out[0].width;
    efm_op_args args = *j->args;
    args.scratch = j->workers->scratch + (size_t)part * j->workers->scratch_bytes;
    if (has_pixels(j->entry)) {
        args.first += begin / width;
        args.x = begin % width;
        args.pixels = units;
    } else {
        args.first += begin;
        args.count = units;
    }
    j->entry->run(&args);
    count_products(j, part, units);
}

void efm_share(const efm_workers *workers, const efm_op_class *entry, const efm_op_args *args)
{
    job j = {workers, entry, args, args->count, 1};
    if (workers == NULL) {
        entry->run(args);
        return;
    }
    if (has_pixels(entry)) {
        j.units *= args->out[0].width;
    }
    if (entry->flags & EFM_OP_SHARES) {
        j.parts = parts_of(workers, entry, args, j.units);
    }
    if (j.parts > 1) {
        workers->share(workers->context, j.parts, make_part, &j);
    } else {
        j.parts = 1;
        entry->run(args);
        count_products(&j, 0, j.units);
    }
}

uint32_t efm_model_worker_bytes(const efm_model *model)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        efm_op_view op;
        efm_model_op(model, i, &op);
        const efm_op_class *entry = efm_op_find(op.kind);
        if (entry != NULL && entry->flags & EFM_OP_SHARES && op.args.scratch_bytes > most) {
            most = op.args.scratch_bytes;
        }
    }
    return efm_scratch_part(most);
}

efm_status efm_share_check(const efm_model *model, const efm_workers *workers)
{
    uint32_t bytes;
    if (workers == NULL) {
        return EFM_OK;
    }
    bytes = efm_model_worker_bytes(model);
    if (workers->share == NULL || workers->count - 1 >= EFM_MAX_WORKERS || workers->scratch_bytes < bytes
        || workers->scratch_bytes % 8 != 0 || (uintptr_t)workers->scratch % 8 != 0
        || (workers->scratch == NULL && bytes > 0)) {
        return EFM_BAD_ARGUMENT;
    }
    return EFM_OK;
}

#endif
