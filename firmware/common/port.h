/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a board supplies: one efm_board. docs/PORTING.md says how to write it.
 *
 *     static const efm_board board = {
 *         .name = "my-board", .unit = EFM_TICKS_CYCLES, .ticks_per_second = 168000000,
 *         .arena = arena, .arena_bytes = sizeof arena,
 *         .flash = {.at = flash_map, .bytes = 1 << 20, .erase_bytes = 4096, .program_bytes = 4,
 *                   .erase = flash_erase, .program = flash_program},
 *         .read = uart_read, .write = uart_write, .ticks = cycle_counter, .reset = system_reset,
 *     };
 *     const efm_board *efm_board_start(void) { clocks_init(); uart_init(); return &board; }
 */
#ifndef EFM_PORT_H
#define EFM_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "edgefm.h"

/* What a tick of the board's timer is. Emulators count instructions, never cycles. */
typedef enum efm_ticks_unit {
    EFM_TICKS_INSTRUCTIONS = 0,
    EFM_TICKS_CYCLES = 1,
    EFM_TICKS_MICROSECONDS = 2
} efm_ticks_unit;

/* Memory-mapped flash for the model store. Erased bytes read 0xff; programming only clears bits.
   erase() and program() return 0 on success and get `context` as their first argument. */
typedef struct efm_flash {
    const uint8_t *at;      /* the address to read from, aligned to 16 */
    uint32_t bytes;         /* a multiple of erase_bytes */
    uint32_t erase_bytes;   /* the unit of erase(), a power of two */
    uint32_t program_bytes; /* unit of program(): offsets and lengths are multiples; a power of two up to 256 */
    int32_t (*erase)(void *context, uint32_t offset);
    int32_t (*program)(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes);
    void *context;
} efm_flash;

typedef struct efm_board {
    const char *name;           /* up to 15 characters */
    const char *target;         /* for `edgefm compile --target`, up to 16 characters; null: none */
    efm_ticks_unit unit;
    uint32_t ticks_per_second;  /* 0 under emulation: ticks do not measure time */
    uint8_t *arena;             /* fast memory for the runtime, aligned to 8 */
    uint32_t arena_bytes;
    uint8_t *results;           /* keeps a run's outputs for the host; need not be fast */
    uint32_t results_bytes;
    efm_port external;          /* all null when there is none */
    uint32_t external_bytes;
    uint32_t external_alignment; /* 1 if any address works */
    efm_flash flash;
    void *context;              /* the first argument of the functions below */
    /* Reads at most `room` bytes from the line. With `wait` it waits for at least one; otherwise it returns the bytes
       that have arrived, maybe 0. Returns a negative number when the line is closed for good (boards that are
       processes). */
    int32_t (*read)(void *context, uint8_t *bytes, uint32_t room, bool wait);
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    uint64_t (*ticks)(void *context); /* since some moment, never backwards */
    void (*mark)(void *context, uint32_t stage); /* marker pins, may be null; called where efm_host.event is */
    /* May be null. A board with memory to spare calls efm_model_prepare() here for a model that is about to run, with
       memory that nothing else uses. `again`: the package is that of the last call and unchanged, so that memory still
       holds its weights. */
    void (*prepare)(void *context, efm_model *model, bool again);
    void (*reset)(void *context); /* restarts the firmware; returns only if it cannot */
} efm_board;

/* Brings the board up; called once, first. */
const efm_board *efm_board_start(void);

#endif
