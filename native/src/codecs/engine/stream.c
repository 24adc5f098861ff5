/* SPDX-License-Identifier: Apache-2.0 */
/* Those functions of the header that a build for size does not inline. */
#define EFM_SHARED_HERE
#include "stream.h"

extern inline void efm_bits_fill(efm_bits_in *in);
extern inline uint32_t efm_bits_take(efm_bits_in *in, uint32_t count);
extern inline void efm_bits_add(efm_bits_out *out, uint32_t bits, uint32_t count);
extern inline uint32_t efm_bits_close(efm_bits_out *out, const uint8_t *code);
extern inline int efm_bits_done(const efm_bits_in *in);
