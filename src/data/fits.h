/* SPDX-License-Identifier: BSD-3-Clause */
/* FITS tables (FITS standard 4.0, section 7). Private to this folder.
 *
 * Reading: the first binary or ASCII table of a file (or the one named or numbered), from bytes in
 * any chunking; images and other tables, which are counted, are passed over. All of them must be
 * whole up to the end of their last 2880-byte block; what follows the last is not looked at.
 *
 * Nulls: integers equal to TNULLn; floats and complex numbers with all bits set (any other NaN is
 * NaN); logicals that are neither T nor F; texts that begin with NUL. A text of blanks is empty,
 * blanks at the end count only before a NUL. Bytes beyond ASCII that are not UTF-8 are Latin-1.
 * Integers with TSCAL 1 and the offset of an unsigned type are integers, other scaled columns
 * float64. An unsigned 64-bit integer beyond int64 makes its column text.
 *
 * Writing: a binary table. Null integers become the lowest value that the column does not hold
 * (TNULLn). Text columns are as wide as their longest text, in UTF-8. Timestamps are ISO 8601
 * texts with TXTYPn = 'timestamp'. The layout depends on all rows. A file is written once as long
 * as it does not change; otherwise, and always with variable arrays, texts beyond 255 bytes or to
 * standard output, rows wait in a temporary file of their size until the end. Memory does not grow
 * with their number. The header has blank cards where a TNULLn more would make it longer. */
#ifndef HAL_DATA_FITS_H
#define HAL_DATA_FITS_H

#include "data/format.h"

hal_match hal_fits_recognise(hal_slice head);
extern const hal_reader_class hal_fits_reader;
extern const hal_writer_class hal_fits_writer;

#endif
