/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include "decimal.h"

void efm_put_bytes(const efm_answer *to, const uint8_t *bytes, uint32_t count)
{
    to->write(to->line, bytes, count);
}

/* At least `least` digits. */
static void put_number(const efm_answer *to, uint64_t number, uint32_t least)
{
    uint8_t digits[EFM_DIGITS];
    uint32_t at = efm_decimal(number, least, digits);
    efm_put_bytes(to, digits + at, EFM_DIGITS - at);
}

void efm_put_with(const efm_answer *to, const char *string, uint64_t number)
{
    for (; *string != 0; string++) {
        if (*string == '#') {
            put_number(to, number, 1);
        } else {
            efm_put_bytes(to, (const uint8_t *)string, 1);
        }
    }
}

void efm_put(const efm_answer *to, const char *string)
{
    efm_put_with(to, string, 0);
}

void efm_answer_with(const efm_answer *to, const char *string, uint64_t number)
{
    efm_put_with(to, string, number);
    efm_put(to, "\r\n");
}

void efm_answer_line(const efm_answer *to, const char *string)
{
    efm_answer_with(to, string, 0);
}

void efm_put_thousandths(const efm_answer *to, int64_t value)
{
    uint32_t rest;
    uint64_t whole = efm_divide(value < 0 ? (uint64_t)-value : (uint64_t)value, 1000, &rest);
    efm_put(to, value < 0 ? "-" : "");
    put_number(to, whole, 1);
    efm_put(to, ".");
    put_number(to, rest, 3);
}

void efm_put_hex(const efm_answer *to, uint8_t byte)
{
    static const uint8_t digits[] = "0123456789abcdef";
    efm_put_bytes(to, digits + (byte >> 4), 1);
    efm_put_bytes(to, digits + (byte & 15), 1);
}
