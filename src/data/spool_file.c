/* SPDX-License-Identifier: BSD-3-Clause */
/* The file: header (mark, schema), blocks of columns with their keys, an end mark with the number
 * of rows; each part with a check sum. Everything in a block is aligned to 8 bytes, so that a block
 * read back is used where it lies. Byte order is the machine's: spools do not travel. */
#include "data/spool_file.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 64 << 20, FIELD_TEXTS = 10 };

static const char magic[8] = "HALSPL3";
enum { MARK_HEADER = 0x01020304, MARK_BLOCK = 0x4b434c42, MARK_END = 0x21444e45 };

typedef hal_spool_part part;

/* Word-wise FNV-1a in four lanes: any change within one word changes the sum. */
static uint64_t add_sum(uint64_t sum, const void *bytes, size_t n)
{
    const uint64_t prime = UINT64_C(1099511628211);
    uint64_t lane[4] = {sum, sum + 1, sum + 2, sum + 3}, w[4];
    const char *p = bytes;
    for (; n >= 32; n -= 32, p += 32) {
        memcpy(w, p, 32);
        for (int i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ w[i]) * prime;
            lane[i] ^= lane[i] >> 32;
        }
    }
    memset(w, 0, sizeof w);
    if (n)
        memcpy(w, p, n);
    sum = (sum ^ n) * prime;
    for (int i = 0; i < 4; i++) {
        sum = (sum ^ lane[i]) * prime;
        sum ^= sum >> 29;
        sum = (sum ^ w[i]) * prime;
        sum ^= sum >> 32;
    }
    return sum;
}

uint64_t hal_spool_part_sum(const part *p, const void *bytes)
{
    return add_sum(add_sum(0, p, offsetof(part, sum)), bytes, (size_t)p->n_bytes);
}

/* Writing a spool. */

static hal_status put_part(hal_spool_output *o, part p, const void *bytes, hal_err *err)
{
    p.sum = hal_spool_part_sum(&p, bytes);
    hal_status st = hal_outfile_write(&o->file, &p, sizeof p, err);
    return st ? st : hal_outfile_write(&o->file, bytes, (size_t)p.n_bytes, err);
}

static hal_status put_text(hal_buf *b, const char *text, hal_err *err)
{
    uint32_t n = (uint32_t)strlen(text);
    hal_status st = hal_buf_append(b, &n, sizeof n, err);
    return st ? st : hal_buf_append(b, text, n, err);
}

/* Name, description, status, then the items, each with its texts and pairs of attributes. */
static hal_status put_metadata(hal_buf *b, const hal_metadata *m, hal_err *err)
{
    const char *about[] = {m->name, m->description, m->status};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < 3 && !st; i++)
        st = put_text(b, about[i] ? about[i] : "", err);
    uint32_t n_items = (uint32_t)m->n_items;
    if (!st)
        st = hal_buf_append(b, &n_items, sizeof n_items, err);
    for (size_t i = 0; i < m->n_items && !st; i++) {
        const hal_meta *item = &m->items[i];
        uint32_t head[2] = {(uint32_t)item->kind, (uint32_t)item->n_attributes};
        const char *texts[] = {item->name, item->value, item->text};
        st = hal_buf_append(b, head, sizeof head, err);
        for (size_t k = 0; k < 3 && !st; k++)
            st = put_text(b, texts[k], err);
        for (size_t k = 0; k < item->n_attributes && !st; k++) {
            st = put_text(b, item->attributes[k].name, err);
            if (!st)
                st = put_text(b, item->attributes[k].value, err);
        }
    }
    return st;
}

hal_status hal_spool_output_open(hal_spool_output *o, const char *path, const hal_schema *schema,
                                 const hal_metadata *metadata, int i_id, hal_err *err)
{
    hal_buf text;
    hal_buf_init(&text, HEADER_MAX);
    *o = (hal_spool_output){.file.fd = -1};
    int32_t id = i_id;
    hal_status st = hal_buf_append(&text, magic, sizeof magic, err);
    if (!st)
        st = hal_buf_append(&text, &id, sizeof id, err);
    for (size_t i = 0; i < schema->n && !st; i++) {
        const struct hal_schema_column *c = &schema->columns[i];
        const hal_field *f = &c->field;
        char flags[3] = {(char)f->type, c->any, c->wide};
        const char *texts[FIELD_TEXTS] = {f->name,          f->unit,      f->ucd,   f->description,
                                          f->shape,         f->utype,     f->xtype, f->id,
                                          f->original_name, f->null_value};
        st = hal_buf_append(&text, flags, sizeof flags, err);
        if (!st)
            st = hal_buf_append(&text, &f->width, sizeof f->width, err);
        for (size_t k = 0; k < FIELD_TEXTS && !st; k++)
            st = put_text(&text, texts[k], err);
    }
    if (!st)
        st = put_metadata(&text, metadata, err);
    if (!st)
        st = hal_outfile_open(&o->file, path, err);
    if (!st) {
        part p = {
            .mark = MARK_HEADER, .n_columns = (uint32_t)schema->n, .n_bytes = text.size_bytes};
        st = put_part(o, p, text.data, err);
        if (st)
            hal_outfile_close(&o->file);
    }
    hal_buf_clear(&text);
    return st;
}

static hal_status put_aligned(hal_buf *b, const void *bytes, uint64_t n, hal_err *err)
{
    static const char zeros[8] = {0};
    hal_status st = hal_buf_append(b, bytes, (size_t)n, err);
    return st ? st : hal_buf_append(b, zeros, (size_t)(-n & 7), err);
}

/* A bitmap with its bits behind the end cleared: the bytes of a spool are a function of its rows.
 */
static hal_status put_bits(hal_buf *b, const uint8_t *bits, uint64_t n, hal_err *err)
{
    hal_status st = put_aligned(b, bits, (n + 7) / 8, err);
    if (!st && n % 8) {
        uint64_t at = b->size_bytes - ((n + 7) / 8 + (-((n + 7) / 8) & 7)) + n / 8;
        b->data[at] = (char)(b->data[at] & ((1 << n % 8) - 1));
    }
    return st;
}

static hal_status put_column(hal_buf *b, const hal_table *t, size_t i_col, hal_err *err)
{
    hal_column c = hal_table_column(t, i_col);
    hal_type type = hal_table_field(t, i_col)->type;
    uint64_t n = hal_table_rows(t), n_nulls = c.valid ? c.n_nulls : 0;
    uint64_t head[2] = {n_nulls, c.item_valid != NULL};
    hal_status st = hal_buf_append(b, head, sizeof head, err);
    if (!st && n_nulls)
        st = put_bits(b, c.valid, n, err);
    if (!st && c.offsets)
        st = hal_buf_append(b, c.offsets, (size_t)(8 * (n + 1)), err);
    if (st)
        return st;
    if (type == HAL_TYPE_STRING)
        return put_aligned(b, c.bytes, (uint64_t)c.offsets[n], err);
    uint64_t n_items =
        c.offsets ? (uint64_t)c.offsets[n] : n * (uint64_t)hal_table_field(t, i_col)->width;
    if (c.item_valid)
        st = put_bits(b, c.item_valid, n_items, err);
    if (st)
        return st;
    return type == HAL_TYPE_BOOL ? put_bits(b, c.values, n_items, err)
                                 : put_aligned(b, c.values, hal_items_bytes(type, n_items), err);
}

hal_status hal_spool_output_block(hal_spool_output *o, const hal_table *t, const uint64_t *key,
                                  hal_err *err)
{
    uint64_t n = hal_table_rows(t);
    size_t n_columns = hal_table_columns(t);
    hal_buf payload;
    hal_buf_init(&payload, SIZE_MAX / 4);
    hal_status st = hal_buf_append(&payload, key, (size_t)(8 * n), err);
    for (size_t i = 0; i < n_columns && !st; i++)
        st = put_column(&payload, t, i, err);
    if (!st) {
        part p = {MARK_BLOCK, (uint32_t)n_columns, n, payload.size_bytes, 0};
        st = put_part(o, p, payload.data, err);
        o->n_rows += n;
    }
    hal_buf_clear(&payload);
    return st;
}

hal_status hal_spool_output_finish(hal_spool_output *o, uint64_t *size_bytes, hal_err *err)
{
    hal_status st = put_part(o, (part){.mark = MARK_END, .n_rows = o->n_rows}, "", err);
    if (!st)
        st = hal_outfile_commit(&o->file, err);
    if (!st && size_bytes)
        *size_bytes = o->file.size_bytes;
    return st;
}

/* Reading a spool. */

static hal_status damaged(const hal_spool_source *s, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "spool %s is damaged: %s; ask for its tile again",
                       s->path, what);
}

static hal_status read_exactly(hal_spool_source *s, void *to, uint64_t n, hal_err *err)
{
    if (n > s->bytes_left)
        return damaged(s, err, "it is cut");
    s->bytes_left -= n;
    for (char *p = to; n;) {
        ssize_t done = read(s->fd, p, (size_t)n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return hal_err_errno(err, errno, "cannot read %s", s->path);
        if (done == 0)
            return damaged(s, err, "it is cut");
        p += done;
        n -= (uint64_t)done;
    }
    return HAL_OK;
}

static hal_status read_part(hal_spool_source *s, part *p, hal_err *err)
{
    hal_status st = read_exactly(s, p, sizeof *p, err);
    if (st)
        return st;
    if (p->n_bytes > s->bytes_left)
        return damaged(s, err, "it is cut");
    if (p->n_bytes > s->payload_capacity) {
        char *grown = hal_realloc(s->payload, (size_t)p->n_bytes);
        if (!grown)
            return hal_err_nomem(err, (size_t)p->n_bytes);
        s->payload = grown;
        s->payload_capacity = p->n_bytes;
    }
    st = read_exactly(s, s->payload, p->n_bytes, err);
    if (!st && hal_spool_part_sum(p, s->payload) != p->sum)
        st = damaged(s, err, "a check sum is wrong");
    return st;
}

typedef struct cursor {
    char *p;
    uint64_t left;
} cursor;

/* The next `n` bytes (padded to 8 when `aligned`) or NULL. */
static void *take_bytes(cursor *c, uint64_t n, bool aligned)
{
    uint64_t step = aligned ? n + (-n & 7) : n;
    if (n > c->left || step > c->left)
        return NULL;
    void *at = c->p;
    c->p += step;
    c->left -= step;
    return at;
}

/* A text with its length before it; false when it is not there. */
static bool take_text(cursor *c, hal_slice *out)
{
    uint32_t n;
    const char *size = take_bytes(c, sizeof n, false);
    if (!size)
        return false;
    memcpy(&n, size, sizeof n);
    *out = (hal_slice){take_bytes(c, n, false), n};
    return out->data != NULL;
}

/* One column of the schema. */
static hal_status read_field(hal_spool_source *s, cursor *c, hal_err *err)
{
    const char *flags = take_bytes(c, 3, false);
    const char *size = take_bytes(c, sizeof(int32_t), false);
    bool whole = size && flags[0] >= 0 && flags[0] < HAL_TYPES;
    int32_t width = 1;
    if (whole)
        memcpy(&width, size, sizeof width);
    whole = whole && (width > 0 || width == HAL_WIDTH_VARIABLE) &&
            (width == 1 || flags[0] != HAL_TYPE_STRING);
    char *texts[FIELD_TEXTS] = {0};
    hal_status st = HAL_OK;
    for (int i = 0; i < FIELD_TEXTS && !st; i++) {
        hal_slice text;
        whole = whole && take_text(c, &text);
        if (!whole)
            st = damaged(s, err, "its header is wrong");
        else if (!(texts[i] = hal_strndup(text.data, text.size_bytes)))
            st = hal_err_nomem(err, text.size_bytes);
    }
    if (!st) {
        hal_field f = {.name = texts[0],
                       .type = (hal_type)flags[0],
                       .unit = texts[1],
                       .ucd = texts[2],
                       .description = texts[3],
                       .width = width,
                       .shape = texts[4],
                       .utype = texts[5],
                       .xtype = texts[6],
                       .id = texts[7],
                       .original_name = texts[8],
                       .null_value = texts[9]};
        st = hal_schema_add(&s->schema, &f, flags[1], flags[2], err);
    }
    for (int i = 0; i < FIELD_TEXTS; i++)
        hal_free(texts[i]);
    return st;
}

/* A text as a string of its own; NULL: it is not there, or no memory as `*st` says then. */
static char *take_string(cursor *c, hal_status *st, hal_err *err)
{
    hal_slice text;
    if (*st || !take_text(c, &text))
        return NULL;
    char *copy = hal_strndup(text.data, text.size_bytes);
    if (!copy)
        *st = hal_err_nomem(err, text.size_bytes);
    return copy;
}

static hal_status read_item(hal_spool_source *s, cursor *c, hal_err *err)
{
    uint32_t head[2];
    const char *at = take_bytes(c, sizeof head, false);
    if (!at)
        return damaged(s, err, "its header is wrong");
    memcpy(head, at, sizeof head);
    if (head[0] > HAL_META_KEY || head[1] > c->left / 8) /* two lengths each */
        return damaged(s, err, "its header is wrong");
    size_t n = 3 + 2 * (size_t)head[1];
    char **texts = hal_calloc(n, sizeof *texts);
    hal_attribute *attributes = hal_calloc(head[1] ? head[1] : 1, sizeof *attributes);
    hal_status st = texts && attributes ? HAL_OK : hal_err_nomem(err, n * sizeof *texts);
    for (size_t i = 0; i < n && !st; i++) {
        texts[i] = take_string(c, &st, err);
        if (!texts[i] && !st)
            st = damaged(s, err, "its header is wrong");
    }
    for (size_t i = 0; i < head[1] && !st; i++)
        attributes[i] = (hal_attribute){texts[3 + 2 * i], texts[4 + 2 * i]};
    if (!st) {
        hal_meta item = {(hal_meta_kind)head[0], texts[0], texts[1], texts[2], attributes, head[1]};
        st = hal_metadata_add(&s->metadata, &item, err);
    }
    for (size_t i = 0; i < n && texts; i++)
        hal_free(texts[i]);
    hal_free(texts);
    hal_free(attributes);
    return st;
}

static hal_status read_metadata(hal_spool_source *s, cursor *c, hal_err *err)
{
    const char **to[] = {&s->metadata.name, &s->metadata.description, &s->metadata.status};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < 3 && !st; i++) {
        hal_slice text;
        st = take_text(c, &text) ? hal_metadata_set(to[i], text, err)
                                 : damaged(s, err, "its header is wrong");
    }
    uint32_t n = 0;
    const char *count = st ? NULL : take_bytes(c, sizeof n, false);
    if (count)
        memcpy(&n, count, sizeof n);
    else if (!st)
        st = damaged(s, err, "its header is wrong");
    for (uint32_t i = 0; i < n && !st; i++)
        st = read_item(s, c, err);
    return st;
}

static hal_status read_header(hal_spool_source *s, hal_err *err)
{
    part p;
    hal_status st = read_part(s, &p, err);
    if (st)
        return st;
    cursor c = {s->payload, p.n_bytes};
    const char *mark = take_bytes(&c, sizeof magic, false);
    const char *id = take_bytes(&c, sizeof(int32_t), false);
    if (p.mark == MARK_HEADER && mark && !memcmp(mark, magic, 6) && mark[6] != magic[6])
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "another version of halyard wrote the spool %s; ask for its tile again",
                           s->path);
    if (p.mark != MARK_HEADER || !mark || !id || memcmp(mark, magic, sizeof magic) != 0)
        return damaged(s, err, "its header is wrong");
    int32_t i_id;
    memcpy(&i_id, id, sizeof i_id);
    for (uint32_t i = 0; i < p.n_columns && !st; i++)
        st = read_field(s, &c, err);
    if (!st)
        st = read_metadata(s, &c, err);
    if (!st && (c.left || s->schema.n != p.n_columns || i_id < -1 || i_id >= (int)p.n_columns))
        st = damaged(s, err, "its header is wrong");
    s->id = i_id;
    return st;
}

static bool find_column(cursor *c, const hal_field *f, uint64_t n, hal_column *out)
{
    *out = (hal_column){.bytes = ""};
    const uint64_t *head = take_bytes(c, 16, true);
    if (!head || head[0] > n)
        return false;
    out->n_nulls = head[0];
    if (out->n_nulls && !(out->valid = take_bytes(c, (n + 7) / 8, true)))
        return false;
    uint64_t n_items = f->width > 0 ? n * (uint64_t)f->width : 0;
    if (f->type == HAL_TYPE_STRING || f->width == HAL_WIDTH_VARIABLE) {
        out->offsets = take_bytes(c, 8 * (n + 1), true);
        if (!out->offsets || out->offsets[0] != 0)
            return false;
        for (uint64_t i = 0; i < n; i++)
            if (out->offsets[i + 1] < out->offsets[i])
                return false;
        n_items = (uint64_t)out->offsets[n];
    }
    if (f->type == HAL_TYPE_STRING)
        return (out->bytes = take_bytes(c, n_items, true)) != NULL;
    if (n_items > UINT64_MAX >> 8)
        return false;
    if (head[1] && !(out->item_valid = take_bytes(c, (n_items + 7) / 8, true)))
        return false;
    return (out->values = take_bytes(c, hal_items_bytes(f->type, n_items), true)) != NULL;
}

hal_status hal_spool_source_next(hal_spool_source *s, hal_err *err)
{
    hal_table_unref(s->block);
    s->block = NULL;
    part p;
    hal_status st = read_part(s, &p, err);
    if (st)
        return st;
    if (p.mark == MARK_END) {
        bool whole = p.n_rows == s->n_rows && s->bytes_left == 0;
        return whole ? HAL_OK : damaged(s, err, "its end is wrong");
    }
    cursor c = {s->payload, p.n_bytes};
    bool good = p.mark == MARK_BLOCK && p.n_rows > 0 && p.n_rows <= HAL_SPOOL_BLOCK_ROWS &&
                p.n_columns == s->schema.n;
    const uint64_t *key = good ? take_bytes(&c, 8 * p.n_rows, true) : NULL;
    good = key != NULL;
    for (uint64_t i = 0; i < p.n_rows && good; i++) {
        good = key[i] >= s->last_key;
        s->last_key = key[i];
    }
    for (size_t i = 0; i < s->schema.n && good; i++)
        good = find_column(&c, &s->schema.columns[i].field, p.n_rows, &s->columns[i]);
    if (!good || c.left)
        return damaged(s, err, "a block is wrong");
    hal_field *fields = hal_calloc(s->schema.n ? s->schema.n : 1, sizeof *fields);
    if (!fields)
        return hal_err_nomem(err, s->schema.n * sizeof *fields);
    for (size_t i = 0; i < s->schema.n; i++)
        fields[i] = s->schema.columns[i].field;
    s->block = hal_table_borrow(fields, s->columns, s->schema.n, p.n_rows, err);
    hal_free(fields);
    if (!s->block)
        return HAL_E_NOMEM;
    s->row = 0;
    s->n_rows += p.n_rows;
    s->rows.table = s->block;
    s->rows.key = key;
    return HAL_OK;
}

void hal_spool_source_close(hal_spool_source *s)
{
    hal_table_unref(s->block);
    hal_schema_clear(&s->schema);
    hal_metadata_clear(&s->metadata);
    hal_free(s->payload);
    hal_free(s->columns);
    hal_free(s->rows.order);
    hal_free(s->places);
    if (s->fd >= 0)
        close(s->fd);
    *s = (hal_spool_source){.fd = -1};
}

hal_status hal_spool_source_open(hal_spool_source *s, const char *path, hal_err *err)
{
    *s = (hal_spool_source){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    struct stat about;
    if (s->fd < 0 || fstat(s->fd, &about))
        return hal_err_errno(err, errno, "cannot read %s", path);
    s->bytes_left = about.st_size > 0 ? (uint64_t)about.st_size : 0;
    hal_status st = read_header(s, err);
    if (st)
        return st;
    s->columns = hal_calloc(s->schema.n ? s->schema.n : 1, sizeof *s->columns);
    return s->columns ? HAL_OK : hal_err_nomem(err, s->schema.n * sizeof *s->columns);
}
