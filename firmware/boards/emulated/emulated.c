/* SPDX-License-Identifier: Apache-2.0 */
#include "emulated.h"

#include "bare.h"
#include "ram.h"

enum { ARENA_BYTES = 2048 * 1024, RESULTS_BYTES = 1536 * 1024 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];
static efm_ram_port external = {.bytes = EFM_EMULATED_HALF};

const efm_board *efm_emulated_board(efm_board *board, uint32_t memory, bool exact)
{
    uint8_t *at = (uint8_t *)(uintptr_t)memory;
    external.at = at;
    board->unit = EFM_TICKS_INSTRUCTIONS;
    board->arena = arena;
    board->arena_bytes = sizeof arena;
    board->results = results;
    board->results_bytes = sizeof results;
    board->external = efm_ram_as_port(&external);
    board->external_bytes = EFM_EMULATED_HALF;
    board->external_alignment = 1;
    board->flash = efm_ram_as_flash(at + EFM_EMULATED_HALF, EFM_EMULATED_HALF);
    if (!exact) {
        board->ticks = efm_no_ticks;
    }
    return board;
}
