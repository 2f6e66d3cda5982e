/* SPDX-License-Identifier: BSD-3-Clause */
/* Enhanced CSV 1.0 (Astropy proposal for enhancement 6): CSV behind a header that says type, unit,
 * description and metadata. Private to this folder.
 *
 * Written with commas. Null is nothing between commas, empty text is "". UCD and utype are
 * `meta` of a column, timestamps are ISO 8601 texts with `xtype: timestamp` there; arrays of
 * complex numbers or timestamps have the subtype json. */
#ifndef HAL_DATA_ECSV_H
#define HAL_DATA_ECSV_H

#include "data/format.h"

extern const hal_writer_class hal_ecsv_writer;

#endif
