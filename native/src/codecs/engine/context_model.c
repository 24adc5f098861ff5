/* SPDX-License-Identifier: Apache-2.0 */
/* Those functions of the header that a build for size does not inline. */
#define EFM_SHARED_HERE
#include "context_model.h"

extern inline efm_context_around efm_context_look_around(const efm_codec_args *args, const int8_t *above,
                                                         const int8_t *row, uint32_t x);
extern inline int32_t efm_context_near(const efm_context *m, const efm_context_around *a, uint32_t c);
extern inline void efm_context_look(const efm_context *m, const efm_context_around *a, uint32_t first, uint32_t count,
                                    efm_context_survey *s);
extern inline void efm_context_learn(const efm_context *m, uint32_t c, int32_t near, const efm_context_guess *g,
                                     int32_t v);
extern inline uint16_t *efm_context_zero_odds(const efm_context *m, const efm_context_guess *g);
extern inline uint16_t *efm_context_side_odds(const efm_context *m, const efm_context_guess *g);
