/* SPDX-License-Identifier: Apache-2.0 */
/* Named packages in memory-mapped flash that survive a power cut at any byte; docs/STORE.md is the layout.
 *
 *     static efm_store store;
 *     efm_store_entry entry;
 *     uint32_t start;
 *     if (efm_store_mount(&store, &board->flash) != EFM_OK)
 *         no_store();
 *     if (efm_store_find(&store, name, name_bytes, &entry))
 *         run_in_place(entry.at, entry.bytes);
 *
 *     efm_store_package wanted = {.name = name, .name_bytes = 7, .bytes = total, .crc = crc32};
 *     int status = efm_store_begin(&store, &wanted, false, &start);   // go on from byte `start`
 *     while (status == EFM_OK && more(&bytes, &count))
 *         status = efm_store_append(&store, bytes, count);
 *     if (status == EFM_OK)
 *         status = efm_store_commit(&store);                          // now, and not before, it is there
 *
 * A package stays where it is until it is removed or another of its name is committed. Functions that
 * can fail return an efm_status or one of link.h. One write is open at a time.
 */
#ifndef EFM_STORE_H
#define EFM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

enum {
    EFM_STORE_NAME_MAX = 32,   /* bytes of a name */
    EFM_STORE_PAGE_MIN = 64,   /* a page: what is written at once, program_bytes or this */
    EFM_STORE_PAGE_MAX = 256,
    EFM_STORE_HEAD_PAGES = 3,  /* in front of every package */
    EFM_STORE_FILES_MAX = 1024 /* names; bounds the time that any operation takes */
};

/* A package that is there. All pointers are into the flash. */
typedef struct efm_store_entry {
    const uint8_t *name;
    uint32_t name_bytes;
    const uint8_t *at; /* aligned to 16, in one piece */
    uint32_t bytes;
    uint32_t crc;      /* CRC-32 of it */
} efm_store_entry;

/* A package to be written; `name` need not outlive the call. */
typedef struct efm_store_package {
    const uint8_t *name; /* 1 to EFM_STORE_NAME_MAX bytes */
    uint32_t name_bytes;
    uint32_t bytes;
    uint32_t crc;        /* CRC-32 of all of it */
} efm_store_package;

typedef struct efm_store_space {
    uint32_t bytes;   /* of the flash */
    uint32_t free;    /* not held by a package; an unfinished write counts as free */
    uint32_t largest; /* package that could be written now, beside all others */
    uint32_t erases;  /* of the block erased most often, as far as is known */
} efm_store_space;

/* Lent by the caller; its fields are the store's own, but for `accept` and `context`. */
typedef struct efm_store {
    efm_flash flash;
    uint32_t blocks;   /* of erase_bytes */
    uint32_t page;     /* bytes */
    uint32_t sequence; /* of the next write */
    uint32_t cursor;   /* block behind the newest write: where the next one looks first */
    uint32_t open;     /* first block of the unfinished write, `blocks` when there is none */
    uint32_t unsettled; /* first block of the newest write while a package that it replaced may be there, or `blocks` */
    uint32_t taken; /* bytes of its package so far */
    bool resumed; /* `taken` is right; not so after a mount, until begin() looked */
    /* Asked before a commit, with all of the file where it will stay: a status other than EFM_OK refuses it. May
       be null; efm_store_mount() makes it so. */
    int (*accept)(void *context, const uint8_t *at, uint32_t bytes);
    void *context;
    uint8_t buffer[EFM_STORE_PAGE_MAX];
} efm_store;

/* Finds what is there and finishes a commit that a power cut interrupted. Any flash contents will do.
   EFM_BAD_ARGUMENT when the flash's sizes do not fit port.h or an erase block holds fewer than four pages. */
EFM_MUST_CHECK int efm_store_mount(efm_store *store, const efm_flash *flash);

/* Packages in order of place: start with *cursor = 0; false after the last. */
bool efm_store_next(const efm_store *store, uint32_t *cursor, efm_store_entry *entry);

bool efm_store_find(const efm_store *store, const uint8_t *name, uint32_t name_bytes, efm_store_entry *entry);

/* Opens a write. When the last one was of the same name, size and CRC and did not end, it goes on at
   *start, also after a power cut; any other unfinished write is dropped.
   EFM_LINK_NO_SPACE: no room in one piece. EFM_LINK_REFUSED: there would be without the package of that
   name; with `replace` it is removed first, and a power cut then loses both. EFM_LINK_TOO_MANY: it would be
   one name more than EFM_STORE_FILES_MAX. EFM_BAD_ARGUMENT: the name. EFM_PORT_FAILED: the flash. */
EFM_MUST_CHECK int efm_store_begin(efm_store *store, const efm_store_package *package, bool replace, uint32_t *start);

/* The next bytes. EFM_BAD_ARGUMENT: more than announced, or no write is open. EFM_PORT_FAILED: the flash
   failed or does not hold what was written. EFM_LINK_REFUSED: bytes that would read as a head of the store. */
EFM_MUST_CHECK int efm_store_append(efm_store *store, const uint8_t *bytes, uint32_t count);

/* Makes the package the one of its name, which frees the one before. EFM_LINK_INCOMPLETE: bytes are
   missing, the write stays open. EFM_BAD_CHECKSUM: not what was announced, the write is dropped; so it is with the
   status of accept(). The package of that name that was there before stays then. */
EFM_MUST_CHECK int efm_store_commit(efm_store *store);

/* Drops the unfinished write, if any. To interrupt one and go on later nothing need be called. */
EFM_MUST_CHECK int efm_store_abort(efm_store *store);

/* EFM_LINK_NOT_FOUND, EFM_PORT_FAILED. */
EFM_MUST_CHECK int efm_store_remove(efm_store *store, const uint8_t *name, uint32_t name_bytes);

void efm_store_measure(const efm_store *store, efm_store_space *space);

#endif
