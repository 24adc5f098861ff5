/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include <string.h>

#include "edgefm_bytes.h"

enum { TRIES = 1000000, PATTERN = 0xa5, COUNTERS_BYTES = 56 };

bool efm_timer_works(const efm_board *board)
{
    uint64_t first = board->ticks(board->context), now = first;
    for (uint32_t i = 0; i < TRIES && now == first; i++) {
        now = board->ticks(board->context);
    }
    return now > first;
}

void efm_watch_start(efm_watch *watch, const efm_board *board)
{
    *watch = (efm_watch){.board = board};
    watch->began = watch->paused = board->ticks(board->context);
}

void efm_watch_pause(efm_watch *watch)
{
    watch->paused = watch->board->ticks(watch->board->context);
}

void efm_watch_resume(efm_watch *watch)
{
    watch->lost += watch->board->ticks(watch->board->context) - watch->paused;
}

uint64_t efm_watch_now(const efm_watch *watch)
{
    return watch->paused - watch->lost;
}

void efm_arena_paint(const efm_board *board)
{
    memset(board->arena, PATTERN, board->arena_bytes);
}

uint32_t efm_arena_high_water(const efm_board *board)
{
    uint32_t bytes = board->arena_bytes;
    while (bytes != 0 && board->arena[bytes - 1] == PATTERN) {
        bytes--;
    }
    return bytes;
}

/* -- events --------------------------------------------------------------------------------------- */

static void store_le64(uint8_t *p, uint64_t v)
{
    efm_store_le32(p, (uint32_t)v);
    efm_store_le32(p + 4, (uint32_t)(v >> 32));
}

static void store_counters(uint8_t p[COUNTERS_BYTES], const efm_counters *c)
{
    const uint64_t values[] = {c->external_read_bytes, c->external_write_bytes, c->weight_read_bytes,
                               c->input_read_bytes,    c->output_write_bytes,   c->coded_bytes,
                               c->coded_values};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        store_le64(p + 8 * i, values[i]);
    }
}

void efm_event_run_begin(uint8_t payload[EFM_RUN_BEGIN_BYTES], uint32_t run, uint64_t ticks, uint32_t stages,
                         const uint8_t package[8])
{
    payload[0] = EFM_EVENT_RUN_BEGIN;
    efm_store_le32(payload + 1, run);
    store_le64(payload + 5, ticks);
    efm_store_le16(payload + 13, (uint16_t)stages);
    memcpy(payload + 15, package, 8);
}

void efm_event_stage(uint8_t payload[EFM_STAGE_EVENT_BYTES], uint32_t run, uint32_t stage, uint64_t ticks,
                     const efm_counters *counters)
{
    payload[0] = EFM_EVENT_STAGE;
    efm_store_le32(payload + 1, run);
    efm_store_le16(payload + 5, (uint16_t)stage);
    store_le64(payload + 7, ticks);
    store_counters(payload + 15, counters);
}

void efm_event_maps(uint8_t payload[EFM_MAPS_HEAD_BYTES], uint32_t run, uint32_t first, uint32_t maps)
{
    payload[0] = EFM_EVENT_MAPS;
    efm_store_le32(payload + 1, run);
    efm_store_le16(payload + 5, (uint16_t)first);
    efm_store_le16(payload + 7, (uint16_t)maps);
}

void efm_map_record(uint8_t record[EFM_MAP_RECORD_BYTES], const efm_map_counters *counters)
{
    const uint32_t rows[] = {counters->rows_written, counters->rows_read, counters->raw_rows, counters->capped_rows,
                             counters->largest_shift};
    store_le64(record, counters->write_bytes);
    store_le64(record + 8, counters->read_bytes);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        efm_store_le32(record + 16 + 4 * i, rows[i]);
    }
}

void efm_event_run_end(uint8_t payload[EFM_RUN_END_BYTES], const efm_run_end *end)
{
    payload[0] = EFM_EVENT_RUN_END;
    efm_store_le32(payload + 1, end->run);
    payload[5] = (uint8_t)end->status;
    store_le64(payload + 6, end->ticks);
    efm_store_le32(payload + 14, end->high_water);
    store_counters(payload + 18, &end->counters);
    store_le64(payload + 74, end->counters.coded_rows);
    store_le64(payload + 82, end->counters.raw_rows);
    memcpy(payload + 90, end->digest, 32);
}
