/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes of docs/FORMAT.md. Their numbers never change. */
#ifndef EDGEFM_STATUS_H
#define EDGEFM_STATUS_H

#if defined(__GNUC__)
#define EFM_MUST_CHECK __attribute__((warn_unused_result))
#else
#define EFM_MUST_CHECK
#endif

typedef enum efm_status {
    EFM_OK = 0,
    EFM_BAD_MAGIC = -1,
    EFM_BAD_VERSION = -2,
    EFM_BAD_SIZE = -3,       /* truncated, or a section outside the file or the head */
    EFM_BAD_CHECKSUM = -4,
    EFM_BAD_SECTION = -5,    /* missing, duplicate, unknown but required, or wrong record size */
    EFM_BAD_FEATURE = -6,    /* the package needs something this build does not have */
    EFM_BAD_STREAM = -7,
    EFM_BAD_BUFFER = -8,
    EFM_BAD_OPERATOR = -9,   /* parameters, shapes or weights do not fit the operator */
    EFM_BAD_CODEC = -10,     /* codec tables, or a coded row that no encoder writes */
    EFM_BAD_SCHEDULE = -11,  /* a firing needs rows that are not there */
    EFM_BAD_ARGUMENT = -12,  /* arena too small, callback missing, wrong row size */
    EFM_PORT_FAILED = -13,   /* the external memory's callback failed */
    EFM_HOST_FAILED = -14    /* an input or output callback failed */
} efm_status;

#endif
