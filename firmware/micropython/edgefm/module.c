/* SPDX-License-Identifier: Apache-2.0 */
/* The module `edgefm` and its class: tables in flash of a firmware, made when it is imported in a .mpy. */
#include "model.h"
#include "module.h"

#if !MICROPY_ENABLE_DYNRUNTIME
#include "py/objstr.h"
#endif

static mp_obj_t enter(mp_obj_t self)
{
    return self;
}

/* The instruction set of the kernels: what deploying a package asks. */
static mp_obj_t kernels(void)
{
    return efm_mp_text(efm_kernels());
}

static MP_DEFINE_CONST_FUN_OBJ_0(kernels_object, kernels);
static MP_DEFINE_CONST_FUN_OBJ_KW(predict_object, 1, efm_mp_predict);
static MP_DEFINE_CONST_FUN_OBJ_1(plan_object, efm_mp_plan);
static MP_DEFINE_CONST_FUN_OBJ_1(profile_object, efm_mp_profile);
static MP_DEFINE_CONST_FUN_OBJ_1(deinit_object, efm_mp_model_deinit);
static MP_DEFINE_CONST_FUN_OBJ_1(enter_object, enter);
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(exit_object, 4, 4, efm_mp_model_exit);

#if MICROPY_ENABLE_DYNRUNTIME

/* Of the .mpy's zeroed memory, which a soft reset frees with the rest; not static, as mpy_ld asks. */
mp_obj_full_type_t efm_mp_model_type;
mp_map_elem_t efm_mp_methods[6];
static MP_DEFINE_CONST_DICT(methods, efm_mp_methods);

static void method(size_t index, qstr name, const void *function)
{
    efm_mp_methods[index] = (mp_map_elem_t){MP_OBJ_NEW_QSTR(name), MP_OBJ_FROM_PTR(function)};
}

static void make_type(void)
{
    method(0, MP_QSTR_predict, &predict_object);
    method(1, MP_QSTR_plan, &plan_object);
    method(2, MP_QSTR_profile, &profile_object);
    method(3, MP_QSTR_deinit, &deinit_object);
    method(4, MP_QSTR___enter__, &enter_object);
    method(5, MP_QSTR___exit__, &exit_object);
    efm_mp_model_type.base.type = &mp_type_type;
    efm_mp_model_type.flags = MP_TYPE_FLAG_NONE;
    efm_mp_model_type.name = MP_QSTR_Model;
    MP_OBJ_TYPE_SET_SLOT(&efm_mp_model_type, make_new, efm_mp_model_make, 0);
    MP_OBJ_TYPE_SET_SLOT(&efm_mp_model_type, attr, efm_mp_model_attr, 1);
    MP_OBJ_TYPE_SET_SLOT(&efm_mp_model_type, locals_dict, (void *)&methods, 2);
}

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args)
{
    if (mp_fun_table.setjmp_ != NULL) {
        mp_raise_NotImplementedError("this MicroPython catches exceptions with setjmp: build edgefm into it");
    }
    MP_DYNRUNTIME_INIT_ENTRY
    make_type();
    mp_store_global(MP_QSTR_Model, MP_OBJ_FROM_PTR(&efm_mp_model_type));
    mp_store_global(MP_QSTR_kernels, MP_OBJ_FROM_PTR(&kernels_object));
    mp_store_global(MP_QSTR___version__, efm_mp_text(EFM_VERSION));
    MP_DYNRUNTIME_INIT_EXIT
}

#else

static const mp_rom_map_elem_t method_table[] = {
    {MP_ROM_QSTR(MP_QSTR_predict), MP_ROM_PTR(&predict_object)},
    {MP_ROM_QSTR(MP_QSTR_plan), MP_ROM_PTR(&plan_object)},
    {MP_ROM_QSTR(MP_QSTR_profile), MP_ROM_PTR(&profile_object)},
    {MP_ROM_QSTR(MP_QSTR_deinit), MP_ROM_PTR(&deinit_object)},
    {MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&enter_object)},
    {MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&exit_object)},
};
static MP_DEFINE_CONST_DICT(methods, method_table);

static MP_DEFINE_CONST_OBJ_TYPE(model_type, MP_QSTR_Model, MP_TYPE_FLAG_NONE, make_new, efm_mp_model_make, attr,
                                efm_mp_model_attr, locals_dict, &methods);

static MP_DEFINE_STR_OBJ(version, EFM_VERSION);

static const mp_rom_map_elem_t global_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_edgefm)},
    {MP_ROM_QSTR(MP_QSTR___version__), MP_ROM_PTR(&version)},
    {MP_ROM_QSTR(MP_QSTR_Model), MP_ROM_PTR(&model_type)},
    {MP_ROM_QSTR(MP_QSTR_kernels), MP_ROM_PTR(&kernels_object)},
};
static MP_DEFINE_CONST_DICT(globals, global_table);

const mp_obj_module_t efm_mp_module = {.base = {&mp_type_module}, .globals = (mp_obj_dict_t *)&globals};
MP_REGISTER_MODULE(MP_QSTR_edgefm, efm_mp_module);

#endif
