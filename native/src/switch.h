/* SPDX-License-Identifier: Apache-2.0 */
/* Switches of lists: -DEFM_WITH_CONV=0 leaves an operator or a codec out, and its code with it where the linker drops
 * unused sections; without the switch it is in. */
#ifndef EFM_SWITCH_H
#define EFM_SWITCH_H

#include "switches.h"

/* EFM_HAS(CONV): 0 when the build says -DEFM_WITH_CONV=0, else 1. For #if and for C alike. */
#define EFM_HAS(name)                    EFM_HAS_VALUE(EFM_WITH_##name)
#define EFM_HAS_VALUE(value)             EFM_HAS_PASTED(value)
#define EFM_HAS_PASTED(value)            EFM_HAS_JUNK(EFM_IS_OFF_##value)
#define EFM_HAS_JUNK(junk)               EFM_HAS_PICK(junk 0, 1, ~)
#define EFM_HAS_PICK(first, second, ...) second
#define EFM_IS_OFF_0                     ~,

/* EFM_WHEN(CONV, tokens): the tokens where EFM_HAS(CONV), else nothing. */
#define EFM_WHEN(name, ...)       EFM_WHEN_VALUE(EFM_HAS(name), __VA_ARGS__)
#define EFM_WHEN_VALUE(has, ...)  EFM_WHEN_PASTED(has, __VA_ARGS__)
#define EFM_WHEN_PASTED(has, ...) EFM_WHEN_##has(__VA_ARGS__)
#define EFM_WHEN_1(...)           __VA_ARGS__
#define EFM_WHEN_0(...)

#endif
