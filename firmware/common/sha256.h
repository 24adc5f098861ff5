/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) of bytes that come in pieces.
 *
 *     efm_sha256 hash;
 *     efm_sha256_start(&hash);
 *     while (more(&bytes, &count))
 *         efm_sha256_add(&hash, bytes, count);
 *     efm_sha256_end(&hash, digest);
 */
#ifndef EFM_SHA256_H
#define EFM_SHA256_H

#include <stdint.h>

enum { EFM_SHA256_BYTES = 32, EFM_SHA256_BLOCK = 64 };

typedef struct efm_sha256 {
    uint32_t state[8];
    uint64_t bytes;                 /* so far */
    uint8_t block[EFM_SHA256_BLOCK]; /* the last bytes % 64 of them */
} efm_sha256;

void efm_sha256_start(efm_sha256 *hash);
void efm_sha256_add(efm_sha256 *hash, const uint8_t *bytes, uint32_t count);

/* Writes the digest; the state is used up. */
void efm_sha256_end(efm_sha256 *hash, uint8_t digest[EFM_SHA256_BYTES]);

#endif
