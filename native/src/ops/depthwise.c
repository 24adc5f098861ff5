/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: every output channel sees the window of one input channel. All scratch is the kernel's. */
#include "convolution.h"

#include "edgefm_bytes.h"

enum { PARAMS = EFM_WINDOW_PARAMS + 1 };

static uint32_t multiplier_of(const efm_op_args *args)
{
    return efm_load_le32(args->params + 4 * EFM_WINDOW_PARAMS);
}

static void depthwise_read(const efm_op_args *args, efm_depthwise_call *call)
{
    efm_window w;
    efm_window_read(args, &w);
    *call = (efm_depthwise_call){.in = args->in,
                                 .out = args->out,
                                 .first = args->first,
                                 .rows = args->count,
                                 .kernel_h = w.kernel_h,
                                 .kernel_w = w.kernel_w,
                                 .stride_h = w.stride_h,
                                 .stride_w = w.stride_w,
                                 .dilation_h = w.dilation_h,
                                 .dilation_w = w.dilation_w,
                                 .pad_top = w.pad_top,
                                 .pad_left = w.pad_left,
                                 .multiplier = multiplier_of(args),
                                 .scratch = args->scratch,
                                 .scratch_bytes = args->scratch_bytes};
    efm_tile_read(args, w.kernel_h * w.kernel_w, &call->tile);
}

static efm_status depthwise_check(const efm_op_args *args)
{
    efm_depthwise_call call;
    efm_status status = efm_convolution_check(args, PARAMS);
    if (status != EFM_OK) {
        return status;
    }
    uint32_t channels = args->out[0].channels, multiplier = multiplier_of(args);
    if (multiplier == 0 || channels % multiplier != 0 || channels / multiplier != args->in[0].channels) {
        return EFM_BAD_OPERATOR;
    }
    depthwise_read(args, &call);
    const efm_kernel *kernel = efm_kernel_choose();
    status = efm_tile_check(args, &call.tile, kernel->depthwise_packings, kernel->alignment);
    if (status != EFM_OK) {
        return status;
    }
    return args->scratch_bytes < kernel->depthwise_scratch(&call) ? EFM_BAD_OPERATOR : EFM_OK;
}

static void depthwise_run(const efm_op_args *args)
{
    efm_depthwise_call call;
    depthwise_read(args, &call);
    efm_kernel_choose()->depthwise(&call);
}

const efm_op_class efm_op_depthwise = {.id = EFM_OP_DEPTHWISE,
                                       .flags = EFM_OP_SHARES,
                                       .check = depthwise_check,
                                       .need = efm_convolution_need,
                                       .run = depthwise_run};
