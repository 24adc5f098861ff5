/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's requests, from EFM_LINK_FIRST_COMMAND on. */
#ifndef EFM_COMMANDS_H
#define EFM_COMMANDS_H

#include "inference.h"

enum {
    EFM_COMMAND_REMOVE = 16,
    EFM_COMMAND_RUN = 17,
    EFM_COMMAND_SPACE = 18,
    EFM_COMMAND_RESET = 19,
    EFM_COMMAND_IMPORT = 20,
    EFM_COMMAND_TEST = 21
};

/* One request, as the link hands it over. */
typedef struct efm_request {
    uint8_t command;
    const uint8_t *args;
    uint32_t args_bytes;
    uint8_t *reply;
    uint32_t room;
    uint32_t reply_bytes; /* set */
} efm_request;

typedef struct efm_commands {
    const efm_board *board;
    efm_store *store; /* null when there is none */
    efm_inference *inference;
    bool reset;       /* the board should be reset once the reply is out */
} efm_commands;

/* Carries it out; with an error the reply may say more, as text. */
int efm_commands_do(efm_commands *commands, efm_request *request);

#endif
