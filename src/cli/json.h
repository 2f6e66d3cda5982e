/* SPDX-License-Identifier: BSD-3-Clause */
/* Fields of the flat JSON objects that events are. */
#ifndef HAL_CLI_JSON_H
#define HAL_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>

/** The text of a field, cut to `size_bytes`; false and "" when absent or no text. */
bool json_text(const char *json, const char *name, char *out, size_t size_bytes);
/** The number of a field; `absent` when there is none. */
double json_number(const char *json, const char *name, double absent);

#endif
