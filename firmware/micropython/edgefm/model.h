/* SPDX-License-Identifier: Apache-2.0 */
/* edgefm.Model: a package that is open, its memories, and what the last run took. */
#ifndef EFM_MP_MODEL_H
#define EFM_MP_MODEL_H

#include "edgefm.h"
#include "external.h"
#include "memory.h"

/* What one stage took. */
typedef struct efm_mp_stage {
    uint32_t us;
    uint32_t external_read_bytes;
    uint32_t external_write_bytes;
    uint32_t weight_read_bytes;
} efm_mp_stage;

/* One input or output of a run. */
typedef struct efm_mp_end {
    uint8_t *at;       /* a whole tensor, or null: */
    mp_obj_t iterator; /* rows one after the other */
} efm_mp_end;

typedef struct efm_mp_model {
    mp_obj_base_t base;
    mp_obj_t name;             /* what messages call it */
    efm_model model;
    efm_mp_memory package, fast;
    uint32_t arena_lead;       /* bytes of `fast` before the arena, which is aligned */
    efm_mp_external external;
    bool is_open, is_running, has_run;
    uint32_t frame;            /* the next of a stream */
    mp_obj_t inputs, outputs;  /* tuples, made when they are asked for */
    efm_mp_end *ends;          /* [inputs + outputs] of the run that is under way */
    /* The last run. */
    efm_status status;
    mp_obj_t clock;
    uint32_t began, runs, us;
    efm_counters counters, before;
    efm_mp_memory figures;     /* where the next two are */
    efm_mp_stage *stages;      /* [stages] */
    efm_map_counters *maps;    /* [maps], or null */
} efm_mp_model;

/* The name for messages: of its file, or "package". */
const char *efm_mp_name(const efm_mp_model *self);

/* Raises ValueError if it is closed, running, or if memory that it was lent is gone. */
void efm_mp_model_check(const efm_mp_model *self);

/* Finds the package that `source` is or names, and opens it. Raises OSError, MemoryError, ValueError. */
void efm_mp_package_open(efm_mp_model *self, mp_obj_t source, bool verify);

/* Runs it once: args are the model and its inputs. Returns a tuple of outputs. */
mp_obj_t efm_mp_predict(size_t count, const mp_obj_t *args, mp_map_t *keywords);

/* An input's or output's tensor, input by input and then the outputs. */
void efm_mp_tensor(const efm_mp_model *self, uint32_t end, efm_tensor *tensor);

/* The code of an element in MicroPython's arrays, and its name. */
char efm_mp_typecode(uint32_t type);

/* Tuples of what inputs and outputs are, and what the model takes and took. */
mp_obj_t efm_mp_ends(efm_mp_model *self, bool outputs);
mp_obj_t efm_mp_plan(mp_obj_t self);
mp_obj_t efm_mp_profile(mp_obj_t self);

#endif
