/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorted row files and their merge: a tile's kept rows wait on disk in canonical order; the final
 * pass merges all files, 64 at a time, in memory independent of the number of rows. Tiling design,
 * section 8. Knows keys, not positions: the 64-bit sort key of every row comes from the caller. */
#ifndef HAL_DATA_SPOOL_H
#define HAL_DATA_SPOOL_H

#include "data/writer.h"

/** Writes the rows of `t` ordered by (key, value of column `i_id` when >= 0, whole row) to `path`.
 * Values order as null, numbers by value, text by bytes; a text that spells a number counts as one
 * and a row's columns are taken by name, so the order depends neither on types nor on column order.
 * File: temporary name, fsync, rename; with its own check sum. Returns the file's size.
 * Runs on a worker. */
hal_status hal_spool_write(const char *path, const hal_table *t, const uint64_t *key, int i_id,
                           uint64_t *size_bytes, hal_err *err) HAL_MUST_CHECK;

/** Hands the rows of a spool to `take`, block by block in order; the table lives as long as the
 * call. Ends with the first failure of `take`; a damaged spool is HAL_E_INTEGRITY. */
typedef hal_status hal_spool_take(void *ctx, const hal_table *block, hal_err *err);
hal_status hal_spool_read(const char *path, hal_spool_take *take, void *ctx,
                          hal_err *err) HAL_MUST_CHECK;

/** Copies the spool `path` to `to` without its rows number `dropped`, ascending. Runs on a worker.
 */
hal_status hal_spool_thin(const char *path, const char *to, const uint64_t *dropped,
                          size_t n_dropped, hal_err *err) HAL_MUST_CHECK;

typedef struct hal_merge_report {
    uint64_t rows;       /* written */
    uint64_t duplicates; /* rows with the key and id of the row before them, that is, copies of one
                            source at one position; they are written too */
    uint64_t size_bytes;
    char warnings[HAL_WRITER_WARNINGS_MAX]; /* of the file's writer; each line ends with '\n' */
} hal_merge_report;

/** Merges spools into one output file (or, with `table` not NULL and `path` NULL, into a table in
 * memory). Schemas are united as by hal_table_concat, the metadata is that of the first spool that
 * has any. `id_name` NULL: no duplicate check. A damaged spool is HAL_E_INTEGRITY naming the file.
 * `cancel` (may be NULL) is polled; true ends with HAL_E_CANCELLED. `progress` (may be NULL) is
 * updated with the rows written so far. More than 64 spools are first merged to larger ones beside
 * them, which are removed. Holds one block of at most 512 KiB (or one longer row) per open spool.
 * `n_expected` not NULL: unless exactly so many rows come out, without duplicates, nothing is put
 * under `path` and it fails with HAL_E_INTEGRITY. Runs on a worker. */
hal_status hal_spool_merge(const char *const *spools, size_t n_spools, const char *id_name,
                           const uint64_t *n_expected, const char *path, hal_format format,
                           hal_table **table, const _Atomic bool *cancel,
                           _Atomic uint64_t *progress, hal_merge_report *report,
                           hal_err *err) HAL_MUST_CHECK;

#endif
