/* SPDX-License-Identifier: BSD-3-Clause */
/* Streaming writers: tables in, file out, atomically: a temporary name in the same folder, fsync,
 * rename. Deterministic bytes; doubles as the shortest decimal that reads back to the same double.
 */
#ifndef HAL_DATA_WRITER_H
#define HAL_DATA_WRITER_H

#include "data/reader.h"

typedef struct hal_writer hal_writer;

/** `fields` are copied; every table written later must have the same names (types are promoted cell
 * by cell to the writer's). `path` NULL or "-": standard output, no rename. HAL_E_USAGE lists
 * the formats that are written. */
hal_writer *hal_writer_open(const char *path, hal_format format, const hal_field *fields,
                            size_t n_fields, hal_err *err);
/** The fields and the metadata of `like`; its rows are not written, but a VOTable declares for null
 * items what is no value of them. */
hal_writer *hal_writer_open_like(const char *path, hal_format format, const hal_table *like,
                                 hal_err *err);
/** The same for a path that a person names: links are followed, and a pipe, a device or standard
 * output under any name is written to as it is. */
hal_writer *hal_writer_open_named(const char *path, hal_format format, const hal_table *like,
                                  hal_err *err);
/** The same into memory: what is written is appended to `to`, which outlives the writer.
 * HAL_E_BUDGET at its ceiling. What is there may be taken out between two calls; all has come after
 * the commit. */
hal_writer *hal_writer_open_memory(hal_buf *to, hal_format format, const hal_table *like,
                                   hal_err *err);
/** What hal_writer_open_named writes to as it is: bytes there cannot be taken back. */
bool hal_writer_is_direct(const char *path);
/** Writing and the commit end with HAL_E_CANCELLED soon after *stop has become true. */
void hal_writer_stop_on(hal_writer *w, const _Atomic bool *stop);
hal_status hal_writer_table(hal_writer *w, const hal_table *t, hal_err *err) HAL_MUST_CHECK;
/** Rows [first, first + n) of a table. */
hal_status hal_writer_slice(hal_writer *w, const hal_table *t, uint64_t first, uint64_t n,
                            hal_err *err) HAL_MUST_CHECK;
/** Header (also for zero rows), flush, fsync, rename. After success only hal_writer_free. */
hal_status hal_writer_commit(hal_writer *w, uint64_t *size_bytes, hal_err *err) HAL_MUST_CHECK;
/** Calls `say` with one line of text for each sort of thing in what was written that the format
 * cannot express: first what is said about columns and table, then what became of values. */
enum { HAL_WRITER_WARNINGS_MAX = 8 << 10 }; /* bytes that hold all lines of one writer */
typedef void hal_writer_say(void *ctx, const char *text);
void hal_writer_warnings(const hal_writer *w, hal_writer_say *say, void *ctx);
/** Without a commit before it, removes the temporary file: nothing half-written stays. */
void hal_writer_free(hal_writer *w);

#endif
