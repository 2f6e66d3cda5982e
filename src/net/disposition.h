/* SPDX-License-Identifier: BSD-3-Clause */
/* The file name in a Content-Disposition header (RFC 6266): a pure reader of hostile text. Says
 * nothing of whether the name is safe: hal_safe_name comes after it. */
#ifndef HAL_NET_DISPOSITION_H
#define HAL_NET_DISPOSITION_H

#include "base/buf.h"

/** Appends the name, bytes without NUL: that of `filename*` (RFC 8187, UTF-8 or ISO-8859-1), where
 * there is none or it is broken that of `filename`. *found false: there is none. */
hal_status hal_disposition_name(hal_buf *out, hal_slice value, bool *found,
                                hal_err *err) HAL_MUST_CHECK;

#endif
