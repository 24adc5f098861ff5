/* SPDX-License-Identifier: Apache-2.0 */
/* Where a build for size does not inline them. */
#define EFM_SHARED_HERE
#include "rows.h"

#include "memory/transfer.h"

extern inline uint8_t *efm_row(const efm_rows *rows, uint32_t y);
extern inline int32_t efm_transfer_begin(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                         uint32_t *ticket);
extern inline int32_t efm_transfer(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                   uint32_t burst, uint32_t *ticket);
