/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of CONV, in assembly: four output channels of a list of pixels, three at a time or one by one. A
 * sum begins with its channel's bias; then the runs of a pixel are added, 16 products an instruction, and the last
 * instructions of a run take the rest of it: no byte behind a pixel or a weight row is read. */
#ifndef EFM_MVE_BLOCKS_H
#define EFM_MVE_BLOCKS_H

#include "mve.h"

/* Where a pair of rows, the first and third or the second and fourth, begins. The order is that of the registers
   which one instruction loads: r0, r2, r4 (sums of the first row), r6, r7 (first row), r8, r9 (other row), r10. */
typedef struct efm_mve_pair {
    int32_t sum0, sum1, sum2, other_sum0;
    const int8_t *row;
    int32_t other_sum1;
    const int8_t *other_row;
    int32_t other_sum2;
} efm_mve_pair;

/* Bits of efm_mve_block.how */
enum {
    EFM_MVE_RAW = 1,      /* sums go to `sums`, four for each pixel, and no byte is written */
    EFM_MVE_CORRECTED = 2 /* the list has what is added to all sums of each pixel, in front of where its bytes go */
};

/* Four channels. The assembly knows every offset. */
typedef struct efm_mve_block {
    efm_mve_pair pairs[2];
    int32_t zero_point;
    uint32_t how;
    const uint32_t *end;         /* of the list of pixels */
    int32_t multiplier[4];
    int32_t shift[4];            /* < 0, unless EFM_MVE_RAW */
    int32_t low[4], high[4];
    int32_t *sums;
} efm_mve_block;

/* A list has for each three pixels their pointers, the bytes of their run, what EFM_MVE_CORRECTED says, and where
   their bytes of the block's first channel go. A block moves the latter forward by four bytes. */
void efm_mve_three_of_one_run(efm_mve_block *block, uint32_t *list);

/* For each run three pointers, its bytes, and what they lack to a multiple of 16, since rows go forward by that. Then
   where these words begin and three zeros; then as above. */
void efm_mve_three_of_runs(efm_mve_block *block, uint32_t *list);

/* For each run of a pixel its pointer, its bytes, and what they lack; then two zeros; then as above. */
void efm_mve_one_of_runs(efm_mve_block *block, uint32_t *list);

#endif
