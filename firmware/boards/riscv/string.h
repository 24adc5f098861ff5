/* SPDX-License-Identifier: Apache-2.0 */
/* The C library of boards whose compiler comes without one: what edgefm uses of <string.h>, in memory.c. */
#ifndef EFM_RISCV_STRING_H
#define EFM_RISCV_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);

#endif
