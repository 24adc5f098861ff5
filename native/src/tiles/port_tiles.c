/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles behind the weight port. A tile is brought into one slot of its operator's buffer, is held against its checksum,
 * and is used where it is, or, where it is coded, decoded into the other slot. The slot that is not in use takes the
 * next tile meanwhile. At most one transfer is under way, and none when a firing ends.
 *
 * What a kernel reads here may be changed by what a forged package lets overlap, and some kernels look at a table more
 * than once. So a firing is refused that writes where its tiles are. */
#define EFM_SHARED_HERE
#include "tiles.h"

#include <stddef.h>
#include <string.h>

#include "../memory/transfer.h"
#include "../share.h"
#include "weight_memory.h"

#if EFM_WITH_WEIGHT_PORT

extern inline int32_t efm_transfer_begin(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                         uint32_t *ticket);
extern inline int32_t efm_transfer(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                   uint32_t burst, uint32_t *ticket);

enum { MIXING = 0x9e3779b1, SHIFT = 15 };

static inline uint32_t mixed(uint32_t sum, uint32_t word)
{
    sum = (sum ^ word) * MIXING;
    return sum ^ sum >> SHIFT;
}

uint32_t efm_word_sum(const uint8_t *bytes, uint32_t count)
{
    uint32_t sum = count, word = 0;
#ifndef __OPTIMIZE_SIZE__
    for (; count >= 16; count -= 16, bytes += 16) {
        sum = mixed(sum, efm_load_le32(bytes));
        sum = mixed(sum, efm_load_le32(bytes + 4));
        sum = mixed(sum, efm_load_le32(bytes + 8));
        sum = mixed(sum, efm_load_le32(bytes + 12));
    }
#endif
    for (; count >= 4; count -= 4, bytes += 4) {
        sum = mixed(sum, efm_load_le32(bytes));
    }
    for (uint32_t i = 0; i < count; i++) {
        word |= (uint32_t)bytes[i] << 8 * i;
    }
    return count > 0 ? mixed(sum, word) : sum;
}

typedef struct fetching {
    efm_parts *parts;
    efm_port port;
    efm_tile_buffer buffer;
    uint32_t next; /* slot of the tile that is under way, or was read last */
    uint32_t ticket;
    int busy;
} fetching;

static uint8_t *slot_at(const fetching *f, uint32_t slot)
{
    return f->parts->run->arena + f->buffer.offset + slot * f->buffer.slot_bytes;
}

/* -- the port --------------------------------------------------------------------------------------- */

/* Weights that are mapped are copied where the host has no port of its own. */
static int32_t copy(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    memcpy(to, (const uint8_t *)port + address, bytes);
    *ticket = 0;
    return 0;
}

static int32_t copied(void *port, uint32_t ticket)
{
    (void)port;
    return ticket == 0 ? 0 : -1;
}

static efm_port port_of(const efm_running *run)
{
    uint8_t *mapped = (uint8_t *)(uintptr_t)run->model->section[EFM_SECTION_WEIGHTS].at;
    return run->host->weights.begin_read != NULL ? run->host->weights : (efm_port){copy, NULL, copied, mapped};
}

static efm_status begin(fetching *f, uint32_t number)
{
    const efm_running *run = f->parts->run;
    efm_tile_view tile;
    if (number >= f->parts->tiles.count) {
        return EFM_OK;
    }
    efm_model_tile(run->model, f->parts->tiles.first + number, &tile);
    uint32_t bytes = efm_model_weight_transfer(run->model, tile.bytes);
    run->counters->weight_read_bytes += bytes;
    run->counters->weight_port_bytes += bytes;
    f->busy = efm_transfer(&f->port, 1, tile.offset, slot_at(f, f->next), bytes,
                           efm_model_field(run->model, EFM_AT_WEIGHT_BURST), &f->ticket)
              == 0;
    return f->busy ? EFM_OK : EFM_PORT_FAILED;
}

static efm_status settle(fetching *f)
{
    int busy = f->busy;
    f->busy = 0;
    return !busy || f->port.wait(f->port.port, f->ticket) == 0 ? EFM_OK : EFM_PORT_FAILED;
}

/* Waits for tile `number`, and starts on the next as soon as a slot is free for it; *at is where the tile is as kernels
   take it. */
static efm_status take(fetching *f, const efm_tile_view *tile, uint32_t number, uint8_t **at)
{
    uint8_t *stored = slot_at(f, f->next);
    int coded = tile->code != EFM_WEIGHTS_RAW;
    efm_status status = settle(f);
    *at = stored;
    if (!coded) {
        f->next = f->buffer.slots - 1 - f->next;
        status = status == EFM_OK && f->buffer.slots > 1 ? begin(f, number + 1) : status;
    }
    if (status == EFM_OK && efm_word_sum(stored, tile->bytes) != tile->crc) {
        status = EFM_BAD_CHECKSUM;
    }
    if (status == EFM_OK && coded) {
        uint32_t head = efm_tile_head(tile);
        *at = slot_at(f, f->buffer.slots - 1 - f->next);
        memcpy(*at, stored, head);
        status = efm_decode_tile(f->parts, tile, stored, (int8_t *)*at + head);
        status = status == EFM_OK ? begin(f, number + 1) : status;
    }
    return status;
}

/* -- a firing --------------------------------------------------------------------------------------- */

static int meet(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/* Whether the firing writes into its tiles' buffer. */
static int writes_tiles(const fetching *f)
{
    const efm_op_args *args = f->parts->args;
    const uint8_t *buffer = slot_at(f, 0);
    uint32_t bytes = f->buffer.slots * f->buffer.slot_bytes;
    int found = meet(buffer, bytes, args->scratch, args->scratch_bytes);
    for (uint32_t i = 0; i < args->n_out; i++) {
        const efm_rows *out = &args->out[i];
        for (uint32_t y = args->first; y - args->first < args->count; y++) {
            found |= meet(buffer, bytes, efm_row(out, y),
                          (out->width - 1) * out->pixel_stride + out->channels * out->element);
        }
    }
    return found;
}

/* The operator as it is for a tile that has come. Constants that an operator looks at are looked at here. */
static efm_status make_part(const efm_parts *p, const efm_tile_view *tile, const uint8_t *at, efm_part *part)
{
    int by_channel = efm_goes_by_channel(p->entry);
    part->args = *p->args;
    if (by_channel) {
        efm_part_of(p->args, p->entry, tile, p->table, part);
    }
    part->args.weights = at;
    return !by_channel || EFM_KERNEL_MVE || EFM_HAS_EXTRA ? p->entry->check(&part->args) : EFM_OK;
}

/* Not inlined, so that a firing keeps what it knows of a tile no longer than it needs it. */
static __attribute__((noinline)) efm_status fire_part(fetching *f, uint32_t number)
{
    const efm_parts *p = f->parts;
    efm_tile_view tile;
    efm_part part;
    efm_status status = EFM_OK;
    efm_model_tile(p->run->model, p->tiles.first + number, &tile);
    uint8_t *at = slot_at(f, tile.code != EFM_WEIGHTS_RAW ? 0 : f->buffer.slots - 1);
    if (!(tile.flags & EFM_TILE_KEPT) || p->args->first == 0) {
        status = take(f, &tile, number, &at);
    }
    status = status == EFM_OK ? make_part(p, &tile, at, &part) : status;
    if (status != EFM_OK) {
        return status;
    }
    efm_share(p->run->host->workers, p->entry, &part.args);
    return f->buffer.slots > 1 ? EFM_OK : begin(f, number + 1);
}

efm_status efm_run_ported(efm_parts *p)
{
    fetching f = {.parts = p, .port = port_of(p->run), .buffer = efm_tile_buffer_of(p->run->model, p->tiles.buffer)};
    const uint8_t *first = efm_model_record(p->run->model, EFM_SECTION_TILES, p->tiles.first);
    f.next = f.buffer.slots - 1;
    efm_status status = writes_tiles(&f) ? EFM_BAD_BUFFER : EFM_OK;
    if (status == EFM_OK && (!(first[EFM_TILE_AT_FLAGS] & EFM_TILE_KEPT) || p->args->first == 0)) {
        status = begin(&f, 0);
    }
    for (uint32_t i = 0; status == EFM_OK && i < p->tiles.count; i++) {
        status = fire_part(&f, i);
    }
    efm_status settled = settle(&f);
    return status == EFM_OK ? settled : status;
}

#endif
