/* SPDX-License-Identifier: Apache-2.0 */
/* NOR flash that may lose power at any byte of any operation, and notes what real flash forbids.
 *
 * Power is cut when `left` bytes have been erased or programmed. The unit being programmed and the
 * block being erased are then left in one of several torn states; afterwards nothing changes any more. */
#ifndef NOR_FLASH_H
#define NOR_FLASH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "port.h"

enum { NOR_SEGMENT = 16, NOR_TEARS = 6 };

typedef struct nor_flash {
    uint8_t *bytes;
    uint8_t *written;   /* per unit: programmed since it was erased */
    uint32_t *erases;   /* per block; may be null */
    uint32_t size, erase_bytes, program_bytes;
    uint64_t left;      /* bytes until the power cut */
    uint64_t spent;     /* bytes erased and programmed in all */
    uint32_t tear;      /* how operations are torn, below NOR_TEARS */
    uint32_t seed;
    uint32_t forbidden; /* misaligned, out of bounds, or a unit programmed twice */
    bool cut;
} nor_flash;

static uint32_t nor_random(nor_flash *nor)
{
    nor->seed ^= nor->seed << 13;
    nor->seed ^= nor->seed >> 17;
    nor->seed ^= nor->seed << 5;
    return nor->seed;
}

/* A byte each of whose bits is 1 with a chance of `part` in `whole`. */
static uint8_t nor_bits(nor_flash *nor, uint64_t part, uint64_t whole)
{
    uint8_t byte = 0;
    for (int bit = 0; bit < 8; bit++) {
        byte = (uint8_t)(byte << 1 | (nor_random(nor) % whole < part));
    }
    return byte;
}

/* What a byte of an erase that was cut after `done` of `all` may read. */
static uint8_t nor_torn_erase(nor_flash *nor, uint32_t at, uint64_t done, uint64_t all, uint8_t old)
{
    uint64_t segment = at / NOR_SEGMENT, segments = all / NOR_SEGMENT;
    switch (nor->tear) {
    case 0:
        return at < done ? 0xff : old;                      /* from the front */
    case 1:
        return at >= all - done ? 0xff : old;               /* from the back */
    case 2:
        return old | nor_bits(nor, done, all);              /* everywhere at once */
    case 3:
        return (segment * 7 + 3) % segments < done * segments / all ? 0xff : old;
    case 4:                                                     /* all bits are cleared first */
        return 2 * done < all ? old & nor_bits(nor, all - 2 * done, all) : nor_bits(nor, 2 * done - all, all);
    default:
        return 0xff;                                       /* done, but the program never heard of it */
    }
}

static uint8_t nor_torn_program(nor_flash *nor, uint32_t at, uint32_t done, uint8_t old, uint8_t wanted)
{
    switch (nor->tear) {
    case 0:
        return at < done ? old & wanted : old;
    case 1:
        return at >= nor->program_bytes - done ? old & wanted : old;
    case 4:
        return old;                                         /* nothing of it */
    case 5:
        return old & wanted;                                /* all of it */
    default:
        return old & (uint8_t)(wanted | (uint8_t)nor_random(nor));
    }
}

static void nor_note(nor_flash *nor, uint32_t offset, uint32_t bytes, bool whole)
{
    for (uint32_t at = offset; at < offset + bytes; at += nor->program_bytes) {
        bool blank = true;
        for (uint32_t i = 0; i < nor->program_bytes; i++) {
            blank = blank && nor->bytes[at + i] == 0xff;
        }
        nor->written[at / nor->program_bytes] = whole || !blank;
    }
}

static int32_t nor_erase(void *context, uint32_t offset)
{
    nor_flash *nor = context;
    uint32_t all = nor->erase_bytes;
    if (offset % all != 0 || offset >= nor->size) {
        nor->forbidden++;
        return -1;
    }
    if (nor->cut) {
        return -1;
    }
    uint64_t done = nor->left < all ? nor->left : all;
    nor->cut = done < all;
    for (uint32_t i = 0; i < all; i++) {
        nor->bytes[offset + i] = nor->cut ? nor_torn_erase(nor, i, done, all, nor->bytes[offset + i]) : 0xff;
    }
    nor_note(nor, offset, all, false);
    nor->left -= done;
    nor->spent += done;
    if (nor->erases != NULL) {
        nor->erases[offset / all]++;
    }
    return nor->cut ? -1 : 0;
}

static int32_t nor_program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    nor_flash *nor = context;
    uint32_t unit = nor->program_bytes;
    if (offset % unit != 0 || bytes % unit != 0 || offset > nor->size || bytes > nor->size - offset) {
        nor->forbidden++;
        return -1;
    }
    for (uint32_t at = 0; at < bytes && !nor->cut; at += unit) {
        uint32_t done = nor->left < unit ? (uint32_t)nor->left : unit;
        nor->cut = done < unit;
        nor->forbidden += nor->written[(offset + at) / unit];
        for (uint32_t i = 0; i < unit; i++) {
            uint8_t *byte = &nor->bytes[offset + at + i];
            *byte = nor->cut ? nor_torn_program(nor, i, done, *byte, from[at + i]) : *byte & from[at + i];
        }
        nor_note(nor, offset + at, unit, !nor->cut);
        nor->left -= done;
        nor->spent += done;
    }
    return nor->cut ? -1 : 0;
}

static efm_flash nor_as_flash(nor_flash *nor)
{
    return (efm_flash){.at = nor->bytes,
                       .bytes = nor->size,
                       .erase_bytes = nor->erase_bytes,
                       .program_bytes = nor->program_bytes,
                       .erase = nor_erase,
                       .program = nor_program,
                       .context = nor};
}

#endif
