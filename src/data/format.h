/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of formats: one entry for each, in format.c; a format is reachable once it stands
 * there. hal_reader and hal_writer do what all formats share (limits, compressed bodies,
 * recognition, the temporary file) and hand the rest to the entry. Private to this folder. */
#ifndef HAL_DATA_FORMAT_H
#define HAL_DATA_FORMAT_H

#include "data/outfile.h"
#include "data/reader.h"

/** What a format's reader works with. */
typedef struct hal_reader_setup {
    hal_format format;        /* as asked for: HAL_FORMAT_AUTO when recognised */
    hal_reader_options asked; /* limits without zeros; batch_rows without zero when `batch` */
    uint64_t offset;          /* bytes of the answer before the first one fed: a byte order mark */
} hal_reader_setup;

/** A format's way of reading. `self` is what `open` made. */
typedef struct hal_reader_class {
    void *(*open)(const hal_reader_setup *setup, hal_err *err); /* copies what it keeps */
    hal_status (*feed)(void *self, const char *bytes, size_t n, hal_err *err);
    hal_status (*finish)(void *self, hal_answer *answer, hal_table **table, hal_err *err);
    void (*free)(void *self);
    bool several; /* a document may hold several tables: the class minds hal_reader_options.table */
} hal_reader_class;

/** A format's way of writing. It writes with hal_outfile_*; opening, syncing and renaming the file
 * is not its business. */
typedef struct hal_writer_class {
    /** `like`: a table whose metadata describes the output, or NULL. Writes what stands before the
     * rows. */
    void *(*open)(hal_outfile *file, hal_format format, const hal_field *fields, size_t n_fields,
                  const hal_table *like, hal_err *err);
    /** Rows [first, first + n) of `t`; column i is places[i] of `t`, SIZE_MAX: null. */
    hal_status (*rows)(void *self, const hal_table *t, const size_t *places, uint64_t first,
                       uint64_t n, hal_err *err);
    /** Writes what stands behind the rows. */
    hal_status (*finish)(void *self, hal_err *err);
    void (*free)(void *self);
} hal_writer_class;

/** Whether the beginning of an answer is of a format. */
typedef enum hal_match { HAL_MATCH_NO, HAL_MATCH_MORE, HAL_MATCH_YES } hal_match;

typedef struct hal_format_entry {
    hal_format format;
    const char *name;
    const char *endings; /* of file names: ".vot .xml"; "" */
    /** `head`: the first bytes without a byte order mark, at most 4096; HAL_MATCH_MORE asks for
     * more of them. NULL: not read. */
    hal_match (*recognise)(hal_slice head);
    const hal_reader_class *reader; /* NULL: not read */
    const hal_writer_class *writer; /* NULL: not written */
} hal_format_entry;

/** Entry i of the table, in the order in which formats are tried; NULL behind the last. */
const hal_format_entry *hal_format_at(size_t i);
/** NULL for HAL_FORMAT_AUTO and what is not in the table. */
const hal_format_entry *hal_format_find(hal_format f);

/** The classes of the table. */
extern const hal_reader_class hal_csv_reader, hal_mashup_reader;
extern const hal_writer_class hal_text_writer;

/** `head` behind its blanks. */
static inline hal_slice hal_format_skip_blanks(hal_slice head)
{
    while (head.size_bytes &&
           (*head.data == ' ' || *head.data == '\t' || *head.data == '\r' || *head.data == '\n')) {
        head.data++;
        head.size_bytes--;
    }
    return head;
}

#endif
