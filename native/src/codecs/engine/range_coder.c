/* SPDX-License-Identifier: Apache-2.0 */
/* Those functions of the header that a build for size does not inline. */
#define EFM_SHARED_HERE
#include "range_coder.h"

extern inline void efm_range_refill(efm_range *k);
extern inline uint32_t efm_range_read_bit(efm_range *k, uint16_t *odds);
extern inline uint32_t efm_range_read_plain(efm_range *k, uint32_t bits);
extern inline efm_range efm_range_open(const uint8_t *code, uint32_t size);
extern inline int efm_range_spent(const efm_range *k);
extern inline void efm_range_raise(efm_range *k, uint32_t amount);
extern inline void efm_range_drain(efm_range *k);
extern inline void efm_range_write_bit(efm_range *k, uint16_t *odds, uint32_t bit);
extern inline void efm_range_write_plain(efm_range *k, uint32_t value, uint32_t bits);
extern inline uint32_t efm_range_finish(efm_range *k);
