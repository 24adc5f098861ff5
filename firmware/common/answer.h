/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is sent over the line. */
#ifndef EFM_ANSWER_H
#define EFM_ANSWER_H

#include <stdint.h>

typedef struct efm_answer {
    void (*write)(void *line, const uint8_t *bytes, uint32_t count);
    void *line;
} efm_answer;

void efm_put_bytes(const efm_answer *to, const uint8_t *bytes, uint32_t count);

/* A string, with a number where it has '#'. */
void efm_put_with(const efm_answer *to, const char *string, uint64_t number);
void efm_put(const efm_answer *to, const char *string);

/* The same as a line. */
void efm_answer_with(const efm_answer *to, const char *string, uint64_t number);
void efm_answer_line(const efm_answer *to, const char *string);

void efm_put_thousandths(const efm_answer *to, int64_t value);

/* Two hexadecimal digits. */
void efm_put_hex(const efm_answer *to, uint8_t byte);

#endif
