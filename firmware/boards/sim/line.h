/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a board that is a process: standard input and output, a TCP port, a pseudo-terminal, or
   a serial device. */
#ifndef EFM_PROCESS_LINE_H
#define EFM_PROCESS_LINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct efm_line {
    int in, out;      /* -1: no client is there now */
    int listener;     /* TCP only, else -1: a new client takes the place of the one before */
    bool gone;        /* no client will come any more */
} efm_line;

enum { EFM_LINE_NAME_BYTES = 64 };

void efm_line_standard(efm_line *line);

/* Listens on `port` of this machine (0: any free one; `open`: of all its addresses). The rest of these
   fill `name` with what a host opens; all return false after a line on standard error. */
bool efm_line_tcp(efm_line *line, uint16_t port, bool open, char name[EFM_LINE_NAME_BYTES]);
bool efm_line_pty(efm_line *line, char name[EFM_LINE_NAME_BYTES]);
bool efm_line_serial(efm_line *line, const char *path, uint32_t baud, char name[EFM_LINE_NAME_BYTES]);

/* As efm_board's: at least one byte when `wait`, negative when the line is gone for good. */
int32_t efm_line_read(efm_line *line, uint8_t *bytes, uint32_t room, bool wait);
void efm_line_write(efm_line *line, const uint8_t *bytes, uint32_t count);

/* What a reset does to the line: a TCP client is sent away. */
void efm_line_drop(efm_line *line);

#endif
