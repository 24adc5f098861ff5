/* SPDX-License-Identifier: Apache-2.0 */
/* What this build is and can run. */
#include "codecs/codec.h"
#include "codecs/list.h"
#include "config.h"
#include "edgefm.h"
#include "kernels/kernel.h"
#include "ops/op.h"

const char *efm_version(void)
{
    return EFM_VERSION;
}

uint32_t efm_features(void)
{
    uint32_t without = (EFM_WITH_CAPS ? 0u : EFM_FEATURE_CAPPED) | (EFM_WITH_TILES ? 0u : EFM_FEATURE_QUALITY)
                       | (EFM_HAS(TEMPORAL) ? 0u : EFM_FEATURE_TEMPORAL)
                       | (EFM_WITH_WEIGHT_CODES ? 0u : EFM_FEATURE_WEIGHT_CODES | EFM_FEATURE_WEIGHT_TILES)
                       | (EFM_WITH_MAPS ? 0u : EFM_FEATURE_EXTERNAL | EFM_FEATURE_CODED | EFM_FEATURE_PAIRED)
                       | (EFM_WITH_WEIGHT_PORT ? 0u : EFM_FEATURE_WEIGHT_PORT)
                       | (EFM_HAS_CODECS ? 0u : EFM_FEATURE_CODED | EFM_FEATURE_PAIRED | EFM_FEATURE_CAPPED);

    return EFM_FEATURES & ~without;
}

uint32_t efm_packings(void)
{
    const efm_kernel *kernel = efm_kernel_choose();
    return kernel->conv_packings | kernel->depthwise_packings;
}

const char *efm_kernels(void)
{
    return efm_kernel_choose()->name;
}

int efm_has_operator(uint32_t id)
{
    uint32_t last = EFM_WITH_MAPS ? EFM_OP_STORE : EFM_OP_OUTPUT;
    return (id >= EFM_OP_INPUT && id <= last) || efm_op_find(id) != 0;
}

int efm_has_codec(uint32_t id)
{
    return id == EFM_CODEC_RAW || efm_codec_find(id) != 0;
}
