/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables to and from other programs in one process: the Arrow C data interface and C stream
 * interface (https://arrow.apache.org/docs/format/CDataInterface.html, CStreamInterface.html).
 *
 * A table is a struct array ("+s"); bool "b", integers "C" "s" "i" "l", floats "f" "g", text "U",
 * timestamps "tsu:UTC", arrays "+w:n" and "+L", complex numbers "+w:2" of floats.
 *
 * Metadata, so that a table comes back as it was. A field's keys are what is known of unit, ucd,
 * utype, xtype, description, id, shape, original_name, null_value, and complex=true; the schema's
 * are name, description, status, and "halyard.items": the items as JSON, each an array of texts
 * [kind, name, value, text, attribute, its value, ...] with kind "info", "param", "coosys",
 * "timesys", "link" or "key". Other keys of a schema that comes in become items of HAL_META_KEY
 * (those that are not UTF-8 text are left out); a field has no place for them. More than 16 MiB
 * of metadata to a schema or field are an error in both directions. */
#ifndef HAL_DATA_ARROW_H
#define HAL_DATA_ARROW_H

#include "data/table.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/** The caller releases *out. */
hal_status hal_arrow_export_schema(const hal_table *t, struct ArrowSchema *out,
                                   hal_err *err) HAL_MUST_CHECK;
/** Shares the table's memory, which lives until *out and all that was moved out of it are
 * released, on any thread. The caller releases *out. */
hal_status hal_arrow_export(hal_table *t, struct ArrowArray *out, hal_err *err) HAL_MUST_CHECK;
/** The table as a stream of arrays of at most `batch_rows` rows (at least 1). The caller releases
 * *out. */
hal_status hal_arrow_export_stream(hal_table *t, uint64_t batch_rows, struct ArrowArrayStream *out,
                                   hal_err *err) HAL_MUST_CHECK;

/** Copies a struct array into a table. Beside the formats above: "n" (text), "c" "S" "I" (the next
 * wider type), "L" (int64; beyond it HAL_E_USAGE), "u", "+l", timestamps of other units in UTC or
 * without a zone ("tsn:" cut to whole microseconds is HAL_E_USAGE). HAL_E_USAGE names a column of
 * any other format. The caller goes on owning both. */
hal_table *hal_arrow_import(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            hal_err *err);
/** All arrays of a stream as one table. The caller goes on owning the stream. */
hal_table *hal_arrow_import_stream(struct ArrowArrayStream *stream, hal_err *err);

#endif
