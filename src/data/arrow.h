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

#include "halyard.h" /* the structs */

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
