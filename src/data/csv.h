/* SPDX-License-Identifier: BSD-3-Clause */
/* Comma-separated values (RFC 4180) into columns. Private to this folder.
 *
 * The first line names the columns; they are separated by commas or, where that line has none, by
 * tabs, bars or semicolons. One line of text may stand before it (GSSS). A first row of type words
 * (MAST classic forms) declares the columns. A cell without anything is null, a quoted empty one is
 * empty text. A column is bool, int64 or float64 when all its cells are and nothing is lost by it
 * (digits of large integers, leading zeros), else text exactly as written. Lines whose first byte
 * is `#` or
 * `@` are skipped before the header; behind it a line is skipped when it is a single cell that
 * begins so in a table of several columns, or, as first line, when all its cells begin with `@`
 * (types): everything else is a row. Rows have as many cells as the header. A last line without a
 * line end is an error: nothing shows whether it is whole. */
#ifndef HAL_DATA_CSV_H
#define HAL_DATA_CSV_H

#include "data/reader.h"

typedef struct hal_csv hal_csv;

/** `asked`: limits without zeros; what it borrows stays. */
hal_csv *hal_csv_new(const hal_reader_options *asked, hal_err *err);
/** For formats whose header says the rest: the cells are separated by `separator`, all columns are
 * text, and no line is anything but the header or a row; a row that begins with an unquoted # is an
 * error. `line_no`: of the header line. */
hal_csv *hal_csv_new_texts(const hal_reader_options *asked, char separator, uint64_t line_no,
                           hal_err *err);
void hal_csv_free(hal_csv *c);
/** Fails with HAL_E_INTEGRITY naming the line. */
hal_status hal_csv_feed(hal_csv *c, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
hal_status hal_csv_finish(hal_csv *c, hal_answer *answer, hal_table **table,
                          hal_err *err) HAL_MUST_CHECK;

#endif
