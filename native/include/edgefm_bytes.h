/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian fields at any address, and the checksum of packages. Bytes are never cast to a struct. */
#ifndef EDGEFM_BYTES_H
#define EDGEFM_BYTES_H

#include <stdint.h>

/* Compilers merge these bytes into one load, but before that they judge the function too large to inline. */
#if defined(__GNUC__)
#define EFM_INLINE static inline __attribute__((always_inline))
#else
#define EFM_INLINE static inline
#endif

EFM_INLINE uint16_t efm_load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

EFM_INLINE uint32_t efm_load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

EFM_INLINE int32_t efm_load_le32s(const uint8_t *p)
{
    return (int32_t)efm_load_le32(p);
}

static inline void efm_store_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void efm_store_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

/* CRC-32 (reflected polynomial EDB88320, initial and final value FFFFFFFF; "123456789" -> CBF43926).
   To chain pieces, pass the previous result; start with 0. */
uint32_t efm_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

#endif
