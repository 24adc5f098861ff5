/* SPDX-License-Identifier: Apache-2.0 */
#include "bulk.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"

enum { AT_BYTES = 0, AT_CRC = 4, AT_NAME_BYTES = 8, AT_NAME = 16, HASH_PIECE = 4096 };

/* -- names ---------------------------------------------------------------------------------------- */

/* Takes `prefix` off the front of the name when it is there. */
static bool skip(efm_link_bulk *name, const char *prefix)
{
    uint32_t bytes = 0;
    while (prefix[bytes] != 0 && bytes < name->name_bytes && name->name[bytes] == (uint8_t)prefix[bytes]) {
        bytes++;
    }
    if (prefix[bytes] != 0) {
        return false;
    }
    name->name += bytes;
    name->name_bytes -= bytes;
    return true;
}

static bool is(efm_link_bulk name, const char *whole)
{
    return skip(&name, whole) && name.name_bytes == 0;
}

static bool read_number(const efm_link_bulk *name, uint32_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < name->name_bytes; i++) {
        if (name->name[i] < '0' || name->name[i] > '9' || i == 2) {
            return false;
        }
        *number = 10 * *number + name->name[i] - '0';
    }
    return name->name_bytes != 0;
}

/* -- reading -------------------------------------------------------------------------------------- */

static int give_memory(efm_bulk *bulk, efm_link_bulk *asked, const uint8_t *at, uint32_t bytes)
{
    bulk->at = at;
    asked->total = bytes;
    asked->crc = efm_crc32(0, at, bytes);
    return EFM_OK;
}

/* What is read record by record: `:list`, `:maps`. */
typedef struct efm_bulk_records {
    uint32_t bytes; /* of each, up to EFM_BULK_RECORD */
    void (*make)(efm_bulk *bulk, uint32_t index, uint8_t *record);
} efm_bulk_records;

static int open_records(efm_bulk *bulk, efm_link_bulk *asked, const efm_bulk_records *records, uint32_t count)
{
    uint8_t record[EFM_BULK_RECORD];
    bulk->at = NULL;
    bulk->records = records;
    asked->total = count * records->bytes;
    asked->crc = 0;
    for (uint32_t i = 0; i < count; i++) {
        records->make(bulk, i, record);
        asked->crc = efm_crc32(asked->crc, record, records->bytes);
    }
    return EFM_OK;
}

/* Goes on from the record that was made last: a list that is read in order is walked once. */
static bool find_listed(efm_bulk *bulk, uint32_t index, efm_store_entry *entry)
{
    if (index < bulk->listed) {
        bulk->listed = bulk->listed_at = 0;
    }
    uint32_t cursor = bulk->listed_at;
    while (efm_store_next(bulk->store, &cursor, entry)) {
        if (bulk->listed == index) {
            return true;
        }
        bulk->listed++;
        bulk->listed_at = cursor;
    }
    return false;
}

static void list_record(efm_bulk *bulk, uint32_t index, uint8_t *record)
{
    efm_store_entry entry;
    memset(record, 0, EFM_BULK_RECORD);
    if (!find_listed(bulk, index, &entry)) { /* something was removed meanwhile */
        return;
    }
    efm_store_le32(record + AT_BYTES, entry.bytes);
    efm_store_le32(record + AT_CRC, entry.crc);
    record[AT_NAME_BYTES] = (uint8_t)entry.name_bytes;
    memcpy(record + AT_NAME, entry.name, entry.name_bytes);
}

static int open_list(efm_bulk *bulk, efm_link_bulk *asked)
{
    static const efm_bulk_records list = {EFM_BULK_RECORD, list_record};
    efm_store_entry entry;
    uint32_t count = 0, cursor = 0;
    while (bulk->store != NULL && efm_store_next(bulk->store, &cursor, &entry)) {
        count++;
    }
    bulk->listed = bulk->listed_at = 0;
    return open_records(bulk, asked, &list, count);
}

static void map_record(efm_bulk *bulk, uint32_t index, uint8_t *record)
{
    const efm_inference *inference = bulk->inference;
    memset(record, 0, EFM_MAP_RECORD_BYTES);
    if (inference->maps != NULL && index < inference->map_count) { /* there may have been another run meanwhile */
        efm_map_record(record, &inference->maps[index]);
    }
}

static int open_maps(efm_bulk *bulk, efm_link_bulk *asked)
{
    static const efm_bulk_records maps = {EFM_MAP_RECORD_BYTES, map_record};
    uint32_t count;
    int status = efm_inference_maps(bulk->inference, &count);
    return status == EFM_OK ? open_records(bulk, asked, &maps, count) : status;
}

/* The line is served in between: the host is told that this takes a while. The name is overwritten then. */
static int open_hash(efm_bulk *bulk, efm_link_bulk *asked, const efm_link_bulk *name)
{
    const efm_inference_host *host = &bulk->inference->host;
    efm_store_entry entry;
    efm_sha256 hash;
    if (bulk->store == NULL || !efm_store_find(bulk->store, name->name, name->name_bytes, &entry)) {
        return EFM_LINK_NOT_FOUND;
    }
    efm_sha256_start(&hash);
    for (uint32_t at = 0; at < entry.bytes; at += HASH_PIECE) {
        uint32_t rest = entry.bytes - at;
        efm_sha256_add(&hash, entry.at + at, rest < HASH_PIECE ? rest : HASH_PIECE);
        (void)host->listen(host->context, false);
    }
    efm_sha256_end(&hash, bulk->small);
    return give_memory(bulk, asked, bulk->small, EFM_SHA256_BYTES);
}

static int open_output(efm_bulk *bulk, efm_link_bulk *asked, const efm_link_bulk *name)
{
    uint32_t number, bytes;
    const uint8_t *at;
    if (!read_number(name, &number)) {
        return EFM_LINK_BAD_REQUEST;
    }
    int status = efm_inference_output(bulk->inference, number, &at, &bytes);
    return status == EFM_OK ? give_memory(bulk, asked, at, bytes) : status;
}

static int open_package(efm_bulk *bulk, efm_link_bulk *asked)
{
    efm_store_entry entry;
    if (bulk->store == NULL || !efm_store_find(bulk->store, asked->name, asked->name_bytes, &entry)) {
        return EFM_LINK_NOT_FOUND;
    }
    bulk->at = entry.at;
    asked->total = entry.bytes;
    asked->crc = entry.crc;
    return EFM_OK;
}

static int open_read(efm_bulk *bulk, efm_link_bulk *asked)
{
    efm_link_bulk name = *asked;
    if (is(name, ":list")) {
        return open_list(bulk, asked);
    }
    if (is(name, ":run")) {
        if (bulk->inference->end.run == 0) {
            return EFM_LINK_NOT_FOUND;
        }
        efm_event_run_end(bulk->small, &bulk->inference->end);
        return give_memory(bulk, asked, bulk->small, EFM_RUN_END_BYTES);
    }
    if (is(name, ":maps")) {
        return open_maps(bulk, asked);
    }
    if (skip(&name, ":hash/")) {
        return open_hash(bulk, asked, &name);
    }
    if (skip(&name, ":output/")) {
        return open_output(bulk, asked, &name);
    }
    return open_package(bulk, asked);
}

static void give_records(efm_bulk *bulk, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    uint8_t record[EFM_BULK_RECORD];
    uint32_t size = bulk->records->bytes;
    while (count != 0) {
        uint32_t from = offset % size, rest = size - from;
        uint32_t part = count < rest ? count : rest;
        bulk->records->make(bulk, offset / size, record);
        memcpy(bytes, record + from, part);
        bytes += part;
        offset += part;
        count -= part;
    }
}

int efm_bulk_give(efm_bulk *bulk, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    if (bulk->at != NULL) {
        memcpy(bytes, bulk->at + offset, count);
    } else {
        give_records(bulk, offset, bytes, count);
    }
    return EFM_OK;
}

/* -- writing -------------------------------------------------------------------------------------- */

static int open_write(efm_bulk *bulk, efm_link_bulk *asked)
{
    efm_link_bulk name = *asked;
    if (is(name, ":input")) {
        asked->pulled = true;
        return EFM_OK;
    }
    bool replace = skip(&name, ":replace/");
    if (name.name_bytes == 0 || name.name[0] == ':') {
        return EFM_LINK_BAD_REQUEST;
    }
    if (bulk->store == NULL) {
        return EFM_LINK_NO_SPACE;
    }
    efm_store_package package = {name.name, name.name_bytes, asked->total, asked->crc};
    return efm_store_begin(bulk->store, &package, replace, &asked->start);
}

int efm_bulk_open(efm_bulk *bulk, efm_link_bulk *asked)
{
    int status = asked->writing ? open_write(bulk, asked) : open_read(bulk, asked);
    bulk->open = *asked;
    bulk->open.name = NULL; /* it was the caller's */
    return status;
}

int efm_bulk_take(efm_bulk *bulk, const uint8_t *bytes, uint32_t count)
{
    return bulk->store != NULL ? efm_store_append(bulk->store, bytes, count) : EFM_LINK_REFUSED;
}

int efm_bulk_close(const efm_bulk *bulk, bool commit)
{
    if (!bulk->open.writing || !commit) {
        return EFM_OK; /* what was written waits for an OPEN_WRITE that goes on */
    }
    if (bulk->open.pulled) {
        return bulk->inference->pulled_crc == bulk->open.crc ? EFM_OK : EFM_BAD_CHECKSUM;
    }
    return efm_store_commit(bulk->store);
}
