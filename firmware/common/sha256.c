/* SPDX-License-Identifier: Apache-2.0 */
#include "sha256.h"

#include <string.h>

/* First 32 bits of the fractions of the square roots (START) and cube roots (ROUND) of the first primes. */
static const uint32_t START[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                  0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

static const uint32_t ROUND[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u};

static uint32_t turn(uint32_t x, uint32_t n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(uint8_t *p, uint32_t v)
{
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

/* Word t of the message schedule; the last 16 are kept. */
static uint32_t schedule(uint32_t w[16], uint32_t t)
{
    if (t < 16) {
        return w[t];
    }
    uint32_t old = w[(t - 15) % 16], late = w[(t - 2) % 16];
    uint32_t s0 = turn(old, 7) ^ turn(old, 18) ^ old >> 3, s1 = turn(late, 17) ^ turn(late, 19) ^ late >> 10;
    return w[t % 16] += s0 + w[(t - 7) % 16] + s1;
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[16], v[8];
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = load_be32(block + 4 * i);
    }
    memcpy(v, state, sizeof v);
    for (uint32_t t = 0; t < 64; t++) {
        uint32_t s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
        uint32_t s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
        uint32_t one = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + ROUND[t] + schedule(w, t);
        uint32_t two = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void efm_sha256_start(efm_sha256 *hash)
{
    memcpy(hash->state, START, sizeof hash->state);
    hash->bytes = 0;
}

void efm_sha256_add(efm_sha256 *hash, const uint8_t *bytes, uint32_t count)
{
    while (count != 0) {
        uint32_t at = (uint32_t)(hash->bytes % EFM_SHA256_BLOCK), room = EFM_SHA256_BLOCK - at;
        uint32_t part = count < room ? count : room;
        memcpy(hash->block + at, bytes, part);
        hash->bytes += part;
        bytes += part;
        count -= part;
        if (part == room) {
            compress(hash->state, hash->block);
        }
    }
}

void efm_sha256_end(efm_sha256 *hash, uint8_t digest[EFM_SHA256_BYTES])
{
    static const uint8_t padding[EFM_SHA256_BLOCK] = {0x80};
    uint64_t bits = hash->bytes * 8;
    uint8_t length[8];
    uint32_t at = (uint32_t)(hash->bytes % EFM_SHA256_BLOCK), fill = (at < 56 ? 56 : 120) - at;
    store_be32(length, (uint32_t)(bits >> 32));
    store_be32(length + 4, (uint32_t)bits);
    efm_sha256_add(hash, padding, fill);
    efm_sha256_add(hash, length, sizeof length);
    for (uint32_t i = 0; i < 8; i++) {
        store_be32(digest + 4 * i, hash->state[i]);
    }
}
