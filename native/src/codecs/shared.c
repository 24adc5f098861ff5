/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

uint32_t efm_zero_run(const efm_codec_args *args, const int8_t *row, uint32_t i, uint32_t longest)
{
    uint32_t left = args->width * args->channels - i;
    uint32_t most = left < longest ? left : longest;
    uint32_t run = 0;

    while (run < most && row[efm_planar(args, i + run)] == args->zero_point) {
        run++;
    }
    return run;
}

efm_status efm_no_tables(const efm_codec_args *args)
{
    return args->tables_bytes == 0 ? EFM_OK : EFM_BAD_CODEC;
}

uint32_t efm_no_state(const efm_codec_args *args)
{
    (void)args;
    return 0;
}

void efm_no_skip(const efm_codec_args *args, const int8_t *row)
{
    (void)args;
    (void)row;
}
