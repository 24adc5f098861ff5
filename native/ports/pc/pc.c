/* SPDX-License-Identifier: Apache-2.0 */
#include "pc.h"

#include <stddef.h>
#include <string.h>

#include "model.h"

static int32_t give_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    const efm_pc *pc = context;
    memcpy(row, pc->inputs[input] + (size_t)y * bytes, bytes);
    return 0;
}

static int32_t take_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    const efm_pc *pc = context;
    memcpy(pc->outputs[output] + (size_t)y * bytes, row, bytes);
    return 0;
}

static void tap(void *context, uint32_t stream, uint32_t y, const uint8_t *row, uint32_t pixel_stride)
{
    const efm_pc *pc = context;
    if (pc->taps[stream] == NULL) {
        return;
    }
    efm_rows rows;
    efm_model_rows(pc->model, stream, NULL, &rows);
    size_t pixel = (size_t)rows.channels * rows.element;
    uint8_t *to = pc->taps[stream] + y * pixel * rows.width;
    for (uint32_t x = 0; x < rows.width; x++) {
        memcpy(to + x * pixel, row + (size_t)x * pixel_stride, pixel);
    }
}

efm_status efm_pc_run(efm_pc *pc, uint8_t *arena, uint32_t arena_bytes, efm_counters *counters)
{
    const efm_workers workers = {.count = pc->threads == NULL ? 0 : efm_threads_count(pc->threads),
                                 .share = efm_threads_share,
                                 .context = pc->threads,
                                 .scratch = pc->scratch,
                                 .scratch_bytes = pc->scratch_bytes,
                                 .products = pc->products};
    const efm_port late_weights = {pc->weights.memory == NULL ? NULL : efm_late_read, NULL, efm_late_wait,
                                   &pc->weights};
    efm_host host = {.context = pc,
                     .input = give_input,
                     .output = take_output,
                     .tap = pc->taps == NULL ? NULL : tap,
                     .maps = pc->maps,
                     .port = {efm_late_read, efm_late_write, efm_late_wait, &pc->external},
                     .weights = pc->weight_port == NULL ? late_weights : *pc->weight_port,
                     .frame = pc->frame,
                     .repeats = 1,
                     .workers = pc->threads == NULL ? NULL : &workers};
    memset(pc->external.flight, 0, sizeof pc->external.flight);
    memset(pc->weights.flight, 0, sizeof pc->weights.flight);
    return efm_run(pc->model, &host, arena, arena_bytes, counters);
}
