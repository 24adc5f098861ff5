/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a text command. */
#ifndef EFM_WORDS_H
#define EFM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The rest of a line, or a word of it. */
typedef struct efm_words {
    const uint8_t *at;
    uint32_t bytes;
} efm_words;

/* Takes the next word off `rest`; one of no bytes at its end. */
efm_words efm_next_word(efm_words *rest);

bool efm_word_is(efm_words word, const char *string);

/* A decimal number below about 2^31; false: the word is not one. */
bool efm_word_number(efm_words word, uint32_t *number);

/* The value of a hexadecimal digit, 16 for any other byte. */
uint32_t efm_hex_digit(uint8_t c);

#endif
