/* SPDX-License-Identifier: Apache-2.0 */
/* Every switch of the runtime with its default; set with -D, never edited. */
#ifndef EFM_CONFIG_H
#define EFM_CONFIG_H

#endif
