/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.http: data sets read to tables, small control answers, politeness. GET, HEAD and
 * POST are sent again after a failure: give `tries = 1` with a POST that makes or changes something
 * (a UWS job). Other methods are sent once unless `tries` says more. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/auth.h"
#include "bind/http_form.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "host/fetch.h"
#include "net/retry.h"

#include <lauxlib.h>
#include <stdio.h>

enum { HEADERS_MAX = 32, MAX_BYTES_DEFAULT = 1 << 20, MAX_BYTES_MAX = 256 << 20 };

/* --- The request --------------------------------------------------------------------------------
 */

static hal_slice header_text(lua_State *L, int index)
{
    hal_slice s = hal_arg_slice(L, index, "each header and its value");
    for (size_t i = 0; i < s.size_bytes; i++)
        if (s.data[i] == '\r' || s.data[i] == '\n' || s.data[i] == '\0')
            hal_bind_fail(L, HAL_E_USAGE, "a header must not hold line ends or zero bytes");
    return s;
}

/* Headers of the options at index 1; text stays valid while that table is unchanged. */
static size_t read_headers(lua_State *L, hal_header headers[HEADERS_MAX])
{
    size_t n = 0;
    lua_pushliteral(L, "headers");
    int type = lua_rawget(L, 1);
    if (type != LUA_TTABLE && type != LUA_TNIL)
        hal_bind_fail(L, HAL_E_USAGE, "option \"headers\" must be a table {name = value}");
    if (type == LUA_TTABLE)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (n == HEADERS_MAX)
                hal_bind_fail(L, HAL_E_USAGE, "at most %d headers", HEADERS_MAX);
            headers[n].name = header_text(L, -2).data;
            headers[n++].value = header_text(L, -1).data;
        }
    lua_pop(L, 1);
    return n;
}

/* Reads the options at index 1. */
static hal_request read_request(lua_State *L, hal_header headers[HEADERS_MAX])
{
    hal_request r = {.repeatable = true};
    hal_option_require(L, 1, "url", "http");
    r.url = hal_option_text(L, 1, "url", NULL);
    if (hal_host_setting(hal_host_of(L), "offline"))
        hal_bind_fail(L, HAL_E_USAGE, "%.200s has to be asked for this: leave --offline out",
                      r.url);
    r.body = hal_option_slice(L, 1, "body");
    r.method = hal_option_text(L, 1, "method", r.body.data ? "POST" : "GET");
    bool asks = !strcmp(r.method, "GET") || !strcmp(r.method, "HEAD") || !strcmp(r.method, "POST");
    int64_t tries = hal_option_integer(L, 1, "tries", asks ? 0 : 1);
    double deadline_s = hal_option_number(L, 1, "deadline", 0);
    if (tries < 0 || tries > 100)
        hal_bind_fail(L, HAL_E_USAGE, "option \"tries\" must be 1 to 100");
    if (deadline_s < 0 || deadline_s > 1e7)
        hal_bind_fail(L, HAL_E_USAGE, "option \"deadline\" must be 0 to 1e7 seconds");
    r.tries_max = (int)tries;
    double first_byte_s = hal_option_number(L, 1, "first_byte", 0);
    if (first_byte_s < 0 || first_byte_s > 1e7)
        hal_bind_fail(L, HAL_E_USAGE, "option \"first_byte\" must be 0 to 1e7 seconds");
    r.deadline_ms = (int64_t)(deadline_s * 1000.0);
    r.first_byte_ms = (int64_t)(first_byte_s * 1000.0);
    r.headers = headers;
    r.n_headers = read_headers(L, headers);
    return r;
}

/* What the options `auth` and `secret` name; `c` is owned by the operation. */
static void add_credentials(lua_State *L, hal_request *r, hal_credentials *c)
{
    hal_option_auth(L, 1, c);
    r->body = hal_option_secret(L, 1, r->body, r->method, c);
    r->secrets = c->net.may_go ? &c->net : NULL;
}

/* --- fetch --------------------------------------------------------------------------------------
 */

typedef struct fetch_op {
    hal_op op;
    hal_host *host;
    hal_fetch *fetch;
    hal_fetch_request *request; /* valid during the call only */
    hal_answer answer;
    hal_table *table;
    hal_buf body;
    hal_outcome http;
    bool reset;
    bool table_named;
    char choice[128]; /* how to name one, for a warning */
    hal_credentials credentials;
} fetch_op;

static void fetch_clear(hal_op *op)
{
    hal_credentials_clear(&((fetch_op *)op)->credentials);
    hal_table_unref(((fetch_op *)op)->table);
    hal_buf_clear(&((fetch_op *)op)->body);
}

static void fetch_cancel(hal_op *op)
{
    hal_fetch_cancel(((fetch_op *)op)->fetch);
}

static void fetch_done(void *ctx, hal_fetch_result *result)
{
    fetch_op *f = ctx;
    f->op.err = result->err;
    f->answer = result->answer;
    f->table = result->table;
    result->table = NULL;
    f->body = result->body;
    result->body = (hal_buf){0};
    f->http = *result->http;
    f->reset = result->reset;
    hal_op_done(&f->op);
}

static void fetch_working(void *ctx, double fraction, int polls)
{
    fetch_op *f = ctx;
    char json[128];
    int percent = fraction >= 0 && fraction <= 1 ? (int)(fraction * 100) : -1;
    if (percent >= 0)
        snprintf(json, sizeof json,
                 "{\"stage\":\"the archive is working on it\",\"percent\":%d,\"polls\":%d}",
                 percent, polls);
    else
        snprintf(json, sizeof json, "{\"stage\":\"the archive is working on it\",\"polls\":%d}",
                 polls);
    hal_host_emit(f->host, "progress", json);
}

static hal_status fetch_start(hal_op *op, hal_loop *loop, hal_err *err)
{
    fetch_op *f = (fetch_op *)op;
    f->fetch = hal_fetch_start(loop, f->request, fetch_done, f, err);
    f->request = NULL;
    return f->fetch ? HAL_OK : err->status;
}

/* Sets "headers" of the table on top: {name in lower case = value}, repeated ones joined (RFC 9110
 * 5.3). */
static void set_headers(lua_State *L, const hal_outcome *o)
{
    lua_newtable(L);
    for (const char *name = o->headers; *name;) {
        const char *value = name + strlen(name) + 1;
        if (lua_getfield(L, -1, name) == LUA_TSTRING)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
        else
            lua_pushstring(L, value);
        lua_setfield(L, -3, name);
        lua_pop(L, 1);
        name = value + strlen(value) + 1;
    }
    lua_setfield(L, -2, "headers");
}

static void push_outcome(lua_State *L, const hal_outcome *o)
{
    lua_createtable(L, 0, 8);
    set_headers(L, o);
    hal_set_integer(L, "http_status", o->http_status);
    hal_set_integer(L, "tries", o->tries);
    hal_set_integer(L, "polls", o->polls);
    hal_set_integer(L, "bytes", (int64_t)o->wire_bytes);
    hal_set_number(L, "elapsed", (double)o->elapsed_ns / (double)HAL_NS_PER_S);
    hal_set_text(L, "url", o->url);
    hal_set_text(L, "content_type", o->content_type);
    if (o->unbounded)
        hal_set_boolean(L, "unbounded", true);
}

static void set_said(lua_State *L, const char *key, int64_t value)
{
    if (value >= 0)
        hal_set_integer(L, key, value);
}

static void push_answer(lua_State *L, const hal_answer *a, bool whole)
{
    lua_createtable(L, 0, 10);
    hal_set_text(L, "status",
                 a->status == HAL_ANSWER_COMPLETE    ? "COMPLETE"
                 : a->status == HAL_ANSWER_EXECUTING ? "EXECUTING"
                                                     : "ERROR");
    hal_set_text(L, "message", a->message);
    if (a->fraction_done >= 0)
        hal_set_number(L, "fraction_done", a->fraction_done);
    hal_set_boolean(L, "overflow", !whole);
    set_said(L, "page", a->page);
    set_said(L, "page_size", a->page_size);
    set_said(L, "pages_filtered", a->pages_filtered);
    set_said(L, "rows", a->rows);
    set_said(L, "rows_filtered", a->rows_filtered);
    set_said(L, "rows_total", a->rows_total);
}

/* Tables that nobody asked for are left in the answer: said once of each address, not for each of a
 * thousand tiles. */
static void warn_of_others(lua_State *L, const fetch_op *f)
{
    static const char key;
    char label[sizeof f->http.url], text[HAL_ANSWER_OTHERS_MAX];
    snprintf(label, sizeof label, "%.*s", (int)strcspn(f->http.url, "?#"), f->http.url);
    if (f->table_named || !f->table || !hal_answer_others(&f->answer, label, f->choice, text))
        return;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TTABLE) {
        lua_newtable(L);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    }
    if (lua_getfield(L, -1, label) == LUA_TNIL) {
        lua_pushboolean(L, true);
        lua_setfield(L, -3, label);
        hal_host_log(f->host, "warning", text);
    }
    lua_pop(L, 2);
}

static int fetch_push(lua_State *L, hal_op *op)
{
    fetch_op *f = (fetch_op *)op;
    warn_of_others(L, f);
    bool whole = !f->table || !hal_table_require_whole(f->table, NULL);
    if (f->table) {
        hal_table **slot = hal_table_push(L);
        *slot = f->table;
        f->table = NULL;
        hal_table_pushed(L, NULL);
    } else {
        lua_pushnil(L);
    }
    push_answer(L, &f->answer, whole);
    push_outcome(L, &f->http);
    if (f->body.size_bytes) {
        lua_pushlstring(L, f->body.data, f->body.size_bytes);
        lua_setfield(L, -2, "body");
    }
    return 3;
}

/* What a tile's verdict is made from, on the error object. */
static void fetch_decorate(lua_State *L, hal_op *op)
{
    fetch_op *f = (fetch_op *)op;
    if (f->reset)
        hal_set_boolean(L, "reset", true);
    push_outcome(L, &f->http);
    lua_setfield(L, -2, "outcome");
}

/* fetch{url, method, headers, body, auth, secret, format, table, choice, rows_max, overflow, poll,
 * tries, deadline, first_byte, body_max}
 * -> table or nil, answer, outcome. `table`: which one of several, its number or name; without it
 * the first is read and a warning says that there are others, and `choice`, how the caller takes
 * that option. Rows that the service cut at its limit raise `truncated`;
 * `overflow = "keep"` gives them, answer.overflow is true then. outcome.body has the bytes of the
 * answer too, when they are not more than `body_max`. */
static int fetch(lua_State *L)
{
    static const char *const known[] = {"url",      "method", "headers", "body",     "auth",
                                        "secret",   "format", "table",   "choice",   "rows_max",
                                        "overflow", "poll",   "tries",   "deadline", "first_byte",
                                        "body_max", NULL};
    hal_options_check(L, 1, known, "http.fetch");
    lua_settop(L, 1);
    hal_header headers[HEADERS_MAX];
    hal_fetch_request request = {.http = read_request(L, headers)};
    hal_err err = HAL_ERR_INIT;
    if (hal_format_from_name(&request.format, hal_option_text(L, 1, "format", "auto"), &err))
        return hal_raise(L, &err);
    int64_t rows_max = hal_option_integer(L, 1, "rows_max", 0);
    if (rows_max < 0)
        return hal_bind_fail(L, HAL_E_USAGE, "option \"rows_max\" must not be negative");
    request.limits.rows_max = (uint64_t)rows_max;
    const char *overflow = hal_option_text(L, 1, "overflow", "error");
    request.keep_overflow = !strcmp(overflow, "keep");
    if (!request.keep_overflow && strcmp(overflow, "error") != 0)
        return hal_bind_fail(L, HAL_E_USAGE, "option \"overflow\" must be error or keep");
    request.poll = hal_option_boolean(L, 1, "poll", true);
    request.table = hal_option_text(L, 1, "table", NULL);
    const char *choice = hal_option_text(L, 1, "choice", "halyard.core.http.fetch { table = N }");
    int64_t body_max = hal_option_integer(L, 1, "body_max", 0);
    if (body_max < 0 || body_max > MAX_BYTES_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "option \"body_max\" must be 0 to %d bytes",
                             MAX_BYTES_MAX);
    request.body_max_bytes = (size_t)body_max;
    fetch_op *f = hal_op_new(L, sizeof *f);
    f->op.clear = fetch_clear;
    f->op.cancel = fetch_cancel;
    f->op.push = fetch_push;
    f->op.decorate = fetch_decorate;
    f->host = hal_host_of(L);
    f->table_named = request.table != NULL;
    snprintf(f->choice, sizeof f->choice, "%s", choice);
    f->request = &request;
    add_credentials(L, &request.http, &f->credentials);
    request.working = fetch_working;
    request.working_ctx = f;
    return hal_op_wait(L, &f->op, fetch_start);
}

/* --- request ------------------------------------------------------------------------------------
 */

typedef struct request_op {
    hal_op op;
    hal_exchange *exchange;
    hal_request *request; /* valid during the call only */
    hal_buf body;
    hal_outcome http;
    hal_credentials credentials;
} request_op;

static void request_clear(hal_op *op)
{
    hal_credentials_clear(&((request_op *)op)->credentials);
    hal_buf_clear(&((request_op *)op)->body);
}

static void request_cancel(hal_op *op)
{
    hal_exchange_cancel(((request_op *)op)->exchange);
}

static hal_status body_begin(void *ctx, int http_status, hal_err *err)
{
    (void)http_status;
    (void)err;
    hal_buf_clear(&((request_op *)ctx)->body);
    return HAL_OK;
}

static hal_status body_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    return hal_buf_append(&((request_op *)ctx)->body, bytes, n, err);
}

static void body_end(void *ctx)
{
    request_op *r = ctx;
    hal_exchange_hide(r->exchange, r->body.data, r->body.size_bytes);
    hal_exchange_judged(r->exchange, HAL_JUDGED_FINAL, NULL);
}

static void request_done(void *ctx, const hal_outcome *outcome)
{
    request_op *r = ctx;
    r->op.err = outcome->err;
    r->http = *outcome;
    hal_op_done(&r->op);
}

static hal_status request_start(hal_op *op, hal_loop *loop, hal_err *err)
{
    request_op *r = (request_op *)op;
    hal_sink sink = {.begin = body_begin, .write = body_write, .end = body_end, .ctx = r};
    r->exchange = hal_exchange_start(loop, r->request, &sink, request_done, r, err);
    r->request = NULL;
    return r->exchange ? HAL_OK : err->status;
}

static int request_push(lua_State *L, hal_op *op)
{
    const request_op *r = (const request_op *)op;
    lua_createtable(L, 0, 6);
    hal_set_integer(L, "status", r->http.http_status);
    hal_set_text(L, "url", r->http.url);
    if (r->http.location[0])
        hal_set_text(L, "location", r->http.location);
    set_headers(L, &r->http);
    if ((r->http.http_status == 401 || r->http.http_status == 403) && r->credentials.net.remedy)
        hal_set_text(L, "remedy", r->credentials.net.remedy);
    hal_set_text(L, "content_type", r->http.content_type);
    lua_pushlstring(L, hal_buf_text(&r->body), r->body.size_bytes);
    lua_setfield(L, -2, "body");
    return 1;
}

static void request_decorate(lua_State *L, hal_op *op)
{
    if (((request_op *)op)->http.reset_before_end)
        hal_set_boolean(L, "reset", true);
}

/* request{url, method, headers, body, auth, secret, max_bytes, tries, deadline, first_byte,
 * redirects}
 * -> {status, body, url, content_type, headers, location, remedy}; `remedy` says how to give a
 * credential that `auth` did not find or the server did not take; an HTTP error status is data,
 * with `redirects = false` a redirect too. */
static int request(lua_State *L)
{
    static const char *const known[] = {"url",      "method",     "headers",   "body",
                                        "auth",     "secret",     "max_bytes", "tries",
                                        "deadline", "first_byte", "redirects", NULL};
    hal_options_check(L, 1, known, "http.request");
    lua_settop(L, 1);
    hal_header headers[HEADERS_MAX];
    hal_request http = read_request(L, headers);
    int64_t max = hal_option_integer(L, 1, "max_bytes", MAX_BYTES_DEFAULT);
    if (max < 0 || max > MAX_BYTES_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "option \"max_bytes\" must be 0 to %d", MAX_BYTES_MAX);
    request_op *r = hal_op_new(L, sizeof *r);
    r->op.clear = request_clear;
    r->op.cancel = request_cancel;
    r->op.push = request_push;
    r->op.decorate = request_decorate;
    hal_buf_init(&r->body, (size_t)max);
    http.error_bodies = true;
    http.coded = true;
    http.keep_redirect = !hal_option_boolean(L, 1, "redirects", true);
    http.body_max_bytes = (uint64_t)max;
    r->request = &http;
    add_credentials(L, &http, &r->credentials);
    return hal_op_wait(L, &r->op, request_start);
}

/* --- politeness ---------------------------------------------------------------------------------
 */

/* limit(host or nil, window, pace_s or nil): without a pace, a window that came with one stays */
static int limit(lua_State *L)
{
    const char *host = lua_isnoneornil(L, 1) ? NULL : hal_arg_text(L, 1, "limit: host");
    lua_Integer window = hal_arg_integer(L, 2, "limit: window");
    bool paced = !lua_isnoneornil(L, 3);
    double pace_s = paced ? hal_arg_number(L, 3, "limit: pace") : 0;
    if (window < 1 || window > 64 || !(pace_s >= 0 && pace_s <= 3600))
        return hal_bind_fail(L, HAL_E_USAGE,
                             "limit: window is 1 to 64 requests, pace 0 to 3600 seconds");
    hal_err err = HAL_ERR_INIT;
    if (hal_host_limit(hal_host_loop(hal_host_of(L)), host, (int)window,
                       paced ? (int64_t)(pace_s * 1000.0) : -1, &err))
        return hal_raise(L, &err);
    return 0;
}

/* poll_delay(quick, held_s, first_s, cap_s) -> seconds: the pause before the next of the same
 * questions, of which `quick` came back at once so far; without first_s and cap_s as fetch polls.
 */
static int poll_delay(lua_State *L)
{
    lua_Integer quick = hal_arg_integer(L, 1, "poll_delay: quick");
    double held_s = hal_arg_number(L, 2, "poll_delay: held");
    const hal_waits *waits = hal_loop_waits(hal_host_loop(hal_host_of(L)));
    double first_s = lua_isnoneornil(L, 3) ? (double)waits->poll_base_ms / 1000.0
                                           : hal_arg_number(L, 3, "poll_delay: first");
    double cap_s = lua_isnoneornil(L, 4) ? (double)waits->poll_cap_ms / 1000.0
                                         : hal_arg_number(L, 4, "poll_delay: cap");
    if (quick < 0 || quick > 1000000 || !(first_s > 0 && first_s <= cap_s && cap_s <= 86400) ||
        !(held_s >= 0 && held_s < 1e9))
        return hal_bind_fail(L, HAL_E_USAGE,
                             "poll: first is above 0 and not above cap, cap not above a day");
    lua_pushnumber(L, (double)hal_poll_delay_ms((int)quick, (int64_t)(held_s * 1000.0),
                                                (int64_t)(first_s * 1000.0),
                                                (int64_t)(cap_s * 1000.0)) /
                          1000.0);
    return 1;
}

static int stats(lua_State *L)
{
    hal_net_stats s = hal_loop_stats(hal_host_loop(hal_host_of(L)));
    lua_createtable(L, 0, 5);
    hal_set_integer(L, "requests", (int64_t)s.requests);
    hal_set_integer(L, "retries", (int64_t)s.retries);
    hal_set_integer(L, "polls", (int64_t)s.polls);
    hal_set_integer(L, "bytes", (int64_t)s.wire_bytes);
    hal_set_integer(L, "in_flight", s.in_flight);
    return 1;
}

int hal_open_http(lua_State *L)
{
    static const luaL_Reg functions[] = {{"fetch", fetch}, {"request", request},
                                         {"limit", limit}, {"poll_delay", poll_delay},
                                         {"stats", stats}, {"multipart", hal_http_multipart},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
