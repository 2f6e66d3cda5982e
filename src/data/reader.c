/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/reader.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/unpack.h"
#include "data/answer_words.h"
#include "data/contents.h"
#include "data/format.h"
#include "data/vec.h"

#include <stdio.h>
#include <strings.h>

enum { HEAD_MAX = 4096, BATCH_ROWS = 65536, LABEL_MAX = 200 };

struct hal_reader {
    hal_reader_setup setup;
    char *table;
    uint64_t bytes_taken;  /* as they arrived */
    uint64_t bytes_inside; /* unpacked */
    hal_unpack *unpack;
    bool packing_known;
    hal_buf head;                  /* the beginning, until it is known what it is */
    bool wrong;                    /* it is not what was asked for */
    const hal_reader_class *class; /* once recognised */
    void *self;
};

hal_reader *hal_reader_new(hal_format format, const hal_reader_limits *limits, hal_err *err)
{
    hal_reader_options options = {.limits = limits ? *limits : (hal_reader_limits){0}};
    return hal_reader_new_with(format, &options, err);
}

hal_reader *hal_reader_new_with(hal_format format, const hal_reader_options *options, hal_err *err)
{
    if (!hal_format_is_read(format)) {
        char reads[200];
        hal_format_list(reads, sizeof reads, false);
        hal_err_set(err, HAL_E_USAGE, "format \"%s\" can be written, not read; use %s",
                    hal_format_name(format), reads);
        return NULL;
    }
    hal_reader *r = hal_calloc(1, sizeof *r);
    if (!r) {
        hal_err_nomem(err, sizeof *r);
        return NULL;
    }
    r->setup = (hal_reader_setup){.format = format, .asked = *options};
    if (options->table) {
        r->table = hal_strdup(options->table);
        if (!r->table) {
            hal_err_nomem(err, strlen(options->table));
            hal_free(r);
            return NULL;
        }
        r->setup.asked.table = r->table;
    }
    hal_reader_limits *limits = &r->setup.asked.limits;
    if (!limits->rows_max)
        limits->rows_max = UINT64_C(1) << 40;
    if (!limits->bytes_max)
        limits->bytes_max = UINT64_C(1) << 40;
    if (!limits->columns_max)
        limits->columns_max = 10000;
    if (!r->setup.asked.batch_rows)
        r->setup.asked.batch_rows = BATCH_ROWS;
    hal_buf_init(&r->head, HEAD_MAX);
    return r;
}

void hal_reader_free(hal_reader *r)
{
    if (!r)
        return;
    if (r->self)
        r->class->free(r->self);
    hal_unpack_free(r->unpack);
    hal_buf_clear(&r->head);
    hal_free(r->table);
    hal_free(r);
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
    return begins(text, "<")           ? "an HTML page"
           : begins(text, "{")         ? "a JSON object"
           : begins(text, "[")         ? "a JSON list"
           : begins(text, "null")      ? "JSON null"
           : begins(text, "SIMPLE  =") ? "a FITS file"
                                       : "plain text";
}

static hal_status refuse(const hal_reader *r, hal_err *err)
{
    char line[121], wanted[220];
    size_t n_mark = (size_t)r->setup.offset;
    hal_slice head = {r->head.data + n_mark, r->head.size_bytes - n_mark};
    hal_slice title = hal_page_title(head);
    const char *looks = looks_like(head);
    switch (r->setup.format) {
    case HAL_FORMAT_AUTO:
        hal_format_list(wanted, sizeof wanted, false);
        break;
    case HAL_FORMAT_MASHUP_JSON:
    case HAL_FORMAT_MASHUP_EXTJS:
        snprintf(wanted, sizeof wanted, "%s", "a JSON dataset");
        break;
    case HAL_FORMAT_CSV:
        snprintf(wanted, sizeof wanted, "%s", "CSV");
        break;
    default:
        snprintf(wanted, sizeof wanted, "%s", hal_format_name(r->setup.format));
    }
    const char *remedy = "the service may be down or the address wrong";
    if (title.size_bytes) {
        hal_clean_line(line, sizeof line, title);
        return hal_err_set(err, HAL_E_PROTOCOL, "the answer is %s titled \"%s\", not %s; %s", looks,
                           line, wanted, remedy);
    }
    hal_clean_line(line, sizeof line, head);
    return hal_err_set(err, HAL_E_PROTOCOL, "the answer is %s, not %s; %s; it begins: %s", looks,
                       wanted, remedy, line);
}

/* HAL_MATCH_YES for what no format begins with; `*is`: its name and the remedy. */
static hal_match is_binary(hal_slice head, const char **is)
{
    static const struct {
        const char *begins, *is;
    } kinds[] = {{"PK\x03\x04", "a zip archive; unpack it first"},
                 {"\x7f\x45LF", "a program; give a table"},
                 {"%PDF-", "a PDF document; give a table"},
                 {"\xff\xfe", "text in UTF-16; save it as UTF-8"},
                 {"\xfe\xff", "text in UTF-16; save it as UTF-8"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].begins), part = n < head.size_bytes ? n : head.size_bytes;
        *is = kinds[i].is;
        if (!memcmp(head.data, kinds[i].begins, part))
            return part == n ? HAL_MATCH_YES : HAL_MATCH_MORE;
    }
    *is = "binary data; give a text or a FITS file";
    unsigned char first = (unsigned char)*head.data;
    return first < ' ' && (first < '\t' || first > '\r') ? HAL_MATCH_YES : HAL_MATCH_NO;
}

/* For a format whose documents hold one table, which has no name. */
static hal_status require_only_table(const hal_reader *r, hal_err *err)
{
    hal_contents contents;
    bool wanted = true;
    hal_status st = hal_contents_init(&contents, r->table, err);
    if (!st && r->table)
        st = hal_contents_add(&contents, NULL, NULL, -1, &wanted, err);
    if (!st && !wanted)
        st = hal_contents_missing(&contents, err);
    hal_contents_clear(&contents);
    return st;
}

/* Decides by the first bytes; HAL_OK also when more are needed. */
static hal_status recognise(hal_reader *r, hal_err *err)
{
    hal_slice head = hal_buf_slice(&r->head);
    const char *is;
    hal_match binary = is_binary(head, &is);
    if (binary != HAL_MATCH_NO)
        return binary == HAL_MATCH_MORE ? HAL_OK
                                        : hal_err_set(err, HAL_E_PROTOCOL, "the answer is %s", is);
    static const char mark[] = "\xef\xbb\xbf";
    if (head.size_bytes < 3 && !memcmp(head.data, mark, head.size_bytes))
        return HAL_OK;
    size_t n_mark = head.size_bytes >= 3 && !memcmp(head.data, mark, 3) ? 3 : 0;
    r->setup.offset = n_mark;
    head.data += n_mark;
    head.size_bytes -= n_mark;
    bool open = false;
    const hal_format_entry *f;
    for (size_t i = 0; !r->class && !open && (f = hal_format_at(i)); i++) {
        if (!f->reader || (r->setup.format != HAL_FORMAT_AUTO && r->setup.format != f->format))
            continue;
        hal_match match = f->recognise(head);
        if (match == HAL_MATCH_YES)
            r->class = f->reader;
        open = match == HAL_MATCH_MORE;
    }
    if (r->class) {
        hal_status st = r->class->several ? HAL_OK : require_only_table(r, err);
        if (st)
            return st;
        r->self = r->class->open(&r->setup, err);
        return r->self ? HAL_OK : err ? err->status : HAL_E_NOMEM;
    }
    if (open && r->head.size_bytes < HEAD_MAX)
        return HAL_OK;
    if (open)
        return hal_err_set(
            err, HAL_E_PROTOCOL,
            "the answer begins with 4096 bytes that say nothing; nothing reads that");
    r->wrong = true;
    return HAL_OK;
}

/* Bytes as they are behind any compression. */
static hal_status take(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_reader *r = ctx;
    if (n > r->setup.asked.limits.bytes_max - r->bytes_inside)
        return hal_err_set(err, HAL_E_BUDGET, "the answer is larger than %llu bytes",
                           (unsigned long long)r->setup.asked.limits.bytes_max);
    r->bytes_inside += n;
    if (r->self)
        return r->class->feed(r->self, bytes, n, err);
    size_t room = HEAD_MAX - r->head.size_bytes, part = n < room ? n : room;
    hal_status st = hal_buf_append(&r->head, bytes, part, err);
    if (st || !r->head.size_bytes)
        return st;
    bool more = false;
    if (r->unpack && !r->wrong && hal_packing_of(hal_buf_slice(&r->head), &more))
        return hal_err_set(err, HAL_E_PROTOCOL, "the answer is compressed twice; unpack it once");
    if (!r->wrong && !more)
        st = recognise(r, err);
    if (st)
        return st;
    if (r->self) {
        size_t n_mark = (size_t)r->setup.offset;
        st = r->class->feed(r->self, r->head.data + n_mark, r->head.size_bytes - n_mark, err);
        hal_buf_clear(&r->head);
        return st ? st : r->class->feed(r->self, bytes + part, n - part, err);
    }
    return r->wrong && r->head.size_bytes == HEAD_MAX ? refuse(r, err) : HAL_OK;
}

static hal_status pass_on(hal_reader *r, const char *bytes, size_t n, hal_err *err)
{
    return r->unpack ? hal_unpack_feed(r->unpack, bytes, n, take, r, err) : take(r, bytes, n, err);
}

/* The beginning is held back until it shows whether the body is compressed. */
static hal_status find_packing(hal_reader *r, bool ended, hal_err *err)
{
    bool more = true;
    hal_packing packing =
        r->head.size_bytes ? hal_packing_of(hal_buf_slice(&r->head), &more) : HAL_PACKING_NONE;
    if (more && !ended)
        return HAL_OK;
    r->packing_known = true;
    if (packing != HAL_PACKING_NONE) {
        r->unpack = hal_unpack_new(packing, err);
        if (!r->unpack)
            return err ? err->status : HAL_E_NOMEM;
    }
    char mark[HAL_PACKING_MARK_BYTES];
    size_t n = r->head.size_bytes;
    memcpy(mark, r->head.data ? r->head.data : "", n);
    r->head.size_bytes = 0;
    return pass_on(r, mark, n, err);
}

hal_status hal_reader_feed(hal_reader *r, const char *bytes, size_t n, hal_err *err)
{
    if (n > r->setup.asked.limits.bytes_max - r->bytes_taken)
        return hal_err_set(err, HAL_E_BUDGET, "the answer is larger than %llu bytes",
                           (unsigned long long)r->setup.asked.limits.bytes_max);
    r->bytes_taken += n;
    hal_status st = HAL_OK;
    while (n && !r->packing_known && !st) {
        st = hal_buf_append(&r->head, bytes++, 1, err);
        n--;
        if (!st)
            st = find_packing(r, false, err);
    }
    return st || !n ? st : pass_on(r, bytes, n, err);
}

/* What a format's reader has kept instead of handing it over on the way. */
static hal_status hand_over(const hal_reader *r, hal_table **table, hal_err *err)
{
    const hal_reader_options *asked = &r->setup.asked;
    if (!asked->batch || !*table || !hal_table_rows(*table))
        return HAL_OK;
    hal_status st = asked->batch(asked->batch_ctx, *table, err);
    hal_table *empty = st ? NULL : hal_table_take(*table, NULL, 0, err);
    if (!st && !empty)
        st = err ? err->status : HAL_E_NOMEM;
    hal_table_unref(*table);
    *table = empty;
    return st;
}

/* What services answer in any format (MAST classic and VO services, sections 1.4 and 1.5): true
 * when the text is that. */
static bool take_literal(hal_slice text, hal_answer *answer, hal_table **table, hal_err *err,
                         hal_status *st)
{
    while (text.size_bytes && (unsigned char)text.data[text.size_bytes - 1] <= ' ')
        text.size_bytes--;
    bool no_rows = begins(text, "no rows found") && text.size_bytes <= 14;
    if (!no_rows && !begins(text, "target not resolved"))
        return false;
    *answer = (hal_answer){
        no_rows ? HAL_ANSWER_COMPLETE : HAL_ANSWER_NOT_FOUND, "", -1, -1, -1, -1, -1, -1, -1};
    hal_clean_line(answer->message, sizeof answer->message, text);
    *table = no_rows ? hal_table_from_vecs(NULL, NULL, 0, 0, err) : NULL;
    *st = no_rows && !*table ? HAL_E_NOMEM : HAL_OK;
    return true;
}

hal_status hal_reader_finish(hal_reader *r, hal_answer *answer, hal_table **table, hal_err *err)
{
    hal_status st = r->packing_known ? HAL_OK : find_packing(r, true, err);
    if (!st && r->unpack)
        st = hal_unpack_finish(r->unpack, err);
    if (st)
        return st;
    if (r->self) {
        st = r->class->finish(r->self, answer, table, err);
        return st ? st : hand_over(r, table, err);
    }
    hal_slice head = hal_buf_slice(&r->head);
    size_t i = (size_t)r->setup.offset;
    while (i < head.size_bytes && (unsigned char)head.data[i] <= ' ')
        i++;
    if (i == head.size_bytes)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer is empty; the service may be down or the query too large");
    /* The two bytes of a CSV answer that is not ready (Mashup specification, section 4.5). */
    if (r->setup.format == HAL_FORMAT_CSV &&
        begins((hal_slice){head.data + i, head.size_bytes - i}, "{}")) {
        *answer = HAL_ANSWER_INIT;
        answer->status = HAL_ANSWER_EXECUTING;
        *table = NULL;
        return HAL_OK;
    }
    hal_slice text = {head.data + i, head.size_bytes - i};
    return take_literal(text, answer, table, err, &st) ? st : refuse(r, err);
}

bool hal_answer_others(const hal_answer *a, const char *label, const char *choice,
                       char out[HAL_ANSWER_OTHERS_MAX])
{
    if (a->n_tables < 2)
        return false;
    unsigned n_others = a->n_tables - 1;
    char of[24] = "the other one";
    if (n_others > 1)
        snprintf(of, sizeof of, "one of %u others", n_others);
    char name[HAL_TABLE_NAME_MAX + 3] = "";
    if (*a->table_name)
        snprintf(name, sizeof name, " \"%s\"", a->table_name);
    size_t n_label = strlen(label), at = n_label > LABEL_MAX ? n_label - LABEL_MAX : 0;
    while (((unsigned char)label[at] & 0xc0) == 0x80) /* within a character */
        at++;
    snprintf(out, HAL_ANSWER_OTHERS_MAX, "%s holds %u tables: table %u%s was read; %s reads %s",
             label + at, a->n_tables, a->table, name, choice, of);
    return true;
}

hal_status hal_table_require_whole(const hal_table *t, hal_err *err)
{
    const char *status = hal_table_metadata(t)->status;
    if (!status || strcmp(status, "OVERFLOW") != 0)
        return HAL_OK;
    return hal_err_set(err, HAL_E_TRUNCATED,
                       "the service cut its answer at its row limit (OVERFLOW); ask for a smaller "
                       "region or add criteria");
}
