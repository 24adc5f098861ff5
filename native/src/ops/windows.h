/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of CONV that are larger than a pixel. */
#ifndef EFM_WINDOWS_H
#define EFM_WINDOWS_H

#include "convolution.h"

/* What the windows of `count` output pixels of a row, (y, x) and on, see, to `to`, one after another:
   [kernel_h][kernel_w][in channels] each. Outside the map it is the zero point. */
void efm_gather_windows(const efm_rows *in, const efm_window *w, uint32_t y, uint32_t x, uint32_t count, int8_t *to);

/* Where it lies, pixel by pixel: [kernel_h][kernel_w] each. Outside the map it is the pixel `padding`. */
void efm_list_windows(const efm_rows *in, const efm_window *w, uint32_t y, uint32_t x, uint32_t count,
                      const int8_t *padding, const int8_t **to);

#endif
