/* SPDX-License-Identifier: BSD-3-Clause */
/* A JSON text (RFC 8259) as a stream of events, from pieces of any size: no tree, integers exact.
 * Strict grammar, depth 64, keys of an object distinct, strings of at most 16 MiB of valid UTF-8.
 * What the events mean is the caller's business. Private to this folder. */
#ifndef HAL_DATA_JSON_H
#define HAL_DATA_JSON_H

#include "base/buf.h"

#include <stdint.h>

enum { HAL_JSON_DEPTH_MAX = 64, HAL_JSON_STRING_MAX = 16 << 20 };

typedef enum hal_json_event {
    HAL_JSON_MORE, /* the piece is used up */
    HAL_JSON_OBJECT,
    HAL_JSON_OBJECT_END,
    HAL_JSON_ARRAY,
    HAL_JSON_ARRAY_END,
    HAL_JSON_KEY,    /* text */
    HAL_JSON_STRING, /* text */
    HAL_JSON_INT,    /* i, text as written */
    HAL_JSON_BIG,    /* beyond 64 bits or the range of a double: text as written */
    HAL_JSON_FLOAT,  /* d */
    HAL_JSON_TRUE,
    HAL_JSON_FALSE,
    HAL_JSON_NULL
} hal_json_event;

typedef enum hal_json_expect {
    HAL_JSON_EXPECT_VALUE,
    HAL_JSON_EXPECT_VALUE_OR_END,
    HAL_JSON_EXPECT_KEY,
    HAL_JSON_EXPECT_KEY_OR_END,
    HAL_JSON_EXPECT_COLON,
    HAL_JSON_EXPECT_COMMA
} hal_json_expect;

typedef struct hal_json {
    hal_slice text; /* of the last event; borrowed until the next call */
    int64_t i;
    double d;
    int depth;     /* open objects and arrays */
    bool complete; /* the outermost value has ended */
    bool started;  /* any byte but blanks came */
    /* Where the parser is; whoever reads ahead without events moves `p` and sets `expect`. */
    const char *p, *end, *window;
    uint64_t window_offset; /* of window[0] in the text */
    hal_json_expect expect;
    /* Private. */
    bool in_rest;   /* the window is `rest` */
    size_t scanned; /* of an unfinished string */
    bool escaped, non_ascii;
    bool is_object[HAL_JSON_DEPTH_MAX], own_keys[HAL_JSON_DEPTH_MAX];
    size_t first_key[HAL_JSON_DEPTH_MAX];
    uint64_t *keys; /* hashes of the keys of all open objects */
    size_t n_keys, keys_capacity;
    hal_buf rest, decoded;
} hal_json;

/** `offset`: bytes of the text that came before (error texts count from its beginning). */
void hal_json_init(hal_json *j, uint64_t offset);
void hal_json_clear(hal_json *j);

/** Takes the next piece; the previous one must have ended with HAL_JSON_MORE. `*used` of its `n`
 * bytes are taken: call again with the others after the next HAL_JSON_MORE. `bytes` must stay until
 * then or until hal_json_keep. */
hal_status hal_json_feed(hal_json *j, const char *bytes, size_t n, size_t *used,
                         hal_err *err) HAL_MUST_CHECK;
/** Copies what is left of the piece, so that its memory may go. */
hal_status hal_json_keep(hal_json *j, hal_err *err) HAL_MUST_CHECK;
/** The next event. Fails with HAL_E_INTEGRITY and the byte offset. */
hal_status hal_json_next(hal_json *j, hal_json_event *event, hal_err *err) HAL_MUST_CHECK;
/** After HAL_JSON_OBJECT: the caller itself refuses repeated keys of this object. */
void hal_json_own_keys(hal_json *j);
/** After an opening brace was read ahead: as hal_json_own_keys behind HAL_JSON_OBJECT. */
void hal_json_enter_object(hal_json *j);
/** Takes the key `"name"` (given with its quotes, free of escapes) and the colon behind it when
 * exactly that comes next; otherwise takes nothing. */
bool hal_json_take_key(hal_json *j, hal_slice quoted_name);
/** True when the next thing is an element of the innermost array, behind a comma, and no byte of
 * the piece is left. */
bool hal_json_between_elements(const hal_json *j);
/** Makes a fresh `j` begin where `like`, between elements, is. */
void hal_json_begin_like(hal_json *j, const hal_json *like);
/** `n` bytes were read elsewhere: whole elements and the comma behind the last. */
void hal_json_skip(hal_json *j, size_t n);
/** First byte that is not valid UTF-8 (RFC 3629), or NULL. */
const char *hal_json_wrong_utf8(const char *p, const char *end);
/** Offset of the next byte. */
uint64_t hal_json_offset(const hal_json *j);

#endif
