/* SPDX-License-Identifier: BSD-3-Clause */
/* The dataset forms of the Mashup API, "json" and "extjs" (Mashup specification, sections 4.2 and
 * 4.3), from a JSON event stream into columns; either form is recognised by its shape. Private to
 * this folder.
 *
 * The same machine reads rows without that frame (HAL_FORMAT_ROWS_JSON; HAL_FORMAT_AUTO: either): a
 * list of objects, {"data"|"results"|"products": [...]} of objects or, with "info" (or "fields"),
 * of lists (MAST interfaces, sections 3, 4 and 7). Declared types win; keys that are not declared
 * are columns too. */
#ifndef HAL_DATA_MASHUP_H
#define HAL_DATA_MASHUP_H

#include "data/reader.h"

typedef struct hal_mashup hal_mashup;

/** `format`: HAL_FORMAT_AUTO, MASHUP_JSON, MASHUP_EXTJS or ROWS_JSON; `limits` without zeros;
 * `offset`: bytes of the answer before the first one fed. */
hal_mashup *hal_mashup_new(hal_format format, const hal_reader_limits *limits, uint64_t offset,
                           hal_err *err);
void hal_mashup_free(hal_mashup *m);
hal_status hal_mashup_feed(hal_mashup *m, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
hal_status hal_mashup_finish(hal_mashup *m, hal_answer *answer, hal_table **table,
                             hal_err *err) HAL_MUST_CHECK;

#endif
