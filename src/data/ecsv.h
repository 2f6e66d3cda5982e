/* SPDX-License-Identifier: BSD-3-Clause */
/* Enhanced CSV 1.0 (Astropy proposal for enhancement 6): CSV behind a header that says type, unit,
 * description and metadata. Private to this folder.
 *
 * Written with commas. Null is nothing between commas, empty text is "". UCD and utype are
 * `meta` of a column, timestamps are ISO 8601 texts with `xtype: timestamp` there; arrays of
 * complex numbers or timestamps have the subtype json. In the table's `meta`, `name` and
 * `description` are the table's own, COOSYS, TIMESYS and LINK mappings of their attributes.
 *
 * Read with commas or single spaces; "" between spaces is null, as Astropy writes it. Integers
 * become the smallest type that holds their datatype, uint64 int64 (more is an error), float16
 * float32. Text of the subtype json and arrays of texts stay JSON text. Formats, the schema and
 * what else stands in a column's `meta` are passed over. */
#ifndef HAL_DATA_ECSV_H
#define HAL_DATA_ECSV_H

#include "data/format.h"

hal_match hal_ecsv_recognise(hal_slice head);
/** Whether what a table says under this name is an entry of its `meta`. */
bool hal_ecsv_key_is_carried(const char *name);
extern const hal_reader_class hal_ecsv_reader;
extern const hal_writer_class hal_ecsv_writer;

#endif
