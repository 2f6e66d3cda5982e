/* SPDX-License-Identifier: BSD-3-Clause */
/* What a format cannot express of a table that is written in it. Private to this folder. */
#ifndef HAL_DATA_LOSS_H
#define HAL_DATA_LOSS_H

#include "data/reader.h"

typedef struct hal_loss hal_loss;

/** Looks at the columns and at the metadata (may be NULL) of the output. */
hal_loss *hal_loss_new(hal_format format, const hal_field *fields, size_t n_fields,
                       const hal_metadata *metadata, hal_err *err);
void hal_loss_free(hal_loss *l);
/** Looks at the values of rows that are written; as hal_writer_rows. */
void hal_loss_rows(hal_loss *l, const hal_table *t, const size_t *places, uint64_t first,
                   uint64_t n);
/** Calls `say` with one line for each sort of loss, lost values last; `names`: of the columns. */
void hal_loss_say(const hal_loss *l, char *const *names, void (*say)(void *ctx, const char *text),
                  void *ctx);

#endif
