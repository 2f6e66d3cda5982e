/* SPDX-License-Identifier: BSD-3-Clause */
/* What the body of an error answer says to a person, whatever kind of document it is: for error
 * texts. */
#ifndef HAL_DATA_ANSWER_WORDS_H
#define HAL_DATA_ANSWER_WORDS_H

#include "base/slice.h"

/** One clean line of valid UTF-8 of at most `size` - 1 bytes (longer text ends with "..."), "" when
 * the body is empty. VOTable: its QUERY_STATUS or Error; JSON: its messages, with their places;
 * an HTML page: its title; other XML and pages without a title: the text between the tags; text: as
 * it is. The body may be cut anywhere. */
void hal_answer_words(char *out, size_t size, hal_slice body);

/** The title of an HTML page without surrounding blanks; empty: there is none. Borrowed. */
hal_slice hal_page_title(hal_slice page);
/** Any text as one clean line of valid UTF-8, as above. */
void hal_clean_line(char *out, size_t size, hal_slice text);

#endif
