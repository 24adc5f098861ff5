/* SPDX-License-Identifier: Apache-2.0 */
#define EFM_SHARED_HERE
#include "lookahead.h"

extern inline int efm_near_on(void *with);
extern inline uint32_t efm_near_window(const uint8_t *code, uint32_t at);

int efm_near_turn(efm_near *in)
{
    uint32_t from = in->at / 8, left = in->bits / 8 - from;

    if (in->at > in->bits || in->code == in->end) {
        return in->at <= in->bits;
    }
    memset(in->end, 0, sizeof in->end);
    memcpy(in->end, in->code + from, left);
    in->code = in->end;
    in->at %= 8;
    in->bits = 8 * left;
    efm_near_limit(in, in->bits);
    return 1;
}

void efm_near_open(efm_near *in, const uint8_t *code, uint32_t bytes, uint32_t width)
{
    in->code = code;
    in->at = 0;
    in->width = width;
    in->bits = 8 * bytes;
    efm_near_limit(in, 8 * (bytes - EFM_STRIDE));
    if (bytes < EFM_STRIDE) {
        efm_near_turn(in);
    }
}
