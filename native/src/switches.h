/* SPDX-License-Identifier: Apache-2.0 */
/* Switches that hold for one copy of the runtime, before the defaults of config.h: none here, where the compiler's
 * command line has them. `edgefm export --c` writes a copy of the runtime for one package, and into this file what that
 * package does without. */
#ifndef EFM_SWITCHES_H
#define EFM_SWITCHES_H

#endif
