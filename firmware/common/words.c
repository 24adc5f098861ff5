/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

enum { MOST = 1 << 30, SPACE = ' ' };

efm_words efm_next_word(efm_words *rest)
{
    while (rest->bytes != 0 && *rest->at == SPACE) {
        rest->at++;
        rest->bytes--;
    }
    efm_words word = {rest->at, 0};
    while (word.bytes < rest->bytes && word.at[word.bytes] != SPACE) {
        word.bytes++;
    }
    rest->at += word.bytes;
    rest->bytes -= word.bytes;
    return word;
}

bool efm_word_is(efm_words word, const char *string)
{
    uint32_t i = 0;
    while (i < word.bytes && string[i] != 0 && word.at[i] == (uint8_t)string[i]) {
        i++;
    }
    return i == word.bytes && string[i] == 0;
}

bool efm_word_number(efm_words word, uint32_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < word.bytes; i++) {
        if (word.at[i] < '0' || word.at[i] > '9' || *number > MOST / 10) {
            return false;
        }
        *number = *number * 10 + word.at[i] - '0';
    }
    return word.bytes != 0;
}

uint32_t efm_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}
