/* SPDX-License-Identifier: BSD-3-Clause */
/* A VOTable while it is read: the document (votable.c), what it declares and says of itself
 * (votable_fields.c) and its rows (votable_rows.c). Private to the reader. */
#ifndef HAL_DATA_VOTABLE_READER_H
#define HAL_DATA_VOTABLE_READER_H

#include "base/buf.h"
#include "base/unpack.h"
#include "data/base64.h"
#include "data/contents.h"
#include "data/expat_lib.h"
#include "data/format.h"
#include "data/team.h"
#include "data/votable_cell.h"

enum { HAL_VO_DEPTH_MAX = 64, HAL_VO_ATTRIBUTES_MAX = 256, HAL_VO_JOBS_MAX = 6 };

/* A FIELD as it was declared. */
typedef struct hal_vo_declared {
    hal_field field; /* texts owned; "" when absent */
    char *datatype, *arraysize, *null_text;
} hal_vo_declared;

typedef struct hal_vo_header {
    hal_vo_declared *list;
    size_t n, capacity;
    char *id; /* of its TABLE */
} hal_vo_header;

/* Where an item of the metadata stands, and the text of an INFO. */
typedef struct hal_vo_place {
    char *text;
    unsigned scope; /* number of the RESOURCE or TABLE, 0: VOTABLE */
    bool in_results;
} hal_vo_place;

/* Who reads the next byte: Expat, the scanner of rows, the decoder of a STREAM. */
typedef enum hal_vo_mode { HAL_VO_DOCUMENT, HAL_VO_ROWS, HAL_VO_BASE64 } hal_vo_mode;

/* Rows of a block of text, one after the other; between two of these stands what is for Expat. */
typedef struct hal_vo_segment {
    size_t begin, end;
    uint64_t first_row, n_rows;
} hal_vo_segment;

/* Bytes on their way through the team, and their rows in columns of its own. */
typedef struct hal_vo_block {
    hal_team_job job;
    const struct hal_votable *v; /* its columns and layout stay until the block is taken over */
    char *bytes;
    size_t capacity, size;
    hal_vo_segment *segments; /* TABLEDATA */
    size_t n_segments, segments_capacity;
    size_t *starts; /* BINARY: of the whole rows, which end at `whole` */
    size_t n_starts, starts_capacity, whole;
    hal_vec *vecs;
    size_t n_vecs;
    hal_vo_scratch scratch;
    hal_status st;
} hal_vo_block;

typedef struct hal_votable {
    hal_reader_setup setup;
    const hal_expat *lib;
    XML_Parser parser;
    uint64_t expat_bytes; /* given to Expat */
    uint64_t offset;      /* of the answer: first byte not used up */
    hal_status st;        /* of a handler */
    hal_err *err;
    bool scan_allowed; /* the encoding is UTF-8 */
    bool in_cdata;
    hal_vo_mode mode;

    uint8_t stack[HAL_VO_DEPTH_MAX + 1]; /* elements, as votable.c numbers them */
    unsigned scopes[HAL_VO_DEPTH_MAX + 1];
    bool results[HAL_VO_DEPTH_MAX + 1]; /* within a RESOURCE of type "results" */
    int depth;
    int skip_depth; /* > 0: depth of the element that is skipped */
    bool root_seen, root_ended;
    unsigned n_scopes;
    size_t meta_bytes;

    bool collects; /* text of the innermost element */
    hal_buf text;

    hal_contents contents;
    bool reading;                    /* within the chosen TABLE */
    bool chosen, final;              /* some table is; no later one will be */
    bool data_seen, rows_seen;       /* of the chosen one */
    unsigned path[HAL_VO_DEPTH_MAX]; /* scopes of the chosen table and what it stands in */
    size_t n_path;
    hal_vo_header current; /* fields of the TABLE that is open */
    char *table_ref;
    hal_vo_header mine; /* of the chosen one */
    hal_vo_header *known;
    size_t n_known, known_columns;
    bool laid_out;
    int64_t n_rows_said; /* nrows; < 0: not said */

    hal_vo_column *columns;
    hal_field *fields;
    hal_names names; /* of the fields */
    hal_vec *vecs;
    size_t n_columns;
    uint64_t n_rows, n_batched;
    size_t i_cell;
    bool cell_base64; /* VOTable 1.0, 1.1 */
    hal_vo_scratch scratch;

    hal_team *team;
    hal_vo_block blocks[HAL_VO_JOBS_MAX];
    size_t first_job, n_jobs;
    bool jobs_are_text, taking_text;
    hal_vo_block stream; /* bytes of a STREAM that are not on their way */
    hal_vo_layout layout;
    hal_base64 base64;
    hal_unpack *unpack; /* encoding="gzip" */
    uint64_t stream_bytes;
    uint64_t row_need; /* bytes there must be before the next row is tried */

    hal_metadata metadata; /* of the whole document */
    hal_vo_place *places;  /* of its items */
    size_t places_capacity;
} hal_votable;

/* votable.c */

/** Ends the reading from within a handler of Expat. */
void hal_vo_fail(hal_votable *v, hal_status st);
/** Reads some bytes where v->mode is not HAL_VO_ROWS. */
hal_status hal_vo_take_document(hal_votable *v, const char *p, size_t n,
                                size_t *used) HAL_MUST_CHECK;

/* votable_fields.c */

/** A copy that counts towards the limit of all names and descriptions; NULL: failed. */
char *hal_vo_keep(hal_votable *v, const char *text, size_t n);
/** By its local name; NULL: absent. */
const char *hal_vo_attribute(const XML_Char **a, const char *name);
hal_slice hal_vo_trim(hal_slice text);
void hal_vo_header_clear(hal_vo_header *h);
void hal_vo_start_field(hal_votable *v, const XML_Char **a);
/** The fields are known: makes the columns of the chosen table. */
void hal_vo_lay_out(hal_votable *v);
/** The table that ends may lend its fields to others. */
void hal_vo_remember(hal_votable *v);
void hal_vo_add_meta(hal_votable *v, hal_meta_kind kind, const XML_Char **a);
/** What the document says of itself; `*status` is that of the metadata. */
void hal_vo_settle_status(hal_votable *v, hal_answer *answer, const char **status);
/** The rows in the columns with what belongs to the chosen table and has been read of it. The table
 * takes the memory of the columns, or is `lent` it until they change. */
hal_status hal_vo_rows_table(hal_votable *v, const char *status, bool lent,
                             hal_table **out) HAL_MUST_CHECK;

/* votable_rows.c */

/** Forgets the columns of the chosen table and its rows. */
void hal_vo_drop_columns(hal_votable *v);
void hal_vo_rows_clear(hal_votable *v);
/** Hands the rows over as a batch. */
hal_status hal_vo_flush(hal_votable *v) HAL_MUST_CHECK;
/** A row stands in the columns. */
hal_status hal_vo_took_row(hal_votable *v) HAL_MUST_CHECK;
/** Takes text that begins with rows, or what stands behind text that waits. */
hal_status hal_vo_take_text(hal_votable *v, const char *p, size_t n, size_t *used) HAL_MUST_CHECK;
bool hal_vo_text_waits(const hal_votable *v);
/** All rows whose bytes are there stand in the columns afterwards. */
hal_status hal_vo_end_rows(hal_votable *v) HAL_MUST_CHECK;
hal_status hal_vo_start_stream(hal_votable *v, bool flags, bool gzip) HAL_MUST_CHECK;
hal_status hal_vo_take_base64(hal_votable *v, const char *text, size_t n) HAL_MUST_CHECK;
hal_status hal_vo_end_stream(hal_votable *v) HAL_MUST_CHECK;

#endif
