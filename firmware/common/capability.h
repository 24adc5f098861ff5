/* SPDX-License-Identifier: Apache-2.0 */
/* The capability record of docs/PROTOCOL.md: what this build on this board is and can do. */
#ifndef EFM_CAPABILITY_H
#define EFM_CAPABILITY_H

#include "port.h"

/* First 8 bytes of the SHA-256 of sources and options, most significant first; the build sets it. */
#ifndef EFM_BUILD_ID
#define EFM_BUILD_ID 0
#endif

enum { EFM_CAPABILITY_BYTES = 104 };

/* Fills `record`; the store's two sizes are 0 until efm_capability_store(). */
void efm_capability_fill(uint8_t record[EFM_CAPABILITY_BYTES], const efm_board *board, bool timer_works);

/* The store's size, and the largest package that fits it now. */
void efm_capability_store(uint8_t record[EFM_CAPABILITY_BYTES], uint32_t bytes, uint32_t largest);

#endif
