/* SPDX-License-Identifier: BSD-3-Clause */
/* The dataset forms of the Mashup API, "json" and "extjs" (Mashup specification, sections 4.2 and
 * 4.3), from a JSON event stream into columns; either form is recognised by its shape. Private to
 * this folder. */
#ifndef HAL_DATA_MASHUP_H
#define HAL_DATA_MASHUP_H

#include "data/reader.h"

typedef struct hal_mashup hal_mashup;

/** `limits` without zeros; `offset`: bytes of the answer before the first one fed. */
hal_mashup *hal_mashup_new(const hal_reader_limits *limits, uint64_t offset, hal_err *err);
void hal_mashup_free(hal_mashup *m);
hal_status hal_mashup_feed(hal_mashup *m, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
hal_status hal_mashup_finish(hal_mashup *m, hal_answer *answer, hal_table **table,
                             hal_err *err) HAL_MUST_CHECK;

#endif
