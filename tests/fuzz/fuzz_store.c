/* SPDX-License-Identifier: Apache-2.0 */
/* The model store on flash of any contents, with any operations and power cuts.
 *
 * The first byte chooses the geometry; operations of one byte follow, with arguments. Some write
 * bytes or heads of a sound CRC into the flash behind the store's back. Whatever it holds, everything that is
 * found lies inside it, what was committed is found with its bytes until it is removed, replaced or forged over,
 * no unit is programmed twice, and nothing overruns. */
#include <stdlib.h>

#include "edgefm_bytes.h"
#include "extents.h"
#include "nor_flash.h"
#include "store.h"

enum { BLOCKS = 8, LARGEST = 1024, NAMES = 4 };

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

typedef struct bench {
    nor_flash nor;
    efm_flash flash;
    efm_store store;
    const uint8_t *pattern; /* what packages are made of: LARGEST * BLOCKS bytes */
    bool forged;            /* there may be heads that the store did not write: two of one name, one in another */
    bool kept[NAMES];       /* committed since then, and neither removed nor replaced */
    uint32_t bytes[NAMES];
} bench;

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint32_t next(input *in, uint32_t bytes)
{
    uint32_t value = 0;
    for (; bytes != 0; bytes--) {
        value = value << 8 | (in->left != 0 ? *in->at : 0);
        in->at += in->left != 0;
        in->left -= in->left != 0;
    }
    return value;
}

static const uint8_t *name_of(uint32_t number, uint32_t *bytes)
{
    static const uint8_t names[NAMES][33] = {"a", "model.efm", "x", "123456789abcdef0123456789abcdef0"};
    static const uint32_t lengths[NAMES] = {1, 9, 0, 32};
    *bytes = lengths[number % NAMES];
    return names[number % NAMES];
}

static void refresh(bench *b)
{
    nor_note(&b->nor, 0, b->nor.size, false);
}

static void mount(bench *b)
{
    b->nor.cut = false;
    b->nor.left = UINT64_MAX;
    check(efm_store_mount(&b->store, &b->flash) == EFM_OK);
}

static bool holds(const bench *b, uint32_t number)
{
    efm_store_entry entry;
    uint32_t bytes;
    const uint8_t *name = name_of(number, &bytes);
    return efm_store_find(&b->store, name, bytes, &entry) && entry.bytes == b->bytes[number]
           && memcmp(entry.at, b->pattern, entry.bytes) == 0;
}

/* Everything that is found lies inside and is read, all that was committed is there; sizes are possible. */
static void look(const bench *b)
{
    efm_store_entry entry, same;
    efm_store_space space;
    uint32_t cursor = 0, held = 0, sum = 0;
    while (efm_store_next(&b->store, &cursor, &entry)) {
        held += entry.bytes;
        check(entry.at >= b->nor.bytes && entry.at + entry.bytes <= b->nor.bytes + b->nor.size);
        for (uint32_t i = 0; i < entry.bytes; i++) {
            sum += entry.at[i];
        }
        check(efm_store_find(&b->store, entry.name, entry.name_bytes, &same) && (b->forged || same.at == entry.at));
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        check(!b->kept[i] || holds(b, i));
    }
    efm_store_measure(&b->store, &space);
    check(space.bytes == b->nor.size && space.free <= space.bytes - held && space.largest <= space.free);
    check(sum != 1 || held != 0);
}

static void tampered(bench *b)
{
    refresh(b);
    mount(b);
    b->forged = true;
    memset(b->kept, 0, sizeof b->kept);
}

static void forge(bench *b, input *in)
{
    uint32_t block = next(in, 1) % BLOCKS, bytes;
    uint8_t *head = b->nor.bytes + block * b->nor.erase_bytes;
    const uint8_t *name = name_of(next(in, 1), &bytes);
    uint32_t page = b->store.page, flags = next(in, 1);
    memset(head, 0xff, EFM_STORE_HEAD_PAGES * page);
    efm_store_le32(head + EFM_HEAD_MAGIC, EFM_MAGIC_HEAD);
    efm_store_le32(head + EFM_HEAD_SEQUENCE, (flags & 4u) != 0 ? UINT32_MAX - (flags >> 4) : next(in, 1));
    efm_store_le32(head + EFM_HEAD_BLOCK, block);
    efm_store_le32(head + EFM_HEAD_TOTAL, (flags & 8u) != 0 ? next(in, 4) : next(in, 2));
    efm_store_le32(head + EFM_HEAD_ERASES, next(in, 1));
    head[EFM_HEAD_ERASE_LOG] = (uint8_t)efm_log2(b->nor.erase_bytes);
    head[EFM_HEAD_PAGE_LOG] = (uint8_t)efm_log2(page);
    head[EFM_HEAD_NAME_BYTES] = (uint8_t)((flags & 2u) != 0 ? bytes : next(in, 1));
    memcpy(head + EFM_HEAD_NAME, name, bytes);
    efm_store_le32(head + EFM_HEAD_CHECK, efm_crc32(0, head, EFM_HEAD_CHECK));
    if ((flags & 1u) != 0) {
        efm_store_le32(head + EFM_PAGE_DONE * page, EFM_MAGIC_DONE);
        efm_store_le32(head + EFM_PAGE_DONE * page + 4, efm_load_le32(head + EFM_HEAD_CHECK));
    }
    tampered(b);
}

static void poke(bench *b, input *in)
{
    uint32_t at = next(in, 2) % b->nor.size, count = next(in, 1);
    for (uint32_t i = 0; i < count && at + i < b->nor.size; i++) {
        b->nor.bytes[at + i] = (uint8_t)next(in, 1);
    }
    tampered(b);
}

/* As much of a write as the input says; what is committed must be found. */
static void do_write(bench *b, input *in)
{
    efm_store_package package = {0};
    uint32_t flags = next(in, 1), start = 0, number = flags % NAMES;
    package.name = name_of(flags, &package.name_bytes);
    package.bytes = next(in, 2);
    package.crc = package.bytes <= BLOCKS * LARGEST ? efm_crc32(0, b->pattern, package.bytes) : 0;
    if ((flags & 4u) != 0) {
        b->kept[number] = false; /* it may go first */
    }
    if (efm_store_begin(&b->store, &package, (flags & 4u) != 0, &start) != EFM_OK) {
        return;
    }
    check(start <= package.bytes);
    uint32_t end = (flags & 8u) != 0 ? package.bytes : next(in, 2);
    if (end < start || end > package.bytes) {
        end = start;
    }
    if (efm_store_append(&b->store, b->pattern + start, end - start) != EFM_OK) {
        return;
    }
    int status = efm_store_commit(&b->store);
    if (status == EFM_OK) {
        b->bytes[number] = package.bytes;
    }
    if (status == EFM_OK || status == EFM_PORT_FAILED) { /* with a power cut the one before may be there, or this */
        b->kept[number] = status == EFM_OK;
    }
}

static void step(bench *b, input *in)
{
    uint32_t bytes, what = next(in, 1);
    const uint8_t *name = name_of(what >> 4, &bytes);
    switch (what % 8) {
    case 0:
        mount(b);
        break;
    case 1:
        poke(b, in);
        break;
    case 2:
        forge(b, in);
        break;
    case 3:
        check(efm_store_abort(&b->store) != 1);
        break;
    case 4:
        b->kept[(what >> 4) % NAMES] = false;
        check(efm_store_remove(&b->store, name, bytes) != 1);
        break;
    case 5:
        b->nor.cut = false;
        b->nor.tear = (what >> 4) % NOR_TEARS;
        b->nor.left = next(in, 2);
        break;
    default:
        do_write(b, in);
        break;
    }
    look(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t geometry[4][2] = {{256, 1}, {512, 4}, {256, 64}, {1024, 256}};
    static uint8_t pattern[BLOCKS * LARGEST];
    input in = {data, size};
    uint32_t choice = next(&in, 1);
    bench b = {.pattern = pattern};
    for (uint32_t i = 0; pattern[0] == 0 && i < sizeof pattern; i++) {
        pattern[sizeof pattern - 1 - i] = (uint8_t)((i / 90 % 3 == 0) ? 0xff : i * 131 >> 3);
    }
    b.nor.erase_bytes = geometry[choice % 4][0];
    b.nor.program_bytes = geometry[choice % 4][1];
    b.nor.size = BLOCKS * b.nor.erase_bytes;
    b.nor.seed = 1 + choice;
    b.nor.bytes = aligned_alloc(16, b.nor.size);
    b.nor.written = calloc(b.nor.size, 1);
    check(b.nor.bytes != NULL && b.nor.written != NULL);
    memset(b.nor.bytes, (int)(choice >> 4 & 1u) - 1, b.nor.size);
    b.flash = nor_as_flash(&b.nor);
    refresh(&b);
    mount(&b);
    for (uint32_t steps = 0; in.left != 0 && steps < 64; steps++) {
        step(&b, &in);
    }
    check(b.nor.forbidden == 0);
    free(b.nor.bytes);
    free(b.nor.written);
    return 0;
}
