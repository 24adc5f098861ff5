/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a port moves bytes as efm_port promises: a pattern goes out and comes back, in transfers of any length,
 * several of them under way, to and from any pointer. docs/PROTOCOL.md, TEST. */
#ifndef EFM_PROOF_H
#define EFM_PROOF_H

#include "port.h"

/* 0: no tests of memory, some 900 bytes of code less. */
#ifndef EFM_WITH_MEMORY_TEST
#define EFM_WITH_MEMORY_TEST 1
#endif

enum { EFM_PROOF_WRITE = 1, EFM_PROOF_READ = 2 }; /* flags */
enum { EFM_PROOF_CONSTANT = 0, EFM_PROOF_MIXED = 1, EFM_PROOF_PATTERNS }; /* of bytes */
enum { EFM_PROOF_OVERLAP_MAX = 4, EFM_PROOF_LEAD_MAX = 7 };

typedef struct efm_proof_order {
    uint32_t flags;   /* with both, each piece is read while a later one is written */
    uint32_t pattern;
    uint32_t overlap; /* transfers of a kind under way at once, from 1 on */
    uint32_t lead;    /* bytes behind an aligned address that pointers on the fast side have */
    uint32_t piece;   /* bytes of a transfer */
    uint32_t address, bytes;
    uint32_t seed;    /* constant: the byte; mixed: another seed gives other bytes */
} efm_proof_order;

typedef struct efm_proof_report {
    uint32_t wrong;   /* bytes that came back as others */
    uint32_t first;   /* address of the first of them */
    uint8_t expected, got; /* there */
    uint8_t bits;     /* all that were wrong anywhere */
    uint32_t spilled; /* bytes beside the fast side's buffers that were overwritten */
    uint64_t ticks[2]; /* of writes, of reads: from begin_…() to the end of wait(), without patterns and comparing */
} efm_proof_report;

/* The byte of a pattern at an address. */
uint8_t efm_proof_byte(uint32_t pattern, uint32_t seed, uint32_t address);

/* `look` is called between transfers; other than 0 ends the test with EFM_HOST_FAILED. EFM_BAD_ARGUMENT: the arena is too
   small for the order. EFM_PORT_FAILED: the port refused a transfer. */
EFM_MUST_CHECK int efm_proof_run(const efm_board *board, const efm_port *port, const efm_proof_order *order,
                                 int32_t (*look)(void *context), void *context, efm_proof_report *report);

#endif
