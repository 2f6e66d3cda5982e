/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables that clients send. Apart from the rest because an "answer" is another thing there. */
#ifndef HAL_PRACTICE_UPLOAD_H
#define HAL_PRACTICE_UPLOAD_H

#include "data/table.h"

/** `format`: "auto", "votable", "csv" ... At most 1,000,000 rows. Caller owns `*out`. */
hal_status hal_upload_read(hal_table **out, hal_slice bytes, const char *format,
                           hal_err *err) HAL_MUST_CHECK;

#endif
