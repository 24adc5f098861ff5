/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

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
    if (pc->taps[stream] == NULL)
        return;
    efm_rows rows;
    efm_model_rows(pc->model, stream, NULL, &rows);
    size_t pixel = (size_t)rows.channels * rows.element;
    uint8_t *to = pc->taps[stream] + y * pixel * rows.width;
    for (uint32_t x = 0; x < rows.width; x++)
        memcpy(to + x * pixel, row + (size_t)x * pixel_stride, pixel);
}

static int32_t begin(efm_pc *pc, int reads, uint32_t address, uint8_t *at, uint32_t bytes, uint32_t *ticket)
{
    if (address > pc->external_bytes || bytes > pc->external_bytes - address)
        return -1;
    for (uint32_t i = 0; i < EFM_HOST_FLIGHTS; i++) {
        if (!pc->flight[i].busy) {
            pc->flight[i] = (efm_flight){1, reads, address, bytes, at};
            *ticket = i;
            return 0;
        }
    }
    return -1;
}

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    return begin(port, 1, address, to, bytes, ticket);
}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    return begin(port, 0, address, (uint8_t *)(uintptr_t)from, bytes, ticket);
}

static int32_t wait(void *port, uint32_t ticket)
{
    efm_pc *pc = port;
    if (ticket >= EFM_HOST_FLIGHTS || !pc->flight[ticket].busy)
        return -1;
    efm_flight *f = &pc->flight[ticket];
    f->busy = 0;
    if (f->reads)
        memcpy(f->at, pc->external + f->address, f->bytes);
    else
        memcpy(pc->external + f->address, f->at, f->bytes);
    return 0;
}

efm_status efm_pc_run(efm_pc *pc, uint8_t *arena, uint32_t arena_bytes, efm_counters *counters)
{
    efm_host host = {.context = pc, .input = give_input, .output = take_output,
                     .tap = pc->taps == NULL ? NULL : tap,
                     .port = {begin_read, begin_write, wait, pc}};
    memset(pc->flight, 0, sizeof pc->flight);
    return efm_run(pc->model, &host, arena, arena_bytes, counters);
}
