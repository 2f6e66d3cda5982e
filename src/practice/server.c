/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/server.h"

#include "practice/file.h"

#include "base/alloc.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BODY_MAX = 8 * 1024 * 1024,
    PAIRS_MAX = 2000,
    PENDING_MAX = 128 * 1024 * 1024, /* one row: an SQL text may be long */
    STREAM_BLOCK = 128 * 1024,
    CONNECTION_MEMORY = 256 * 1024,
    CONNECTIONS_MAX = 200,
    CUT_AFTER_BYTES = 4096,
    SLOW_CHUNK_BYTES = 2048,
    SLOW_PAUSE_MS = 20
};

struct hal_server {
    struct MHD_Daemon *daemon;
    const hal_practice_options *options;
    hal_sky *sky;
    hal_script *script;
    FILE *log;
    atomic_uint_fast64_t next_id;
    atomic_int now;
};

/* One request from its first byte to the end of its answer. */
typedef struct exchange {
    hal_server *server;
    hal_request request;
    hal_buf body;
    bool too_large; /* the body, or the number of its parameters or headers */
    size_t arguments_capacity, headers_capacity;
    hal_answer answer;
    hal_rows *rows;
    hal_cell *cells; /* of the statement's next row, which is there when `has_row` */
    bool has_row;
    uint64_t rows_sent, bytes_sent;
    int http_status;
    const char *result;
    int socket;
    bool counted; /* in hal_server.now */
    /* streaming rows */
    enum { HEAD, ROWS, TAIL, END } phase;
    size_t part_at; /* of head or tail */
    size_t names_size;
    hal_buf pending; /* one printed row that did not fit */
    size_t pending_at;
    /* streaming a file */
    hal_file file;
    uint64_t file_first, file_bytes; /* the part that is sent */
} exchange;

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Sends RST now. MHD calls shutdown() before close(), which would turn SO_LINGER's reset into an
 * ordinary end; dissolving the association (connect(2), AF_UNSPEC) resets at once. */
static void send_reset(int socket)
{
    struct linger now = {1, 0};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    connect(socket, &nobody, sizeof nobody);
}

/* The request no longer counts as under way. Called before its last byte goes out, so that a client
 * that sends one request after the other is never seen with two. */
static void release(exchange *x)
{
    if (x->counted)
        atomic_fetch_sub(&x->server->now, 1);
    x->counted = false;
}

/* ---- answers ---- */

static ssize_t fail_stream(exchange *x, const char *result)
{
    x->result = result;
    release(x);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static size_t copy_part(exchange *x, const char *part, size_t size, char *out, size_t room)
{
    size_t n = size - x->part_at < room ? size - x->part_at : room;
    if (n)
        memcpy(out, part + x->part_at, n);
    x->part_at += n;
    return n;
}

static size_t take_pending(exchange *x, char *out, size_t room)
{
    size_t n = x->pending.size_bytes - x->pending_at;
    n = n < room ? n : room;
    if (n)
        memcpy(out, x->pending.data + x->pending_at, n);
    x->pending_at += n;
    return n;
}

/* Prints one row to out[room], or its beginning there and the rest kept. -1: failure. */
static ssize_t print_row(exchange *x, const hal_cell *cells, char *out, size_t room)
{
    hal_answer *a = &x->answer;
    hal_err err = HAL_ERR_INIT;
    bool comma = x->rows_sent++ && hal_layout_is_json(a->layout);
    size_t bound = hal_row_bound(cells, a->pick, a->n_pick, x->names_size);
    if (bound + 1 <= room) {
        if (comma)
            *out = ',';
        return (ssize_t)(comma +
                         hal_row_print(a->layout, cells, a->pick, a->n_pick, a->keys, out + comma));
    }
    x->pending.size_bytes = 0;
    x->pending_at = 0;
    if (hal_buf_reserve(&x->pending, bound + 1, &err))
        return -1;
    if (comma)
        x->pending.data[0] = ',';
    x->pending.size_bytes = comma + hal_row_print(a->layout, cells, a->pick, a->n_pick, a->keys,
                                                  x->pending.data + comma);
    return (ssize_t)take_pending(x, out, room);
}

/* The next row, printed. -1: failure. */
static ssize_t put_row(exchange *x, char *out, size_t room)
{
    hal_err err = HAL_ERR_INIT;
    if (x->answer.sql) { /* one row ahead: its text is valid until the next is made */
        ssize_t n = print_row(x, x->cells, out, room);
        return hal_sql_next(x->answer.sql, x->cells, &x->has_row, &err) ? -1 : n;
    }
    hal_cell cells[HAL_ANSWER_COLUMNS_MAX];
    bool more;
    cells[HAL_ANSWER_ALWAYS_NULL].kind = HAL_CELL_NULL;
    if (hal_rows_next(x->rows, cells, &more, &err) || !more)
        return -1;
    return print_row(x, cells, out, room);
}

static bool rows_end(const exchange *x)
{
    return x->rows_sent == x->answer.n || (x->answer.sql && !x->has_row);
}

/* What stands before the rows, or behind them. */
static hal_slice part_of(const exchange *x)
{
    const hal_answer *a = &x->answer;
    if (x->phase == HEAD)
        return (hal_slice){a->body, a->body_bytes};
    return a->tail_over && x->has_row ? (hal_slice){a->tail_over, a->tail_over_bytes}
                                      : (hal_slice){a->tail, a->tail_bytes};
}

static ssize_t fill_rows(exchange *x, char *out, size_t room)
{
    size_t used = take_pending(x, out, room);
    while (used < room && x->phase != END) {
        if (x->phase == ROWS) {
            if (rows_end(x)) {
                x->phase = TAIL;
                x->part_at = 0;
                continue;
            }
            ssize_t n = put_row(x, out + used, room - used);
            if (n < 0)
                return -1;
            used += (size_t)n;
            continue;
        }
        hal_slice part = part_of(x);
        used += copy_part(x, part.data, part.size_bytes, out + used, room - used);
        if (x->part_at == part.size_bytes)
            x->phase = x->phase == HEAD ? ROWS : END;
    }
    return (ssize_t)used;
}

static bool has_fault(const exchange *x, const char *name)
{
    return x->answer.fault && !strcmp(x->answer.fault, name);
}

/* What a fault does to a stream: how many bytes may go out now; 0 to cut. */
static size_t allowed(const exchange *x, size_t max)
{
    if (has_fault(x, "cut"))
        return x->bytes_sent >= CUT_AFTER_BYTES        ? 0
               : max < CUT_AFTER_BYTES - x->bytes_sent ? max
                                                       : CUT_AFTER_BYTES - x->bytes_sent;
    if (has_fault(x, "slow")) {
        pause_ms(SLOW_PAUSE_MS);
        return max < SLOW_CHUNK_BYTES ? max : SLOW_CHUNK_BYTES;
    }
    return max;
}

static ssize_t read_rows(void *ctx, uint64_t at, char *out, size_t max)
{
    exchange *x = ctx;
    (void)at;
    if (x->phase == END && x->pending_at == x->pending.size_bytes) {
        if (has_fault(x, "cut")) /* too short to be cut inside: its end is not announced */
            return fail_stream(x, "cut");
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t room = allowed(x, max);
    if (!room)
        return fail_stream(x, "cut");
    ssize_t n = fill_rows(x, out, room);
    if (n < 0)
        return fail_stream(x, "failed");
    x->bytes_sent += (uint64_t)n;
    if (x->phase == END && x->pending_at == x->pending.size_bytes)
        release(x);
    return n ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t read_text(void *ctx, uint64_t at, char *out, size_t max)
{
    exchange *x = ctx;
    if (at >= x->answer.body_bytes)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t left = x->answer.body_bytes - (size_t)at;
    /* A short answer is cut in its middle. */
    size_t room = has_fault(x, "cut") && left <= CUT_AFTER_BYTES
                      ? (at ? 0 : x->answer.body_bytes / 2)
                      : allowed(x, max);
    if (!room)
        return fail_stream(x, "cut");
    size_t n = left < room ? left : room;
    n = n < max ? n : max;
    memcpy(out, x->answer.body + at, n);
    x->bytes_sent += n;
    if (at + n == x->answer.body_bytes)
        release(x);
    return (ssize_t)n;
}

static ssize_t read_file(void *ctx, uint64_t at, char *out, size_t max)
{
    exchange *x = ctx;
    size_t room = allowed(x, max);
    if (!room)
        return fail_stream(x, "cut");
    size_t n = hal_file_part(&x->file, x->file_first + at, out, room);
    x->bytes_sent += n;
    if (x->bytes_sent >= x->file_bytes)
        release(x);
    return n ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result send_response(exchange *x, struct MHD_Connection *c,
                                     struct MHD_Response *response, int status)
{
    if (!response)
        return MHD_NO;
    x->http_status = status;
    if (!strcmp(x->request.method, "HEAD") || status == 416)
        release(x); /* no body: nobody asks for its bytes */
    if (x->answer.content_type)
        MHD_add_response_header(response, "Content-Type", x->answer.content_type);
    for (size_t i = 0; i < x->answer.n_headers; i++)
        MHD_add_response_header(response, x->answer.headers[i].name, x->answer.headers[i].value);
    enum MHD_Result result = MHD_queue_response(c, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_text(exchange *x, struct MHD_Connection *c)
{
    return send_response(
        x, c,
        MHD_create_response_from_callback(x->answer.body_bytes, STREAM_BLOCK, read_text, x, NULL),
        x->answer.http_status);
}

static enum MHD_Result send_plain(exchange *x, struct MHD_Connection *c, int status,
                                  const char *text)
{
    hal_answer_clear(&x->answer);
    x->answer.http_status = status;
    x->answer.content_type = hal_strdup("text/plain");
    x->answer.body = hal_strdup(text);
    if (!x->answer.body)
        return MHD_NO;
    x->answer.body_bytes = strlen(text);
    return send_text(x, c);
}

static enum MHD_Result drop(exchange *x, bool reset)
{
    x->result = reset ? "reset" : "empty";
    release(x);
    if (reset)
        send_reset(x->socket);
    return MHD_NO;
}

static bool read_digits(const char **p, uint64_t *out)
{
    const char *start = *p;
    *out = 0;
    while (**p >= '0' && **p <= '9' && *p - start < 18)
        *out = *out * 10 + (uint64_t)(*(*p)++ - '0');
    return *p != start;
}

/* RFC 9110 section 14.1.2, one range. 0: no usable Range; 1: a part; -1: cannot be satisfied. */
static int parse_range(const char *text, uint64_t size, uint64_t *first, uint64_t *last)
{
    if (strncmp(text, "bytes=", 6) != 0)
        return 0;
    text += 6;
    if (*text == '-') {
        uint64_t n;
        text++;
        if (!read_digits(&text, &n) || *text)
            return 0;
        if (!n)
            return -1;
        *first = n < size ? size - n : 0;
        *last = size - 1;
        return 1;
    }
    if (!read_digits(&text, first) || *text++ != '-')
        return 0;
    *last = size - 1;
    if (*text && (!read_digits(&text, last) || *text || *last < *first))
        return 0;
    if (*first >= size)
        return -1;
    if (*last >= size)
        *last = size - 1;
    return 1;
}

static enum MHD_Result send_file(exchange *x, struct MHD_Connection *c)
{
    hal_file *f = &x->file;
    if (!hal_file_open(hal_sky_seed(x->server->sky), x->answer.body, f))
        return send_plain(x, c, 404, "No file with that URI\n");
    if (has_fault(x, "short"))
        f->size_bytes = (f->size_bytes + 1) / 2;
    uint64_t first = 0, last = f->size_bytes - 1;
    const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
    const char *condition = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-Range");
    int part = range && !has_fault(x, "norange") && (!condition || !strcmp(condition, f->etag))
                   ? parse_range(range, f->size_bytes, &first, &last)
                   : 0;
    char text[96];
    if (part < 0) {
        struct MHD_Response *none =
            MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)f->size_bytes);
        if (none)
            MHD_add_response_header(none, "Content-Range", text);
        return send_response(x, c, none, 416);
    }
    x->file_first = first;
    x->file_bytes = last - first + 1;
    uint64_t n = has_fault(x, "nolength") ? MHD_SIZE_UNKNOWN : x->file_bytes;
    struct MHD_Response *response =
        MHD_create_response_from_callback(n, STREAM_BLOCK, read_file, x, NULL);
    if (!response)
        return MHD_NO;
    if (!x->answer.content_type)
        MHD_add_response_header(response, "Content-Type", f->content_type);
    MHD_add_response_header(response, "ETag", f->etag);
    if (!has_fault(x, "norange"))
        MHD_add_response_header(response, "Accept-Ranges", "bytes");
    if (part > 0) {
        uint64_t lie = has_fault(x, "badrange") ? 1 : 0;
        x->file_first += lie;
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)(first + lie),
                 (unsigned long long)last, (unsigned long long)f->size_bytes);
        MHD_add_response_header(response, "Content-Range", text);
    }
    return send_response(x, c, response, part > 0 ? 206 : 200);
}

static enum MHD_Result send_rows(exchange *x, struct MHD_Connection *c)
{
    hal_err err = HAL_ERR_INIT;
    if (x->rows && hal_rows_seek(x->rows, x->answer.first, &err))
        return send_plain(x, c, 500, err.text);
    for (size_t i = 0; i < x->answer.n_pick; i++)
        x->names_size += strlen(x->answer.keys[i]);
    return send_response(
        x, c, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_rows, x, NULL),
        x->answer.http_status);
}

/* Counts the rows of the question and lets the dialect word the answer. */
static hal_status finish_query(exchange *x, hal_err *err)
{
    hal_server *s = x->server;
    hal_answer *a = &x->answer;
    uint64_t total = a->total;
    bool known = a->total_known;
    hal_err failure = HAL_ERR_INIT;
    x->rows = hal_rows_new(s->sky, &a->query, &failure);
    hal_status st = x->rows ? HAL_OK : failure.status;
    if (!st && !known)
        st = hal_rows_count(x->rows, &total, &failure);
    hal_answer_clear(a);
    return hal_script_finish(s->script, x->request.id, total, st ? failure.text : NULL, a, err);
}

/* Makes the statement's first row; when that fails the dialect words another answer. */
static hal_status begin_sql(exchange *x, hal_err *err)
{
    hal_answer *a = &x->answer;
    hal_err failure = a->sql_failure;
    if (a->sql) {
        size_t n = hal_sql_columns(a->sql);
        x->cells = hal_malloc(n * sizeof *x->cells);
        if (!x->cells)
            return hal_err_nomem(err, n * sizeof *x->cells);
        if (!hal_sql_next(a->sql, x->cells, &x->has_row, &failure))
            return HAL_OK;
    }
    hal_answer_clear(a);
    return hal_script_failed(x->server->script, x->request.id, failure.text, a, err);
}

static enum MHD_Result answer(exchange *x, struct MHD_Connection *c)
{
    hal_server *s = x->server;
    hal_err err = HAL_ERR_INIT;
    if (s->options->latency_ms)
        pause_ms(s->options->latency_ms);
    x->request.body = hal_buf_slice(&x->body);
    hal_status st = hal_script_serve(s->script, &x->request, &x->answer, &err);
    if (!st && x->answer.has_query)
        st = finish_query(x, &err);
    if (!st && x->answer.outcome == HAL_OUTCOME_SQL)
        st = begin_sql(x, &err);
    if (st)
        return send_plain(x, c, 500, err.text);
    switch (x->answer.outcome) {
    case HAL_OUTCOME_RESET:
        return drop(x, true);
    case HAL_OUTCOME_EMPTY:
        return drop(x, false);
    case HAL_OUTCOME_ROWS:
    case HAL_OUTCOME_SQL:
        return send_rows(x, c);
    case HAL_OUTCOME_FILE:
        return send_file(x, c);
    default:
        return send_text(x, c);
    }
}

/* ---- requests ---- */

static bool add_pair(hal_pair **pairs, size_t *n, size_t *capacity, const char *name,
                     const char *value)
{
    if (*n == PAIRS_MAX)
        return false;
    if (*n == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 8;
        hal_pair *grown = hal_realloc(*pairs, wanted * sizeof *grown);
        if (!grown)
            return false;
        *pairs = grown;
        *capacity = wanted;
    }
    hal_pair pair = {hal_strdup(name), hal_strdup(value ? value : "")};
    if (!pair.name || !pair.value) {
        hal_free(pair.name);
        hal_free(pair.value);
        return false;
    }
    (*pairs)[(*n)++] = pair;
    return true;
}

static enum MHD_Result add_value(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    exchange *x = ctx;
    hal_request *r = &x->request;
    x->too_large |= (kind == MHD_HEADER_KIND ? r->n_headers : r->n_arguments) == PAIRS_MAX;
    bool ok = kind == MHD_HEADER_KIND
                  ? add_pair(&r->headers, &r->n_headers, &x->headers_capacity, name, value)
                  : add_pair(&r->arguments, &r->n_arguments, &x->arguments_capacity, name, value);
    return ok ? MHD_YES : MHD_NO;
}

static void free_pairs(hal_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hal_free(pairs[i].name);
        hal_free(pairs[i].value);
    }
    hal_free(pairs);
}

static exchange *begin(hal_server *s, struct MHD_Connection *c, const char *method,
                       const char *path)
{
    exchange *x = hal_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->server = s;
    x->request.id = atomic_fetch_add(&s->next_id, 1) + 1;
    x->request.method = method;
    x->request.path = path;
    x->result = "sent";
    hal_buf_init(&x->body, BODY_MAX);
    hal_buf_init(&x->pending, PENDING_MAX);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    x->socket = info ? info->connect_fd : -1;
    x->counted = strncmp(path, "/practice/", 10) != 0;
    if (x->counted)
        x->request.simultaneous = atomic_fetch_add(&s->now, 1) + 1;
    return x;
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **con_cls)
{
    hal_server *s = ctx;
    exchange *x = *con_cls;
    (void)version;
    if (!x) {
        *con_cls = begin(s, c, method, url);
        return *con_cls ? MHD_YES : MHD_NO;
    }
    if (*upload_size) {
        if (hal_buf_append(&x->body, upload, *upload_size, NULL))
            x->too_large = true;
        *upload_size = 0;
        return MHD_YES;
    }
    MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, add_value, x);
    MHD_get_connection_values(c, MHD_HEADER_KIND, add_value, x);
    if (x->too_large)
        return send_plain(x, c, 413, "The request is too large\n");
    return answer(x, c);
}

static void completed(void *ctx, struct MHD_Connection *c, void **con_cls,
                      enum MHD_RequestTerminationCode how)
{
    hal_server *s = ctx;
    exchange *x = *con_cls;
    (void)c;
    if (!x)
        return;
    *con_cls = NULL;
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK && !strcmp(x->result, "sent"))
        x->result = "aborted";
    hal_buf line;
    hal_buf_init(&line, BODY_MAX + 65536);
    hal_script_done(s->script, x->request.id, x->http_status, x->rows_sent, x->bytes_sent,
                    x->result, s->log ? &line : NULL);
    if (s->log) {
        fprintf(s->log, "%s\n", hal_buf_text(&line));
        fflush(s->log);
    }
    hal_buf_clear(&line);
    release(x);
    free_pairs(x->request.arguments, x->request.n_arguments);
    free_pairs(x->request.headers, x->request.n_headers);
    hal_free(x->cells);
    hal_rows_free(x->rows);
    hal_answer_clear(&x->answer);
    hal_buf_clear(&x->body);
    hal_buf_clear(&x->pending);
    hal_free(x);
}

/* ---- life ---- */

static bool open_parts(hal_server *s, hal_err *err)
{
    const hal_practice_options *o = s->options;
    s->sky = hal_sky_new(o->seed, err);
    s->script = s->sky ? hal_script_new(s->sky, o, err) : NULL;
    if (!s->script)
        return false;
    if (o->log_path && !(s->log = fopen(o->log_path, "a"))) {
        hal_err_errno(err, errno, "cannot write the log %s", o->log_path);
        return false;
    }
    return true;
}

hal_server *hal_server_start(const hal_practice_options *options, hal_err *err)
{
    hal_server *s = hal_calloc(1, sizeof *s);
    if (!s) {
        hal_err_nomem(err, sizeof *s);
        return NULL;
    }
    s->options = options;
    if (!open_parts(s, err)) {
        hal_server_free(s);
        return NULL;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    errno = 0;
    s->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, handle, s,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, completed, s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
    if (!s->daemon) {
        hal_err_set(err, HAL_E_IO, "cannot listen on 127.0.0.1:%d: %s; choose another --port or 0",
                    options->port, errno ? strerror(errno) : "port in use");
        hal_server_free(s);
        return NULL;
    }
    return s;
}

int hal_server_port(const hal_server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void hal_server_free(hal_server *s)
{
    if (!s)
        return;
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    hal_script_free(s->script);
    hal_sky_free(s->sky);
    if (s->log)
        fclose(s->log);
    hal_free(s);
}
