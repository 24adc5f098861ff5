/* SPDX-License-Identifier: Apache-2.0 */
/* What the assembly of this kernel shares: functions without a frame of the compiler's, in either state of the
 * processor. */
#ifndef EFM_DSP_ASSEMBLY_H
#define EFM_DSP_ASSEMBLY_H

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* A function that is assembly and nothing else, of which its callers conclude nothing. */
#if defined(__clang__)
#define EFM_DSP_ASM __attribute__((naked, noinline))
#else
#define EFM_DSP_ASM __attribute__((naked, noipa))
#endif

#ifdef __thumb__
#define EFM_DSP_LINE(thumb, arm) thumb "\n"
#else
#define EFM_DSP_LINE(thumb, arm) arm "\n"
#endif

/* Two words of the stack, at `at` and `behind` = at + 4. */
#define EFM_DSP_LOAD_TWO(a, b, at, behind) \
    EFM_DSP_LINE("ldrd " a ", " b ", [sp, #" at "]", "ldr " a ", [sp, #" at "]\nldr " b ", [sp, #" behind "]")

/* Where a label is, for `ldr pc`, which takes the processor's state from bit 0. */
#define EFM_DSP_ADDRESS(to, label) EFM_DSP_LINE("adr.w " to ", " label, "adrl " to ", " label)
#define EFM_DSP_STATE(to)          EFM_DSP_LINE("orr " to ", " to ", #1", "")

#endif
