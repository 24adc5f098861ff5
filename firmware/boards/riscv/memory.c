/* SPDX-License-Identifier: Apache-2.0 */
/* Copies go word by word where both ends allow it: RV32 may trap on other addresses. */
#include <stdint.h>
#include <string.h>

typedef uint32_t __attribute__((may_alias)) word;

enum { WORD = sizeof(word), REST = WORD - 1 };

static int together(const void *to, const void *from)
{
    return (((uintptr_t)to ^ (uintptr_t)from) & REST) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (together(t, f)) {
        for (; bytes > 0 && ((uintptr_t)t & REST) != 0; bytes--) {
            *t++ = *f++;
        }
        for (; bytes >= WORD; bytes -= WORD, t += WORD, f += WORD) {
            *(word *)(void *)t = *(const word *)(const void *)f;
        }
    }
    for (; bytes > 0; bytes--) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= bytes) { /* nothing is overwritten before it is read */
        return memcpy(to, from, bytes);
    }
    while (bytes > 0) {
        bytes--;
        t[bytes] = f[bytes];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *t = to;
    word four = (uint8_t)value * 0x01010101u;
    for (; bytes > 0 && ((uintptr_t)t & REST) != 0; bytes--) {
        *t++ = (uint8_t)value;
    }
    for (; bytes >= WORD; bytes -= WORD, t += WORD) {
        *(word *)(void *)t = four;
    }
    for (; bytes > 0; bytes--) {
        *t++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t bytes = 0;
    while (text[bytes] != '\0') {
        bytes++;
    }
    return bytes;
}
