/* SPDX-License-Identifier: BSD-3-Clause */
/* VOTable 1.0 to 1.5 (IVOA Recommendation 2025) as a stream: TABLEDATA, BINARY and BINARY2 into
 * columns. Expat reads the document; rows and base64 text are scanned here, and Expat takes over
 * for a row in which anything unusual stands (comments, attributes, other encodings). Elements
 * count by their local names, whatever the namespace. Private to this folder.
 *
 * Read is the first TABLE of the first RESOURCE of type "results", else the first TABLE. A DOCTYPE
 * with declarations and entity references are refused, nothing is fetched. The root element must
 * end; a status of ERROR before or behind the rows is HAL_ANSWER_ERROR. */
#ifndef HAL_DATA_VOTABLE_H
#define HAL_DATA_VOTABLE_H

#include "data/format.h"

extern const hal_reader_class hal_votable_reader;
extern const hal_writer_class hal_votable_writer;

hal_match hal_votable_recognise(hal_slice head);

#endif
