/* SPDX-License-Identifier: BSD-3-Clause */
/* One spool on disk, written and read block by block. Private to the spool. */
#ifndef HAL_DATA_SPOOL_FILE_H
#define HAL_DATA_SPOOL_FILE_H

#include "data/outfile.h"
#include "data/spool_order.h"
#include "data/vec.h"

enum { HAL_SPOOL_BLOCK_ROWS = 8192 }; /* of a block at most */

/** Stands before the schema, before every block and at the end. */
typedef struct hal_spool_part {
    uint32_t mark, n_columns;
    uint64_t n_rows;
    uint64_t n_bytes; /* that follow */
    uint64_t sum;     /* of all above and of what follows */
} hal_spool_part;

/** What `sum` is to be when `bytes` follow. */
uint64_t hal_spool_part_sum(const hal_spool_part *p, const void *bytes);

/** Its `file` is closed by the user: hal_outfile_close, also after a failure. */
typedef struct hal_spool_output {
    hal_outfile file;
    uint64_t n_rows;
} hal_spool_output;

/** `i_id`: the column that identifies a row, -1: none. */
hal_status hal_spool_output_open(hal_spool_output *o, const char *path, const hal_schema *schema,
                                 const hal_metadata *metadata, int i_id,
                                 hal_err *err) HAL_MUST_CHECK;
/** At most HAL_SPOOL_BLOCK_ROWS rows, in order, with their keys. */
hal_status hal_spool_output_block(hal_spool_output *o, const hal_table *t, const uint64_t *key,
                                  hal_err *err) HAL_MUST_CHECK;
hal_status hal_spool_output_finish(hal_spool_output *o, uint64_t *size_bytes,
                                   hal_err *err) HAL_MUST_CHECK;

typedef struct hal_spool_source {
    const char *path;
    int fd;
    uint64_t bytes_left, n_rows; /* read so far */
    uint64_t last_key;
    hal_schema schema;
    hal_metadata metadata;
    int id; /* column or -1 */
    char *payload;
    uint64_t payload_capacity;
    hal_column *columns;
    hal_table *block; /* NULL at the end */
    uint64_t row;     /* the next one of the block */
    hal_spool_rows rows;
    size_t *places; /* of the output's columns in this spool */
} hal_spool_source;

/** Reads the header; hal_spool_source_close also after a failure. */
hal_status hal_spool_source_open(hal_spool_source *s, const char *path,
                                 hal_err *err) HAL_MUST_CHECK;
/** The next block, or none at the end of a whole file. HAL_E_INTEGRITY names a damaged one. */
hal_status hal_spool_source_next(hal_spool_source *s, hal_err *err) HAL_MUST_CHECK;
void hal_spool_source_close(hal_spool_source *s);

#endif
