/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"

#include <string.h>

enum { GUARD = 8, GUARDED = 0xA5 };

/* A piece on its way. */
typedef struct flight {
    uint8_t *at;
    uint32_t ticket, address, bytes;
    bool active;
} flight;

typedef struct proof {
    const efm_board *board;
    const efm_port *port;
    const efm_proof_order *order;
    efm_proof_report *report;
    flight flights[EFM_PROOF_OVERLAP_MAX][2]; /* out, and back */
} proof;

uint8_t efm_proof_byte(uint32_t pattern, uint32_t seed, uint32_t address)
{
    uint32_t mixed = ((address >> 2) + seed) * 0x9E3779B1u;
    mixed ^= mixed >> 15;
    return (uint8_t)(pattern == EFM_PROOF_CONSTANT ? seed : mixed >> address % 4 * 8);
}

static uint8_t byte_at(const proof *p, uint32_t address)
{
    return efm_proof_byte(p->order->pattern, p->order->seed, address);
}

static uint64_t ticks(const proof *p)
{
    return p->board->ticks(p->board->context);
}

/* What is read is other bytes before, and has guards around it. */
static int begin(proof *p, flight *one, uint32_t number, bool reads)
{
    const efm_proof_order *order = p->order;
    uint32_t offset = number * order->piece, rest = order->bytes - offset;
    one->address = order->address + offset;
    one->bytes = rest < order->piece ? rest : order->piece;
    memset(one->at - GUARD, GUARDED, one->bytes + 2 * GUARD);
    for (uint32_t i = 0; i < one->bytes; i++) {
        one->at[i] = (uint8_t)(byte_at(p, one->address + i) ^ -reads);
    }
    uint64_t began = ticks(p);
    int32_t failed = reads ? p->port->begin_read(p->port->port, one->address, one->at, one->bytes, &one->ticket)
                           : p->port->begin_write(p->port->port, one->address, one->at, one->bytes, &one->ticket);
    p->report->ticks[reads] += ticks(p) - began;
    one->active = failed == 0;
    return failed == 0 ? EFM_OK : EFM_PORT_FAILED;
}

static void compare(const proof *p, const flight *one)
{
    efm_proof_report *report = p->report;
    for (uint32_t i = 0; i < one->bytes; i++) {
        uint8_t expected = byte_at(p, one->address + i), got = one->at[i];
        if (expected != got && report->wrong++ == 0) {
            report->first = one->address + i;
            report->expected = expected;
            report->got = got;
        }
        report->bits |= expected ^ got;
    }
    const uint8_t *before = one->at - GUARD, *behind = one->at + one->bytes;
    for (uint32_t i = 0; i < GUARD; i++) {
        report->spilled += (uint32_t)((before[i] != GUARDED) + (behind[i] != GUARDED));
    }
}

static int finish(proof *p, flight *one, bool reads)
{
    if (!one->active) {
        return EFM_OK;
    }
    uint64_t began = ticks(p);
    int32_t failed = p->port->wait(p->port->port, one->ticket);
    p->report->ticks[reads] += ticks(p) - began;
    one->active = false;
    if (failed == 0 && reads) {
        compare(p, one);
    }
    return failed == 0 ? EFM_OK : EFM_PORT_FAILED;
}

static bool place(proof *p)
{
    uint32_t room = (p->order->lead + p->order->piece + 3 * GUARD) / GUARD * GUARD;
    uint8_t *at = p->board->arena + GUARD + p->order->lead;
    for (uint32_t i = 0; i < 2 * p->order->overlap; i++, at += room) {
        p->flights[i / 2][i % 2].at = at;
    }
    return 2 * room * p->order->overlap <= p->board->arena_bytes;
}

/* Piece `step` begins to go out, and the one `overlap` before it, or itself where nothing is written, to come back. */
static int make_step(proof *p, uint32_t step, uint32_t pieces)
{
    flight *pair = p->flights[step % p->order->overlap];
    bool write = (p->order->flags & EFM_PROOF_WRITE) != 0;
    uint32_t back = write ? step - p->order->overlap : step;
    int status = write && step < pieces ? begin(p, &pair[0], step, false) : EFM_OK;
    if (status == EFM_OK && (p->order->flags & EFM_PROOF_READ) != 0 && back < pieces) {
        status = begin(p, &pair[1], back, true);
    }
    return status;
}

int efm_proof_run(const efm_board *board, const efm_port *port, const efm_proof_order *order,
                  int32_t (*look)(void *context), void *context, efm_proof_report *report)
{
    proof p = {.board = board, .port = port, .order = order, .report = report};
    uint32_t pieces = (order->bytes + order->piece - 1) / order->piece;
    int status = EFM_OK;
    memset(report, 0, sizeof *report);
    if (!place(&p)) {
        return EFM_BAD_ARGUMENT;
    }
    for (uint32_t step = 0; step < pieces + 2 * order->overlap; step++) {
        for (uint32_t reads = 0; reads < 2; reads++) { /* also after a failure: nothing stays under way */
            int ended = finish(&p, &p.flights[step % order->overlap][reads], reads != 0);
            status = status == EFM_OK ? ended : status;
        }
        if (status == EFM_OK) {
            status = look(context) == 0 ? make_step(&p, step, pieces) : EFM_HOST_FAILED;
        }
        if (status != EFM_OK && step < pieces) {
            step = pieces;
        }
    }
    return status;
}
