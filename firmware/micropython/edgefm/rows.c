/* SPDX-License-Identifier: Apache-2.0 */
/* predict(): rows go in from buffers or iterators, and out into arrays. Exceptions of Python code that runs meanwhile
 * end the run; the model is as before then. */
#include "model.h"

#include <string.h>

enum { WRAP = EFM_MP_TICKS_MASK };

static size_t tensor_bytes(const efm_tensor *tensor)
{
    return (size_t)tensor->rows * tensor->row_bytes;
}

/* -- callbacks of a run ------------------------------------------------------------------------------------- */

static int32_t on_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    const efm_mp_model *self = context;
    const efm_mp_end *end = &self->ends[input];
    mp_buffer_info_t buffer;
    if (end->at != NULL) {
        memcpy(row, end->at + (size_t)y * bytes, bytes);
        return 0;
    }
    mp_obj_t item = efm_mp_next(end->iterator);
    if (item == MP_OBJ_STOP_ITERATION) {
        efm_mp_value_error("input %u: got %u rows, expected more", (unsigned)input, (unsigned)y);
    }
    mp_get_buffer_raise(item, &buffer, MP_BUFFER_READ);
    if (buffer.len != bytes) {
        efm_mp_value_error("input %u: row %u has %u bytes, expected %u", (unsigned)input, (unsigned)y,
                           (unsigned)buffer.len, (unsigned)bytes);
    }
    memcpy(row, buffer.buf, bytes);
    return 0;
}

static int32_t on_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    const efm_mp_model *self = context;
    memcpy(self->ends[efm_model_inputs(&self->model) + output].at + (size_t)y * bytes, row, bytes);
    return 0;
}

/* What the stage that ends here took. */
static void end_stage(efm_mp_model *self, uint32_t stage, uint32_t now)
{
    const efm_counters *is = &self->counters, *was = &self->before;
    self->stages[stage] =
        (efm_mp_stage){.us = (now - self->began) & WRAP,
                       .external_read_bytes = (uint32_t)(is->external_read_bytes - was->external_read_bytes),
                       .external_write_bytes = (uint32_t)(is->external_write_bytes - was->external_write_bytes),
                       .weight_read_bytes = (uint32_t)(is->weight_read_bytes - was->weight_read_bytes)};
    self->us += self->stages[stage].us;
}

static void on_stage(void *context, uint32_t stage)
{
    efm_mp_model *self = context;
    uint32_t now = efm_mp_ticks_us(self->clock);
    if (stage > 0) {
        end_stage(self, stage - 1, now);
    }
    efm_mp_poll_stage();
    self->before = self->counters;
    self->began = efm_mp_ticks_us(self->clock);
}

static int32_t on_poll(void *context)
{
    (void)context;
    efm_mp_poll();
    return 0;
}

static void run(void *context)
{
    efm_mp_model *self = context;
    efm_host host = {.context = self,
                     .input = on_input,
                     .output = on_output,
                     .event = on_stage,
                     .poll = on_poll,
                     .port = efm_mp_external_port(&self->external),
                     .frame = self->frame,
                     .maps = self->maps};
    uint32_t bytes = efm_model_arena_bytes(&self->model);
    self->status = efm_run(&self->model, &host, self->fast.at + self->arena_lead, bytes, &self->counters);
}

/* -- one run ---------------------------------------------------------------------------------------------------- */

static void take_input(const efm_mp_model *self, uint32_t input, mp_obj_t given, efm_mp_end *end)
{
    mp_buffer_info_t buffer;
    efm_tensor tensor;
    efm_mp_tensor(self, input, &tensor);
    if (!mp_get_buffer(given, &buffer, MP_BUFFER_READ)) {
        *end = (efm_mp_end){.iterator = efm_mp_iterator(given)};
        return;
    }
    if (buffer.len != tensor_bytes(&tensor)) {
        efm_mp_value_error("input %u: got %u bytes, expected %u", (unsigned)input, (unsigned)buffer.len,
                           (unsigned)tensor_bytes(&tensor));
    }
    *end = (efm_mp_end){.at = buffer.buf, .iterator = given};
}

/* array.array(typecode, bytearray(bytes)) */
static mp_obj_t new_output(const efm_tensor *tensor)
{
    const char code = efm_mp_typecode(tensor->type);
    mp_obj_t bytes = mp_obj_new_int_from_uint((mp_uint_t)tensor_bytes(tensor));
    mp_obj_t args[2] = {mp_obj_new_str(&code, 1), mp_call_function_n_kw(mp_load_name(MP_QSTR_bytearray), 1, 0, &bytes)};
    return mp_call_function_n_kw(efm_mp_import(MP_QSTR_array, MP_QSTR_array), 2, 0, args);
}

static void take_output(const efm_mp_model *self, uint32_t output, mp_obj_t *given, efm_mp_end *end)
{
    mp_buffer_info_t buffer;
    efm_tensor tensor;
    efm_mp_tensor(self, efm_model_inputs(&self->model) + output, &tensor);
    if (*given == MP_OBJ_NULL) {
        *given = new_output(&tensor);
    }
    mp_get_buffer_raise(*given, &buffer, MP_BUFFER_RW);
    if (buffer.len != tensor_bytes(&tensor)) {
        efm_mp_value_error("out: output %u has %u bytes, got %u", (unsigned)output, (unsigned)tensor_bytes(&tensor),
                           (unsigned)buffer.len);
    }
    *end = (efm_mp_end){.at = buffer.buf, .iterator = *given};
}

/* out= is a buffer, or as many as there are outputs. */
static void spread_out(mp_obj_t out, size_t count, mp_obj_t *outputs)
{
    size_t given = 1;
    mp_obj_t *items = &out;
    if (out == mp_const_none) {
        return;
    }
    if (mp_obj_get_type(out) == &mp_type_tuple || mp_obj_get_type(out) == &mp_type_list) {
        mp_obj_get_array(out, &given, &items);
    }
    if (given != count) {
        efm_mp_value_error("out: got %u buffers, expected %u", (unsigned)given, (unsigned)count);
    }
    memcpy(outputs, items, count * sizeof *outputs);
}

static void take_frame(efm_mp_model *self, mp_int_t frame)
{
    if (frame != 0 && (uint32_t)frame != self->frame) {
        efm_mp_value_error("frame: got %d, expected 0 or %u", (int)frame, (unsigned)self->frame);
    }
    self->frame = (uint32_t)frame;
}

static void complain(const efm_mp_model *self)
{
    if (self->status == EFM_PORT_FAILED) {
        efm_mp_os_error();
    }
    if (self->status != EFM_OK) {
        efm_mp_value_error("%s: the run failed: %s", efm_mp_name(self), efm_status_name(self->status));
    }
}

/* A run that fails leaves the model as it was, but a stream starts over. */
static void run_once(efm_mp_model *self)
{
    uint32_t frame = self->frame;
    self->has_run = false;
    self->us = 0;
    self->clock = efm_mp_clock();
    self->is_running = true;
    mp_obj_t raised = efm_mp_guarded(run, self);
    self->is_running = false;
    self->ends = NULL;
    self->frame = 0;
    if (raised != MP_OBJ_NULL) {
        nlr_raise(raised);
    }
    complain(self);
    self->frame = frame + 1;
    self->has_run = true;
    self->runs++;
}

mp_obj_t efm_mp_predict(size_t count, const mp_obj_t *args, mp_map_t *keywords)
{
    enum { FRAME, OUT, KEYWORDS };
    efm_mp_model *self = MP_OBJ_TO_PTR(args[0]);
    const mp_arg_t allowed[KEYWORDS] = {{MP_QSTR_frame, MP_ARG_KW_ONLY | MP_ARG_INT, {.u_int = 0}},
                                        {MP_QSTR_out, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = mp_const_none}}};
    mp_arg_val_t values[KEYWORDS];
    efm_mp_end ends[2 * EFM_MAX_ENDS];
    mp_obj_t outputs[EFM_MAX_ENDS] = {MP_OBJ_NULL};
    mp_arg_parse_all(0, NULL, keywords, KEYWORDS, allowed, values);
    efm_mp_model_check(self);
    uint32_t n_in = efm_model_inputs(&self->model), n_out = efm_model_outputs(&self->model);
    if (count - 1 != n_in) {
        efm_mp_value_error("predict: got %u inputs, expected %u", (unsigned)(count - 1), (unsigned)n_in);
    }
    spread_out(values[OUT].u_obj, n_out, outputs);
    for (uint32_t i = 0; i < n_in; i++) {
        take_input(self, i, args[1 + i], &ends[i]);
    }
    for (uint32_t i = 0; i < n_out; i++) {
        take_output(self, i, &outputs[i], &ends[n_in + i]);
    }
    efm_mp_model_check(self); /* iterators may have run Python code */
    take_frame(self, values[FRAME].u_int);
    self->ends = ends;
    run_once(self);
    return mp_obj_new_tuple(n_out, outputs);
}
