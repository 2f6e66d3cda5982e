/* SPDX-License-Identifier: BSD-3-Clause */
/* The metadata of Arrow schemas: what the keys of arrow.h say, to and from bytes. Private to this
 * folder.
 *
 * The bytes are a number of pairs, then key and value of each behind their lengths, in int32 of
 * this machine. They do not say how long they are: where bytes come from another program, give
 * HAL_ARROW_METADATA_MAX, beyond which no length they hold is believed. */
#ifndef HAL_DATA_ARROW_METADATA_H
#define HAL_DATA_ARROW_METADATA_H

#include "data/table.h"

enum { HAL_ARROW_METADATA_MAX = 16 << 20 };

/** One more pair in `b`, which is empty or holds pairs. */
hal_status hal_arrow_metadata_add(hal_buf *b, const char *key, hal_slice value,
                                  hal_err *err) HAL_MUST_CHECK;
/** Nothing is added for what is not known. HAL_E_USAGE when texts of items are not UTF-8. */
hal_status hal_arrow_metadata_add_field(hal_buf *b, const hal_field *f,
                                        hal_err *err) HAL_MUST_CHECK;
hal_status hal_arrow_metadata_add_table(hal_buf *b, const hal_metadata *m,
                                        hal_err *err) HAL_MUST_CHECK;

/** True when "complex" is "true". */
bool hal_arrow_metadata_is_complex(hal_slice bytes);
/** Sets the texts of `f`, all unknown before but the name; hal_arrow_metadata_clear_field frees
 * them, also after a failure. HAL_E_USAGE: broken bytes, a key twice, a text that is not UTF-8. */
hal_status hal_arrow_metadata_read_field(hal_slice bytes, hal_field *f,
                                         hal_err *err) HAL_MUST_CHECK;
void hal_arrow_metadata_clear_field(hal_field *f);
/** Adds to `m`, which is cleared by its owner, also after a failure. */
hal_status hal_arrow_metadata_read_table(hal_slice bytes, hal_metadata *m,
                                         hal_err *err) HAL_MUST_CHECK;

#endif
