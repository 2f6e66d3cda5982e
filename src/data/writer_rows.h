/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing single rows of many tables in turn, for the merge. Private to this folder. */
#ifndef HAL_DATA_WRITER_ROWS_H
#define HAL_DATA_WRITER_ROWS_H

#include "data/writer.h"

/** Where the writer's columns are in `t`: places[i], SIZE_MAX when absent (written as null). */
void hal_writer_places(const hal_writer *w, const hal_table *t, size_t *places);
hal_status hal_writer_rows(hal_writer *w, const hal_table *t, const size_t *places, uint64_t first,
                           uint64_t n, hal_err *err) HAL_MUST_CHECK;

#endif
