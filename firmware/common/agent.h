/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware itself: whatever the line asks for is done with the board, the runtime and the store.
 *
 *     static efm_agent agent;
 *     int main(void) { efm_agent_serve(&agent, efm_board_start()); }
 *
 * docs/PROTOCOL.md says what can be asked for. */
#ifndef EFM_AGENT_H
#define EFM_AGENT_H

#include "bulk.h"
#include "capability.h"
#include "commands.h"
#include "text.h"

/* Memory for frames; a board with little of it sets less. The window takes chunks behind a lost one,
   and the rows of an input on their way: at least a frame. */
#ifndef EFM_AGENT_FRAME_BYTES
#define EFM_AGENT_FRAME_BYTES 1024
#endif
#ifndef EFM_AGENT_WINDOW_BYTES
#define EFM_AGENT_WINDOW_BYTES 4096
#endif
#ifndef EFM_AGENT_LINE_BYTES
#define EFM_AGENT_LINE_BYTES 256
#endif

typedef struct efm_agent {
    const efm_board *board;
    efm_link link;
    efm_store store;
    efm_inference inference;
    efm_bulk bulk;
    efm_commands commands;
    efm_text text;
    bool gone;             /* the line is, for good */
    uint32_t in_at, in_end; /* bytes of `in` that were read and not fed yet */
    uint32_t out_end;       /* bytes of `out` that were not sent yet */
    uint8_t in[EFM_AGENT_LINE_BYTES];
    uint8_t out[EFM_AGENT_LINE_BYTES];
    uint8_t receive[EFM_AGENT_FRAME_BYTES];
    uint8_t transmit[EFM_AGENT_FRAME_BYTES];
    uint8_t window[EFM_AGENT_WINDOW_BYTES];
    uint8_t capability[EFM_CAPABILITY_BYTES];
} efm_agent;

/* Serves the line until it is gone for good, which on most boards is never. */
void efm_agent_serve(efm_agent *agent, const efm_board *board);

#endif
