/* SPDX-License-Identifier: Apache-2.0 */
#include "convolution.h"

#include "edgefm_bytes.h"
#include "../fixed.h"
#include "../kernels/table.h"

void efm_window_read(const efm_op_args *args, efm_window *w)
{
    const uint8_t *at = args->params;
    w->kernel_h = efm_load_le32(at);
    w->kernel_w = efm_load_le32(at + 4);
    w->stride_h = efm_load_le32(at + 8);
    w->stride_w = efm_load_le32(at + 12);
    w->dilation_h = efm_load_le32(at + 16);
    w->dilation_w = efm_load_le32(at + 20);
    w->pad_top = efm_load_le32(at + 24);
    w->pad_left = efm_load_le32(at + 28);
}

void efm_tile_read(const efm_op_args *args, uint32_t depth, efm_tile *tile)
{
    uint32_t out = args->out[0].channels;
    if (EFM_WITH_PREPARE && args->own != 0) {
        *tile = (efm_tile){.table = args->own, .out = out, .depth = depth, .packing = EFM_PACKING_OWN};
        return;
    }
    tile->table = args->weights;
    tile->weights = (const int8_t *)args->weights + EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * out;
#if EFM_WITH_WEIGHT_CODES || EFM_HAS(SLICED)
    tile->weights = args->decoded != 0 ? args->decoded : tile->weights;
#endif
    tile->out = out;
    tile->depth = depth;
    tile->packing = args->packing;
}

uint32_t efm_own_tile(const efm_op_args *args, int depthwise, uint8_t *to)
{
    const efm_kernel *kernel = efm_kernel_choose();
    uint32_t (*bytes)(const efm_tile *) = depthwise ? kernel->depthwise_pack_bytes : kernel->conv_pack_bytes;
    efm_window w;
    efm_tile tile;
    if (bytes == 0 || args->packing != EFM_PACKING_ROWS) {
        return 0;
    }
    efm_window_read(args, &w);
    efm_tile_read(args, w.kernel_h * w.kernel_w * (depthwise ? 1 : args->in[0].channels), &tile);
    if (to != 0) {
        (depthwise ? kernel->depthwise_pack : kernel->conv_pack)(&tile, to);
    }
    return bytes(&tile);
}

/* One axis; parameters that were negative are huge here. */
static __attribute__((noinline)) int axis_fits(uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad,
                                               uint32_t out)
{
    return kernel - 1 < EFM_WINDOW_MAX && stride - 1 < INT32_MAX && dilation - 1 < INT32_MAX
           && kernel - 1 <= EFM_WINDOW_MAX / dilation && pad <= EFM_WINDOW_MAX && out - 1 <= EFM_START_MAX / stride;
}

static int map_fits(const efm_rows *map)
{
    return map->element == 1 && map->height - 1 < EFM_MAP_MAX && map->width - 1 < EFM_MAP_MAX
           && map->channels - 1 < EFM_MAP_MAX;
}

efm_status efm_convolution_check(const efm_op_args *args, uint32_t n_params)
{
    efm_window w;
    if (args->n_in != 1 || args->n_out != 1 || args->n_params != n_params) {
        return EFM_BAD_OPERATOR;
    }
    if (!map_fits(args->in) || !map_fits(args->out)) {
        return EFM_BAD_OPERATOR;
    }
    efm_window_read(args, &w);
    if (!axis_fits(w.kernel_h, w.stride_h, w.dilation_h, w.pad_top, args->out[0].height)
        || !axis_fits(w.kernel_w, w.stride_w, w.dilation_w, w.pad_left, args->out[0].width)
        || w.kernel_w > EFM_DEPTH_MAX / w.kernel_h) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* Bytes of the weights of a tile. */
static uint64_t packed_bytes(const efm_tile *tile)
{
    uint64_t padded = (tile->depth + 3u) & ~3u, even = (tile->out + 1u) & ~1u;
    return tile->packing == EFM_PACKING_HALVES  ? even * padded
           : tile->packing == EFM_PACKING_PAIRS ? 2 * even * padded
                                                : (uint64_t)tile->out * tile->depth;
}

efm_status efm_tile_check(const efm_op_args *args, const efm_tile *tile, uint32_t packings, uint32_t alignment)
{
    if (tile->packing >= EFM_PACKING_OWN || !(packings >> tile->packing & 1)) {
        return EFM_BAD_FEATURE;
    }
    if (tile->packing != EFM_PACKING_ROWS && (uintptr_t)tile->table % alignment != 0) {
        return EFM_BAD_ARGUMENT;
    }
    uint32_t head = EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * tile->out, bytes = args->weights_bytes;
    return bytes < head || bytes - head != packed_bytes(tile) ? EFM_BAD_OPERATOR : EFM_OK;
}

static uint32_t clamp_row(int32_t y, uint32_t height)
{
    return (uint32_t)efm_clamp(y, 0, (int32_t)height - 1);
}

void efm_convolution_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    efm_window w;
    efm_window_read(args, &w);
    int32_t top = (int32_t)(y * w.stride_h) - (int32_t)w.pad_top;
    int32_t extent = (int32_t)((w.kernel_h - 1) * w.dilation_h);
    *low = clamp_row(top, args->in[input].height);
    *high = clamp_row(top + extent, args->in[input].height);
}
