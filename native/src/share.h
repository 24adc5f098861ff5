/* SPDX-License-Identifier: Apache-2.0 */
/* A firing, shared out among the threads that the host lends. */
#ifndef EFM_SHARE_H
#define EFM_SHARE_H

#include "model.h"
#include "ops/op.h"

#if EFM_WITH_WORKERS

/* EFM_BAD_ARGUMENT unless `workers` is null or lends all that the model takes. */
EFM_MUST_CHECK efm_status efm_share_check(const efm_model *model, const efm_workers *workers);

/* The operator's run(), on several threads where there are any and the firing is worth it. */
void efm_share(const efm_workers *workers, const efm_op_class *entry, const efm_op_args *args);

#else

#define efm_share_check(model, workers) EFM_OK
#define efm_share(workers, entry, args) (entry)->run(args)

#endif
#endif
