/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_FILE_ROW_H
#define HAL_BIND_FILE_ROW_H

#include "base/slice.h"
#include "net/digest.h"
#include "net/folder.h"

#include <lua.h>
#include <stdint.h>

/* What a row of products says of its file. Texts live as long as the row and what reading it leaves
 * on the stack. */
typedef struct hal_row {
    const char *address;               /* or data URI */
    bool is_direct;                    /* an address of another service (`access_url`) */
    const char *source;                /* what records call it */
    hal_slice host;                    /* "name[:port]", or "mast" */
    const char *name;                  /* a safe file name; NULL: the row tells none */
    int64_t size_bytes;                /* < 0: it tells none */
    char sha256[HAL_SHA256_TEXT_SIZE]; /* in lower case, or "" */
} hal_row;

/** Of the value at `index`; false when that is no row of a file. Leaves a few values on the
 * stack. Raises `memory`. */
bool hal_row_read(lua_State *L, int index, hal_row *out);
/** Rows of a script can change: raises `permission` when the table at `i_hosts`, which has the
 * hosts of all rows as keys, has not this one's. */
void hal_row_check_host(lua_State *L, const hal_row *row, int i_hosts);

enum { HAL_ROW_PLACE_SIZE = 3 * (HAL_COMPONENT_MAX_BYTES + 1) };
/** Where its file goes below the folder of a download: as astroquery,
 * <collection>/<observation>/<name> (mashup-api 10.3), or flat, with `name`, a safe one. Raises
 * `usage` when the row's columns are no texts, or there is no name, `memory`. */
void hal_row_place(lua_State *L, int index, const char *name, bool flat,
                   char out[HAL_ROW_PLACE_SIZE]);

/** row(t, hosts) -> address or data URI, is it an address of another service, what records call it,
 * host, file name or nil, size or nil, SHA-256 or nil; nothing when the row is none of a file. With
 * `hosts` as of hal_row_check_host. */
int hal_file_row(lua_State *L);
/** place(row, name, flat) -> as hal_row_place. */
int hal_file_place(lua_State *L);

#endif
