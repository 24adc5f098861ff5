/* SPDX-License-Identifier: Apache-2.0 */
/* DETECTION: boxes decoded from anchors, best class each, overlapping ones dropped. Takes codes and
 * scores anchor by anchor, keeps 6 bytes of each, and decides when it has seen them all.
 *
 * Beside QUANTIZE and DEQUANTIZE the only operator with real arithmetic: float64 for decoding,
 * float32 for overlaps. One operation per statement, so that no compiler fuses two roundings into one. */
#include "operand.h"
#include "real.h"

enum { SCORE_MIN, CLASSES, DETECTIONS, PARAMS };
enum { BOXES, CLASS, SCORE, COUNT, OUTPUTS };

/* Weight section: float overlap limit, float score scale, double [4][256] by code, float [N][4]. */
enum { AT_LIMIT = 0, AT_SCALE = 4, AT_CODES = 8, AT_ANCHORS = AT_CODES + 4 * 256 * 8, ANCHOR_BYTES = 16 };

/* State of an anchor in scratch, behind the DETECTIONS boxes that were kept (16 bytes each). */
enum { STATE_CLASS = 4, STATE_SCORE = 5, STATE_BYTES = 6, BOX_BYTES = 16 };
enum { ANCHORS_MAX = 1 << 16, CLASSES_MAX = 256, DETECTIONS_MAX = 1 << 12 };

typedef struct box {
    float y0, x0, y1, x1;
} box;

static float load_float(const uint8_t *p)
{
    uint32_t bits = efm_load_le32(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void store_float(uint8_t *p, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    efm_store_le32(p, bits);
}

static uint8_t *anchor_state(const efm_op_args *args, uint32_t anchor)
{
    return args->scratch + (size_t)efm_param(args, DETECTIONS) * BOX_BYTES + (size_t)anchor * STATE_BYTES;
}

/* Remembers the box codes of an anchor, its best class (the first of equals) and that one's score. */
static void take_anchor(const efm_op_args *args, uint32_t anchor)
{
    const uint32_t classes = (uint32_t)efm_param(args, CLASSES);
    const int8_t *scores = (const int8_t *)efm_row(&args->in[1], anchor) + (args->in[1].channels - classes);
    uint8_t *state = anchor_state(args, anchor);
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++) {
        if (scores[c] > scores[best]) {
            best = c;
        }
    }
    memmove(state, efm_row(&args->in[0], anchor), 4);
    state[STATE_CLASS] = (uint8_t)best;
    state[STATE_SCORE] = (uint8_t)scores[best];
}

/* Lower and upper edge along one axis (0 = y, 1 = x). */
static void decode_axis(const efm_op_args *args, uint32_t anchor, uint32_t axis, float *low, float *high)
{
    const uint8_t *state = anchor_state(args, anchor);
    const uint8_t *codes = args->weights + AT_CODES;
    const uint8_t *at = args->weights + AT_ANCHORS + (size_t)anchor * ANCHOR_BYTES + 4 * axis;
    const uint8_t *offset = codes + 8 * (256 * axis + (state[axis] ^ 0x80u));
    const uint8_t *growth = codes + 8 * (256 * (axis + 2) + (state[axis + 2] ^ 0x80u));
    const float center = efm_multiply_add(offset, at + 8, at), half = efm_multiply_add(growth, at + 8, 0);
    *low = center - half;
    *high = center + half;
}

static float area(const box *b)
{
    const float height = b->y1 - b->y0;
    const float width = b->x1 - b->x0;
    return height * width;
}

static float overlap_1d(float a0, float a1, float b0, float b1)
{
    const float low = a0 > b0 ? a0 : b0, high = a1 < b1 ? a1 : b1;
    const float size = high - low;
    return size > 0.0f ? size : 0.0f;
}

/* Intersection over union; 0 when a box has no area. */
static float overlap(const box *a, const box *b)
{
    const float area_a = area(a), area_b = area(b);
    if (!(area_a > 0.0f) || !(area_b > 0.0f)) {
        return 0.0f;
    }
    const float height = overlap_1d(a->y0, a->y1, b->y0, b->y1);
    const float width = overlap_1d(a->x0, a->x1, b->x0, b->x1);
    const float shared = height * width;
    const float both = area_a + area_b;
    const float all = both - shared;
    return shared / all;
}

static int is_new(const efm_op_args *args, const box *candidate, uint32_t kept)
{
    const float limit = load_float(args->weights + AT_LIMIT);
    for (uint32_t i = 0; i < kept; i++) {
        box other;
        memcpy(&other, args->scratch + (size_t)i * BOX_BYTES, sizeof other);
        if (overlap(&other, candidate) > limit) {
            return 0;
        }
    }
    return 1;
}

static void report(const efm_op_args *args, uint32_t slot, const box *found, const uint8_t *state)
{
    uint8_t *to = efm_row(&args->out[BOXES], slot);
    const int32_t steps = (int8_t)state[STATE_SCORE] - args->in[1].zero_point;
    store_float(to, found->y0);
    store_float(to + 4, found->x0);
    store_float(to + 8, found->y1);
    store_float(to + 12, found->x1);
    store_float(efm_row(&args->out[CLASS], 0) + 4 * slot, state[STATE_CLASS]);
    store_float(efm_row(&args->out[SCORE], 0) + 4 * slot, (float)steps * load_float(args->weights + AT_SCALE));
}

/* Tries every anchor of one score, in order; returns how many boxes are kept now. */
static uint32_t take_score(const efm_op_args *args, int32_t score, uint32_t kept)
{
    for (uint32_t i = 0; i < args->in[0].height && kept < (uint32_t)efm_param(args, DETECTIONS); i++) {
        const uint8_t *state = anchor_state(args, i);
        box candidate;
        if ((int8_t)state[STATE_SCORE] != score) {
            continue;
        }
        decode_axis(args, i, 0, &candidate.y0, &candidate.y1);
        decode_axis(args, i, 1, &candidate.x0, &candidate.x1);
        if (!is_new(args, &candidate, kept)) {
            continue;
        }
        memcpy(args->scratch + (size_t)kept * BOX_BYTES, &candidate, sizeof candidate);
        report(args, kept++, &candidate, state);
    }
    return kept;
}

static void finish(const efm_op_args *args)
{
    uint32_t kept = 0;
    for (uint32_t slot = 0; slot < (uint32_t)efm_param(args, DETECTIONS); slot++) {
        memset(efm_row(&args->out[BOXES], slot), 0, 16);
    }
    memset(efm_row(&args->out[CLASS], 0), 0, efm_row_bytes(&args->out[CLASS]));
    memset(efm_row(&args->out[SCORE], 0), 0, efm_row_bytes(&args->out[SCORE]));
    for (int32_t score = 127; score >= efm_param(args, SCORE_MIN); score--) {
        kept = take_score(args, score, kept);
    }
    store_float(efm_row(&args->out[COUNT], 0), (float)kept);
}

static void run(const efm_op_args *args)
{
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        take_anchor(args, y);
    }
    if (args->count == args->in[0].height - args->first) {
        finish(args);
    }
}

static int rows_are(const efm_rows *rows, uint32_t height, uint32_t channels, uint32_t element)
{
    return rows->height == height && rows->width == 1 && rows->channels == channels && rows->element == element;
}

static efm_status check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 2, OUTPUTS, PARAMS) || !efm_param_within(args, SCORE_MIN, -128, 128)
        || !efm_param_within(args, CLASSES, 1, CLASSES_MAX) || !efm_param_within(args, DETECTIONS, 1, DETECTIONS_MAX)) {
        return EFM_BAD_OPERATOR;
    }
    const uint32_t anchors = args->in[0].height, detections = (uint32_t)efm_param(args, DETECTIONS);
    if (anchors > ANCHORS_MAX || !rows_are(&args->in[0], anchors, 4, 1)
        || !rows_are(&args->in[1], anchors, args->in[1].channels, 1)
        || args->in[1].channels < (uint32_t)efm_param(args, CLASSES)) {
        return EFM_BAD_OPERATOR;
    }
    if (!rows_are(&args->out[BOXES], detections, 4, 4) || !rows_are(&args->out[CLASS], 1, detections, 4)
        || !rows_are(&args->out[SCORE], 1, detections, 4) || !rows_are(&args->out[COUNT], 1, 1, 4)) {
        return EFM_BAD_OPERATOR;
    }
    if (args->weights_bytes != AT_ANCHORS + anchors * ANCHOR_BYTES
        || args->scratch_bytes < detections * BOX_BYTES + anchors * STATE_BYTES) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

const efm_op_class efm_op_detection = {
    .id = EFM_OP_DETECTION, .flags = EFM_OP_ACCUMULATES, .check = check, .need = efm_need_same, .run = run};
