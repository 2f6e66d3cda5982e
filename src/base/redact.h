/* SPDX-License-Identifier: BSD-3-Clause */
/* Credentials in addresses do not reach an error text, a log or a record (security model 6.4): the
 * values of query parameters named token, key, apikey, password, signature and X-Amz-... */
#ifndef HAL_BASE_REDACT_H
#define HAL_BASE_REDACT_H

#include <stdbool.h>

/** Cuts them to "***" in place, at most three bytes of each. True when there were some. */
bool hal_redact(char *text);
/** Whether hal_redact would change it. */
bool hal_redact_needed(const char *text);

#endif
