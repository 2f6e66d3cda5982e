/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables from and to files; "-" is standard input or output. */
#ifndef HAL_RUNTIME_FILES_H
#define HAL_RUNTIME_FILES_H

#include "data/writer.h"

/** Reads a whole table, which the caller unrefs. An archive's answer that is an error or still
 * executing is HAL_E_ARCHIVE or HAL_E_BUSY. `stop` is polled; true ends with HAL_E_CANCELLED. */
hal_status hal_file_read(hal_table **table, const char *in, hal_format from,
                         const _Atomic bool *stop, hal_err *err) HAL_MUST_CHECK;
/** The same with a reader's options; *table is the reader's last one. Failures name the input by
 * `label` (NULL: as `in`). */
hal_status hal_file_read_with(hal_table **table, const char *in, const char *label, hal_format from,
                              const hal_reader_options *options, const _Atomic bool *stop,
                              hal_err *err) HAL_MUST_CHECK;
bool hal_file_is_standard(const char *path); /* NULL, "-" */
/** `out` NULL is standard output. `say` gets what hal_writer_warnings says of the file. */
hal_status hal_file_write(const hal_table *table, const char *out, hal_format to,
                          hal_writer_say *say, void *ctx, hal_err *err) HAL_MUST_CHECK;
/** The format to write: the one named, or where `name` is NULL that of the path's ending, else CSV.
 * HAL_E_USAGE: unknown, or not written. */
hal_status hal_file_format(hal_format *out, const char *path, const char *name,
                           hal_err *err) HAL_MUST_CHECK;

#endif
