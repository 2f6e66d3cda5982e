/* SPDX-License-Identifier: BSD-3-Clause */
/* The HTTP side: loopback only, a thread per connection, answers streamed. Knows files and rows,
 * no dialect. */
#ifndef HAL_PRACTICE_SERVER_H
#define HAL_PRACTICE_SERVER_H

#include "practice/script.h"

typedef struct hal_server hal_server;

/** Listens on 127.0.0.1:port (0: any free port). `options` must outlive the server. Fails with
 * HAL_E_IO (port in use), HAL_E_USAGE (faults), HAL_E_NOMEM. */
hal_server *hal_server_start(const hal_practice_options *options, hal_err *err);
int hal_server_port(const hal_server *s);
/** Closes every connection and waits for its thread. */
void hal_server_free(hal_server *s);

#endif
