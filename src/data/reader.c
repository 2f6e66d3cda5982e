/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/reader.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "data/csv.h"
#include "data/mashup.h"

#include <strings.h>

enum { HEAD_MAX = 4096 };

struct hal_reader {
    hal_format format;
    hal_reader_limits limits;
    uint64_t bytes_taken;
    size_t n_mark;      /* bytes of a byte order mark */
    hal_buf head;       /* the beginning, until it is known what it is */
    bool wrong;         /* it is not what was asked for */
    hal_mashup *mashup; /* one of the two once recognised */
    hal_csv *csv;
};

static const char *const format_names[] = {"auto", "json", "extjs", "csv", "jsonl"};

hal_status hal_format_from_name(hal_format *out, const char *name, hal_err *err)
{
    for (int i = 0; i <= HAL_FORMAT_JSONL; i++)
        if (!strcmp(format_names[i], name)) {
            *out = (hal_format)i;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "unknown format \"%s\"; use one of auto, json, extjs, csv, jsonl", name);
}

const char *hal_format_name(hal_format f)
{
    return f >= HAL_FORMAT_AUTO && f <= HAL_FORMAT_JSONL ? format_names[f] : "unknown";
}

hal_reader *hal_reader_new(hal_format format, const hal_reader_limits *limits, hal_err *err)
{
    if (format == HAL_FORMAT_JSONL) {
        hal_err_set(err, HAL_E_USAGE, "JSON lines can be written, not read; use json or csv");
        return NULL;
    }
    hal_reader *r = hal_calloc(1, sizeof *r);
    if (!r) {
        hal_err_nomem(err, sizeof *r);
        return NULL;
    }
    r->format = format;
    if (limits)
        r->limits = *limits;
    if (!r->limits.rows_max)
        r->limits.rows_max = UINT64_C(1) << 40;
    if (!r->limits.bytes_max)
        r->limits.bytes_max = UINT64_C(1) << 40;
    if (!r->limits.columns_max)
        r->limits.columns_max = 10000;
    hal_buf_init(&r->head, HEAD_MAX);
    return r;
}

void hal_reader_free(hal_reader *r)
{
    if (!r)
        return;
    hal_mashup_free(r->mashup);
    hal_csv_free(r->csv);
    hal_buf_clear(&r->head);
    hal_free(r);
}

/* The text between <title> and </title>; empty when there is none. */
static hal_slice page_title(hal_slice page)
{
    for (size_t i = 0; i + 7 <= page.size_bytes; i++) {
        if (strncasecmp(page.data + i, "<title", 6) != 0)
            continue;
        const char *end = page.data + page.size_bytes;
        const char *p = memchr(page.data + i, '>', (size_t)(end - page.data) - i);
        const char *close = p ? memchr(p, '<', (size_t)(end - p)) : NULL;
        if (!close)
            break;
        while (++p < close && (unsigned char)*p <= ' ')
            ;
        while (close > p && (unsigned char)close[-1] <= ' ')
            close--;
        return (hal_slice){p, (size_t)(close - p)};
    }
    return (hal_slice){"", 0};
}

/* Printable text for an error line. */
static void quote_line(char *out, size_t out_size, hal_slice text)
{
    size_t n = text.size_bytes < out_size - 1 ? text.size_bytes : out_size - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.data[i];
        out[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    out[n] = '\0';
}

static bool begins(hal_slice text, const char *word)
{
    size_t n = strlen(word);
    return text.size_bytes >= n && !strncasecmp(text.data, word, n);
}

static const char *looks_like(hal_slice text)
{
    while (text.size_bytes && (unsigned char)*text.data <= ' ') {
        text.data++;
        text.size_bytes--;
    }
    if (begins(text, "<?xml") || begins(text, "<votable"))
        return "an XML document";
    return begins(text, "<")      ? "an HTML page"
           : begins(text, "{")    ? "a JSON object"
           : begins(text, "[")    ? "a JSON list"
           : begins(text, "null") ? "JSON null"
                                  : "plain text";
}

static hal_status refuse(const hal_reader *r, hal_err *err)
{
    char line[121];
    hal_slice head = {r->head.data + r->n_mark, r->head.size_bytes - r->n_mark};
    hal_slice title = page_title(head);
    const char *looks = looks_like(head);
    const char *wanted = r->format == HAL_FORMAT_CSV    ? "CSV"
                         : r->format == HAL_FORMAT_AUTO ? "JSON or CSV"
                                                        : "a JSON dataset";
    const char *remedy = "the service may be down or the address wrong";
    if (title.size_bytes) {
        quote_line(line, sizeof line, title);
        return hal_err_set(err, HAL_E_PROTOCOL, "the answer is %s titled \"%s\", not %s; %s", looks,
                           line, wanted, remedy);
    }
    quote_line(line, sizeof line, head);
    return hal_err_set(err, HAL_E_PROTOCOL, "the answer is %s, not %s; %s; it begins: %s", looks,
                       wanted, remedy, line);
}

/* Decides by the first byte that is not blank; HAL_OK also when more bytes are needed. */
static hal_status recognise(hal_reader *r, hal_err *err)
{
    hal_slice head = hal_buf_slice(&r->head);
    const char *p = head.data, *end = p + head.size_bytes;
    static const char mark[] = "\xef\xbb\xbf";
    if (head.size_bytes < 3 && !memcmp(p, mark, head.size_bytes))
        return HAL_OK;
    r->n_mark = head.size_bytes >= 3 && !memcmp(p, mark, 3) ? 3 : 0;
    p += r->n_mark;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    if (p == end) {
        if (head.size_bytes < HEAD_MAX)
            return HAL_OK;
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer begins with 4096 blanks; nothing reads "
                           "that");
    }
    bool json = r->format != HAL_FORMAT_CSV;
    bool csv = r->format == HAL_FORMAT_CSV || r->format == HAL_FORMAT_AUTO;
    if (*p == '{' && json) {
        r->mashup = hal_mashup_new(&r->limits, r->n_mark, err);
        return r->mashup ? HAL_OK : HAL_E_NOMEM;
    }
    if (csv && !strchr("<{[", *p)) {
        r->csv = hal_csv_new(&r->limits, err);
        return r->csv ? HAL_OK : HAL_E_NOMEM;
    }
    r->wrong = true;
    return HAL_OK;
}

static hal_status pass_on(hal_reader *r, const char *bytes, size_t n, hal_err *err)
{
    return r->mashup ? hal_mashup_feed(r->mashup, bytes, n, err)
                     : hal_csv_feed(r->csv, bytes, n, err);
}

hal_status hal_reader_feed(hal_reader *r, const char *bytes, size_t n, hal_err *err)
{
    if (n > r->limits.bytes_max - r->bytes_taken)
        return hal_err_set(err, HAL_E_BUDGET, "the answer is larger than %llu bytes",
                           (unsigned long long)r->limits.bytes_max);
    r->bytes_taken += n;
    if (r->mashup || r->csv)
        return pass_on(r, bytes, n, err);
    size_t room = HEAD_MAX - r->head.size_bytes, part = n < room ? n : room;
    hal_status st = hal_buf_append(&r->head, bytes, part, err);
    if (!st && !r->wrong && r->head.size_bytes)
        st = recognise(r, err);
    if (st)
        return st;
    if (r->mashup || r->csv) {
        st = pass_on(r, r->head.data + r->n_mark, r->head.size_bytes - r->n_mark, err);
        hal_buf_clear(&r->head);
        return st ? st : pass_on(r, bytes + part, n - part, err);
    }
    return r->wrong && r->head.size_bytes == HEAD_MAX ? refuse(r, err) : HAL_OK;
}

hal_status hal_reader_finish(hal_reader *r, hal_answer *answer, hal_table **table, hal_err *err)
{
    if (r->mashup)
        return hal_mashup_finish(r->mashup, answer, table, err);
    if (r->csv)
        return hal_csv_finish(r->csv, answer, table, err);
    hal_slice head = hal_buf_slice(&r->head);
    size_t i = r->n_mark;
    while (i < head.size_bytes && (unsigned char)head.data[i] <= ' ')
        i++;
    if (i == head.size_bytes)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer is empty; the service may be down or the query too large");
    /* The two bytes of a CSV answer that is not ready (Mashup specification, section 4.5). */
    if (r->format == HAL_FORMAT_CSV &&
        begins((hal_slice){head.data + i, head.size_bytes - i}, "{}")) {
        *answer = (hal_answer){HAL_ANSWER_EXECUTING, "", -1, -1, -1, -1, -1, -1, -1};
        *table = NULL;
        return HAL_OK;
    }
    return refuse(r, err);
}
