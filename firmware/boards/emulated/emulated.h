/* SPDX-License-Identifier: Apache-2.0 */
/* A board that an emulator makes, with more memory than any chip: 2 MiB of arena, 8 MiB behind the external port, and
 * as much for the model store. */
#ifndef EFM_EMULATED_H
#define EFM_EMULATED_H

#include "port.h"

enum { EFM_EMULATED_HALF = 8 * 1024 * 1024 };

/* Completes a board that has its name, target, line, ticks and reset; `memory` is two halves, the port's and the
   store's. Where the emulator does not count instructions exactly, ticks stand still. */
const efm_board *efm_emulated_board(efm_board *board, uint32_t memory, bool exact);

#endif
