/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables from and to files; "-" is standard input or output. */
#ifndef HAL_RUNTIME_FILES_H
#define HAL_RUNTIME_FILES_H

#include "data/writer.h"

/** Who watches a job on files. */
typedef struct hal_file_watch {
    const _Atomic bool *stop; /* polled; true ends the job with HAL_E_CANCELLED */
    hal_writer_say *say;      /* gets warnings: of tables not read, of hal_writer_warnings */
    /** So many bytes of an input have been read; `size_bytes` 0: its size is not known. */
    void (*read)(void *ctx, const char *label, uint64_t bytes, uint64_t size_bytes);
    void *ctx;
} hal_file_watch;

/** A table in a file. */
typedef struct hal_file_input {
    const char *path;
    const char *label; /* what messages call it; NULL: its path */
    hal_format from;
    const char *table;  /* as in hal_reader_options */
    const char *choice; /* without `table`: how to choose another one, "--table N", for the warning
                         * that there are others; NULL: no warning */
} hal_file_input;

/** Reads a whole table, which the caller unrefs. An archive's answer that is an error or still
 * executing is HAL_E_ARCHIVE or HAL_E_BUSY. */
hal_status hal_file_read(hal_table **table, const hal_file_input *in, const hal_file_watch *watch,
                         hal_err *err) HAL_MUST_CHECK;
/** The same with a reader's options, whose `table` and `as_named` are those of `in`; *table is the
 * reader's last one. */
hal_status hal_file_read_with(hal_table **table, const hal_file_input *in,
                              const hal_reader_options *options, const hal_file_watch *watch,
                              hal_err *err) HAL_MUST_CHECK;
/** The format to read: the one named, NULL: HAL_FORMAT_AUTO. HAL_E_USAGE: unknown, or not read. */
hal_status hal_file_format_read(hal_format *out, const char *name, hal_err *err) HAL_MUST_CHECK;
bool hal_file_is_standard(const char *path); /* NULL, "-" */
/** `out` NULL is standard output. */
hal_status hal_file_write(const hal_table *table, const char *out, hal_format to,
                          const hal_file_watch *watch, hal_err *err) HAL_MUST_CHECK;
/** The format to write: the one named, or where `name` is NULL that of the path's ending, else CSV.
 * HAL_E_USAGE: unknown, or not written; or `path` is empty, a folder or ends like a compressed
 * file. */
hal_status hal_file_format(hal_format *out, const char *path, const char *name,
                           hal_err *err) HAL_MUST_CHECK;

#endif
