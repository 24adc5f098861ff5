/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring a run: a watch that stops while the agent does its own work, the high-water mark of the
   arena, and the events of docs/PROTOCOL.md. */
#ifndef EFM_PROFILE_H
#define EFM_PROFILE_H

#include "port.h"

/* Does the board's timer advance, from a value that is not 0? One that does not is an error, no result. */
bool efm_timer_works(const efm_board *board);

/* A watch on the board's timer. pause() and resume() stand around what is not computing. */
typedef struct efm_watch {
    const efm_board *board;
    uint64_t began, lost, paused;
} efm_watch;

void efm_watch_start(efm_watch *watch, const efm_board *board);
void efm_watch_pause(efm_watch *watch);
void efm_watch_resume(efm_watch *watch);

/* While paused: the timer as if nothing but computing had been done since the start. */
uint64_t efm_watch_now(const efm_watch *watch);

/* Fills the arena with a pattern; afterwards, the bytes up to the last that holds something else. */
void efm_arena_paint(const efm_board *board);
uint32_t efm_arena_high_water(const efm_board *board);

enum { EFM_EVENT_RUN_BEGIN = 1, EFM_EVENT_STAGE = 2, EFM_EVENT_RUN_END = 3, EFM_EVENT_LOG = 4, EFM_EVENT_MAPS = 5 };
enum { EFM_RUN_BEGIN_BYTES = 23, EFM_STAGE_EVENT_BYTES = 71, EFM_RUN_END_BYTES = 122 };
enum { EFM_MAPS_HEAD_BYTES = 9, EFM_MAP_RECORD_BYTES = 36 }; /* of a MAPS event; of `:maps` too */

/* How a run ended. */
typedef struct efm_run_end {
    uint32_t run;
    int status;
    uint64_t ticks; /* of computing */
    uint32_t high_water;
    efm_counters counters;
    uint8_t digest[32];
} efm_run_end;

/* Payloads; `package` is the head of its SHA-256. */
void efm_event_run_begin(uint8_t payload[EFM_RUN_BEGIN_BYTES], uint32_t run, uint64_t ticks, uint32_t stages,
                         const uint8_t package[8]);
void efm_event_stage(uint8_t payload[EFM_STAGE_EVENT_BYTES], uint32_t run, uint32_t stage, uint64_t ticks,
                     const efm_counters *counters);
/* The head of an event that goes on with records of maps `first`, `first` + 1, ... of `maps`. */
void efm_event_maps(uint8_t payload[EFM_MAPS_HEAD_BYTES], uint32_t run, uint32_t first, uint32_t maps);
void efm_map_record(uint8_t record[EFM_MAP_RECORD_BYTES], const efm_map_counters *counters);
void efm_event_run_end(uint8_t payload[EFM_RUN_END_BYTES], const efm_run_end *end);

#endif
