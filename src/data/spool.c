/* SPDX-License-Identifier: BSD-3-Clause */
/* The file: header (mark, schema), blocks of columns with their keys, an end mark with the number
 * of rows; each part with a check sum. Everything in a block is aligned to 8 bytes, so that a block
 * read back is used where it lies. Byte order is the machine's: spools do not travel. */
#include "data/spool.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "data/outfile.h"
#include "data/vec.h"
#include "data/writer_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FAN_IN = 64,
    BLOCK_BYTES = 512 << 10, /* a block is closed when it has so many */
    BLOCK_ROWS = 8192,
    RUN_ROWS = 1024, /* rows taken between two looks at `cancel` */
    HEADER_MAX = 64 << 20,
    FIELD_TEXTS = 10,
};

static const char magic[8] = "HALSPL3";
enum { MARK_HEADER = 0x01020304, MARK_BLOCK = 0x4b434c42, MARK_END = 0x21444e45 };

/* Stands before the schema, before every block and at the end. */
typedef struct part {
    uint32_t mark, n_columns;
    uint64_t n_rows;
    uint64_t n_bytes; /* that follow */
    uint64_t sum;     /* of all above and of what follows */
} part;

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

static uint64_t part_sum(const part *p, const void *bytes)
{
    return add_sum(add_sum(0, p, offsetof(part, sum)), bytes, (size_t)p->n_bytes);
}

/* Order of cells: nulls, numbers by value (also when text holds them, so that the order does not
 * depend on the type a column happened to get), text by bytes, arrays (also complex numbers) item
 * by item. */

typedef enum rank { RANK_NULL, RANK_NUMBER, RANK_NAN, RANK_TEXT, RANK_ARRAY } rank;

typedef struct value {
    rank rank;
    long double number; /* holds every int64 and every double */
    bool minus_zero;
    bool is_text;
    hal_slice text;
    char room[HAL_CELL_TEXT_MAX];
} value;

static void set_number(value *v, bool is_int, int64_t n, double d)
{
    v->rank = !is_int && isnan(d) ? RANK_NAN : RANK_NUMBER;
    if (v->rank == RANK_NUMBER)
        v->number = is_int ? (long double)n : (long double)d;
    v->minus_zero = !is_int && d == 0 && signbit(d);
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

static void get_value(value *v, const hal_table *t, size_t i_col, uint64_t row)
{
    *v = (value){.rank = RANK_NULL};
    if (i_col == SIZE_MAX || hal_table_is_null(t, i_col, row))
        return;
    const hal_field *f = hal_table_field(t, i_col);
    if (f->width != 1 || is_complex(f->type)) {
        v->rank = RANK_ARRAY;
        return;
    }
    if (hal_type_is_integer(f->type)) {
        set_number(v, true, hal_table_int64(t, i_col, row), 0);
        return;
    }
    if (hal_type_is_float(f->type)) {
        set_number(v, false, 0, hal_table_float64(t, i_col, row));
        return;
    }
    double d = 0;
    int64_t n = 0;
    v->is_text = true;
    v->text = hal_cell_text(t, i_col, row, v->room);
    bool is_int = hal_number_read_int64(v->text, &n);
    if (is_int || hal_number_read_double(v->text, &d))
        set_number(v, is_int, n, d);
    else
        v->rank = RANK_TEXT;
}

/* Number `k` of an array's items (complex ones are two numbers). */
static void get_part(value *v, const hal_column *c, hal_type type, uint64_t k)
{
    *v = (value){.rank = RANK_NULL};
    uint64_t item = is_complex(type) ? k / 2 : k;
    double pair[2];
    if (hal_item_is_null(c, item))
        return;
    if (type == HAL_TYPE_BOOL) {
        set_number(v, true, hal_item_bool(c, item), 0);
    } else if (is_complex(type)) {
        hal_item_complex(c, type, item, pair);
        set_number(v, false, 0, pair[k % 2]);
    } else if (hal_type_is_float(type)) {
        set_number(v, false, 0, hal_item_float64(c, type, item));
    } else {
        set_number(v, true, hal_item_int64(c, type, item), 0);
    }
}

static int compare_text(hal_slice a, hal_slice b)
{
    size_t n = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static int compare_values(const value *a, const value *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->rank == RANK_NUMBER && a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (a->minus_zero != b->minus_zero)
        return a->minus_zero ? -1 : 1;
    return a->is_text && b->is_text ? compare_text(a->text, b->text) : 0;
}

static int compare_arrays(const hal_table *ta, size_t ca, uint64_t ra, const hal_table *tb,
                          size_t cb, uint64_t rb)
{
    hal_column a = hal_table_column(ta, ca), b = hal_table_column(tb, cb);
    hal_type type_a = hal_table_field(ta, ca)->type, type_b = hal_table_field(tb, cb)->type;
    hal_items of_a = hal_table_items(ta, ca, ra), of_b = hal_table_items(tb, cb, rb);
    uint64_t parts_a = is_complex(type_a) ? 2 : 1, parts_b = is_complex(type_b) ? 2 : 1;
    uint64_t n_a = of_a.n * parts_a, n_b = of_b.n * parts_b;
    int order = 0;
    for (uint64_t i = 0; i < n_a && i < n_b && !order; i++) {
        value x, y;
        get_part(&x, &a, type_a, of_a.first * parts_a + i);
        get_part(&y, &b, type_b, of_b.first * parts_b + i);
        order = compare_values(&x, &y);
    }
    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_cells(const hal_table *ta, size_t ca, uint64_t ra, const hal_table *tb,
                         size_t cb, uint64_t rb)
{
    value a, b;
    get_value(&a, ta, ca, ra);
    get_value(&b, tb, cb, rb);
    return a.rank == RANK_ARRAY && b.rank == RANK_ARRAY ? compare_arrays(ta, ca, ra, tb, cb, rb)
                                                        : compare_values(&a, &b);
}

/* Rows with what orders them. */
typedef struct rows {
    const hal_table *table;
    const uint64_t *key;
    size_t id;     /* column, SIZE_MAX: none */
    size_t *order; /* columns by name; SIZE_MAX: absent */
    size_t n_order;
} rows;

static int compare_keys(const rows *a, uint64_t ra, const rows *b, uint64_t rb)
{
    if (a->key[ra] != b->key[rb])
        return a->key[ra] < b->key[rb] ? -1 : 1;
    return compare_cells(a->table, a->id, ra, b->table, b->id, rb);
}

static int compare_rows(const rows *a, uint64_t ra, const rows *b, uint64_t rb)
{
    int order = compare_keys(a, ra, b, rb);
    for (size_t i = 0; i < a->n_order && !order; i++)
        order = compare_cells(a->table, a->order[i], ra, b->table, b->order[i], rb);
    return order;
}

/* Row numbers in canonical order (merge sort: no quadratic case). NULL: no memory. */
typedef struct entry {
    uint64_t key, row;
} entry;

static bool in_order(const rows *r, const entry *a, const entry *b)
{
    return a->key != b->key ? a->key < b->key : compare_rows(r, a->row, r, b->row) <= 0;
}

static uint64_t *sorted_rows(const rows *r, hal_err *err)
{
    uint64_t n = hal_table_rows(r->table);
    size_t size = (size_t)(n ? n : 1) * sizeof(entry);
    entry *from = hal_malloc(size), *to = hal_malloc(size);
    if (!from || !to) {
        hal_free(from);
        hal_free(to);
        hal_err_nomem(err, size);
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++)
        from[i] = (entry){r->key[i], i};
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t left = 0; left < n; left += 2 * width) {
            uint64_t mid = left + width < n ? left + width : n;
            uint64_t end = left + 2 * width < n ? left + 2 * width : n;
            uint64_t a = left, b = mid, o = left;
            while (a < mid && b < end)
                to[o++] = in_order(r, &from[a], &from[b]) ? from[a++] : from[b++];
            while (a < mid)
                to[o++] = from[a++];
            while (b < end)
                to[o++] = from[b++];
        }
        entry *swap = from;
        from = to;
        to = swap;
    }
    hal_free(to);
    uint64_t *index = (uint64_t *)from; /* each entry is read before its place is written */
    for (uint64_t i = 0; i < n; i++)
        index[i] = from[i].row;
    return index;
}

/* Writing a spool. */

typedef struct output {
    hal_outfile file;
    uint64_t n_rows;
} output;

static hal_status put_part(output *o, part p, const void *bytes, hal_err *err)
{
    p.sum = part_sum(&p, bytes);
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

static hal_status output_open(output *o, const char *path, const hal_schema *schema,
                              const hal_metadata *metadata, int i_id, hal_err *err)
{
    hal_buf text;
    hal_buf_init(&text, HEADER_MAX);
    *o = (output){.file.fd = -1};
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

static hal_status put_block(output *o, const hal_table *t, const uint64_t *key, hal_err *err)
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

static hal_status output_finish(output *o, uint64_t *size_bytes, hal_err *err)
{
    hal_status st = put_part(o, (part){.mark = MARK_END, .n_rows = o->n_rows}, "", err);
    if (!st)
        st = hal_outfile_commit(&o->file, err);
    if (!st && size_bytes)
        *size_bytes = o->file.size_bytes;
    return st;
}

static uint64_t row_bytes(const hal_table *t, uint64_t row)
{
    size_t n_columns = hal_table_columns(t);
    uint64_t n = 8 * (n_columns + 1);
    for (size_t i = 0; i < n_columns; i++) {
        const hal_field *f = hal_table_field(t, i);
        if (f->type == HAL_TYPE_STRING)
            n += hal_table_string(t, i, row).size_bytes;
        else if (f->width != 1)
            n += hal_items_bytes(f->type, hal_table_items(t, i, row).n);
    }
    return n;
}

/* Columns by name, so that the order of rows does not depend on the order of columns. */
static void sort_by_name(const hal_schema *s, size_t *order)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t k = i;
        for (; k > 0 && strcmp(s->columns[order[k - 1]].field.name, s->columns[i].field.name) > 0;
             k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

hal_status hal_spool_write(const char *path, const hal_table *t, const uint64_t *key, int i_id,
                           uint64_t *size_bytes, hal_err *err)
{
    hal_schema schema = {0};
    output o = {.file.fd = -1};
    uint64_t *index = NULL, *keys = NULL, n_rows = hal_table_rows(t);
    rows r = {t, key, i_id < 0 ? SIZE_MAX : (size_t)i_id, NULL, hal_table_columns(t)};
    hal_status st = hal_schema_add_table(&schema, t, err);
    if (st)
        goto out;
    if (schema.n != r.n_order) {
        st = hal_err_set(err, HAL_E_USAGE, "a table with two columns of one name");
        goto out;
    }
    if (r.id != SIZE_MAX && hal_table_field(t, r.id)->width != 1) {
        st = hal_err_set(err, HAL_E_USAGE, "column %s holds arrays: it cannot be the identifier",
                         hal_table_field(t, r.id)->name);
        goto out;
    }
    r.order = hal_calloc(schema.n ? schema.n : 1, sizeof *r.order);
    keys = hal_malloc(BLOCK_ROWS * sizeof *keys);
    if (!r.order || !keys) {
        st = hal_err_nomem(err, BLOCK_ROWS * sizeof *keys);
        goto out;
    }
    sort_by_name(&schema, r.order);
    index = sorted_rows(&r, err);
    if (!index) {
        st = HAL_E_NOMEM;
        goto out;
    }
    st = output_open(&o, path, &schema, hal_table_metadata(t), i_id, err);
    for (uint64_t i = 0; i < n_rows && !st;) {
        uint64_t n = 0, bytes = 0;
        for (; i + n < n_rows && n < BLOCK_ROWS && bytes < BLOCK_BYTES; n++) {
            keys[n] = key[index[i + n]];
            bytes += row_bytes(t, index[i + n]);
        }
        hal_table *block = hal_table_take(t, index + i, n, err);
        st = block ? put_block(&o, block, keys, err) : HAL_E_NOMEM;
        hal_table_unref(block);
        i += n;
    }
    if (!st)
        st = output_finish(&o, size_bytes, err);
    hal_outfile_close(&o.file);
out:
    hal_schema_clear(&schema);
    hal_free(r.order);
    hal_free(index);
    hal_free(keys);
    return st;
}

/* Reading a spool. */

typedef struct source {
    const char *path;
    int fd;
    uint64_t bytes_left, n_rows; /* read so far */
    uint64_t last_key;
    hal_schema schema;
    hal_metadata metadata;
    int id; /* column or -1 */
    char *payload;
    uint64_t payload_capacity;
    hal_column *columns;
    hal_table *block; /* NULL at the end */
    uint64_t row;     /* the next one of the block */
    rows rows;
    size_t *places; /* of the output's columns in this source */
} source;

static hal_status damaged(const source *s, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "spool %s is damaged: %s; ask for its tile again",
                       s->path, what);
}

static hal_status read_exactly(source *s, void *to, uint64_t n, hal_err *err)
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

static hal_status read_part(source *s, part *p, hal_err *err)
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
    if (!st && part_sum(p, s->payload) != p->sum)
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
static hal_status read_field(source *s, cursor *c, hal_err *err)
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

static hal_status read_item(source *s, cursor *c, hal_err *err)
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

static hal_status read_metadata(source *s, cursor *c, hal_err *err)
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

static hal_status read_header(source *s, hal_err *err)
{
    part p;
    hal_status st = read_part(s, &p, err);
    if (st)
        return st;
    cursor c = {s->payload, p.n_bytes};
    const char *mark = take_bytes(&c, sizeof magic, false);
    const char *id = take_bytes(&c, sizeof(int32_t), false);
    if (p.mark == MARK_HEADER && mark && !memcmp(mark, magic, 6) && mark[6] != magic[6])
        return damaged(s, err, "another version of halyard wrote it");
    if (p.mark != MARK_HEADER || !id || memcmp(mark, magic, sizeof magic) != 0)
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

/* The next block, or none at the end of a whole file. */
static hal_status read_block(source *s, hal_err *err)
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
    bool good = p.mark == MARK_BLOCK && p.n_rows > 0 && p.n_rows <= BLOCK_ROWS &&
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

static void source_close(source *s)
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
    *s = (source){.fd = -1};
}

static hal_status source_open(source *s, const char *path, hal_err *err)
{
    *s = (source){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
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

/* Where merged rows go: to a writer, to a table in memory, or to a spool of a later pass. */
typedef struct sink {
    const hal_schema *schema;
    hal_field *fields;
    hal_writer *writer;
    hal_vec *vecs;
    output *spool;
    uint64_t *keys;
    uint64_t n_rows, n_bytes; /* in vecs */
} sink;

static hal_table *sink_table(sink *k, hal_err *err)
{
    hal_table *t = hal_table_from_vecs(k->fields, k->vecs, k->schema->n, k->n_rows, err);
    k->n_rows = k->n_bytes = 0;
    return t;
}

static hal_status sink_flush(sink *k, hal_err *err)
{
    if (!k->n_rows)
        return HAL_OK;
    hal_table *t = sink_table(k, err);
    hal_status st = t ? put_block(k->spool, t, k->keys, err) : HAL_E_NOMEM;
    hal_table_unref(t);
    return st;
}

static hal_status sink_rows(sink *k, const source *s, uint64_t first, uint64_t n, hal_err *err)
{
    if (k->writer)
        return hal_writer_rows(k->writer, s->block, s->places, first, n, err);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < k->schema->n && !st; i++) {
        hal_vec *v = &k->vecs[i];
        if (!v->typed)
            st = hal_vec_set_shape(v, k->fields[i].type, k->fields[i].width, err);
        if (st)
            break;
        size_t place = s->places[i];
        bool some = place != SIZE_MAX && s->schema.columns[place].any;
        st = some ? hal_vec_add_rows(v, s->block, place, first, n, err)
                  : hal_vec_pad(v, v->n_rows + n, err);
    }
    if (st)
        return st;
    if (k->spool)
        for (uint64_t i = 0; i < n; i++) {
            k->keys[k->n_rows + i] = s->rows.key[first + i];
            k->n_bytes += row_bytes(s->block, first + i);
        }
    k->n_rows += n;
    return k->spool && (k->n_bytes >= BLOCK_BYTES || k->n_rows + RUN_ROWS > BLOCK_ROWS)
               ? sink_flush(k, err)
               : HAL_OK;
}

/* One merge of at most FAN_IN spools. */
typedef struct merge {
    source sources[FAN_IN];
    size_t n_open;
    size_t heap[FAN_IN], n_heap; /* sources with rows left; the smallest row first */
    hal_schema schema;
    hal_metadata metadata; /* of the first spool that has any */
    const char *id_name;
    const _Atomic bool *cancel;
    _Atomic uint64_t *progress;
    uint64_t n_rows, n_duplicates;
    bool any_row;
    uint64_t last_key;
    hal_buf last_id;
    bool last_id_null;
} merge;

static bool before(const merge *m, size_t a, size_t b)
{
    const source *x = &m->sources[a], *y = &m->sources[b];
    int order = compare_rows(&x->rows, x->row, &y->rows, y->row);
    return order ? order < 0 : a < b;
}

static void heap_down(merge *m, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
        if (child + 1 < m->n_heap && before(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!before(m, m->heap[child], m->heap[i]))
            return;
        size_t swap = m->heap[i];
        m->heap[i] = m->heap[child];
        m->heap[child] = swap;
    }
}

static int schema_find(const hal_schema *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->columns[i].field.name, name))
            return (int)i;
    return -1;
}

static const char *id_of(const source *s)
{
    return s->id < 0 ? NULL : s->schema.columns[s->id].field.name;
}

static bool says_something(const hal_metadata *m)
{
    return m->n_items || (m->name && *m->name) || (m->description && *m->description);
}

/* Opens the spools, unites their schemas and finds everyone's columns. */
static hal_status merge_open(merge *m, const char *const *paths, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < n && !st; i++) {
        source *s = &m->sources[i];
        m->n_open = i + 1;
        st = source_open(s, paths[i], err);
        for (size_t c = 0; c < s->schema.n && !st; c++) {
            const struct hal_schema_column *column = &s->schema.columns[c];
            st = hal_schema_add(&m->schema, &column->field, column->any, column->wide, err);
        }
        if (!st && !says_something(&m->metadata)) {
            hal_metadata_clear(&m->metadata);
            m->metadata = s->metadata;
            s->metadata = (hal_metadata){0};
        }
        if (st)
            break;
        const char *first = id_of(&m->sources[0]), *id = id_of(s);
        if (!first != !id || (id && strcmp(first, id) != 0))
            st = hal_err_set(err, HAL_E_USAGE, "spools %s and %s are sorted by different columns",
                             paths[0], paths[i]);
    }
    size_t n_columns = m->schema.n;
    size_t *by_name = hal_calloc(n_columns ? n_columns : 1, sizeof *by_name);
    if (!by_name)
        return st ? st : hal_err_nomem(err, n_columns * sizeof *by_name);
    sort_by_name(&m->schema, by_name);
    for (size_t i = 0; i < n && !st; i++) {
        source *s = &m->sources[i];
        s->places = hal_calloc(n_columns ? n_columns : 1, sizeof *s->places);
        s->rows.order = hal_calloc(n_columns ? n_columns : 1, sizeof *s->rows.order);
        if (!s->places || !s->rows.order) {
            st = hal_err_nomem(err, n_columns * sizeof *s->places);
            break;
        }
        s->rows.n_order = n_columns;
        s->rows.id = s->id < 0 ? SIZE_MAX : (size_t)s->id;
        for (size_t c = 0; c < n_columns; c++) {
            int at = schema_find(&s->schema, m->schema.columns[c].field.name);
            s->places[c] = at < 0 ? SIZE_MAX : (size_t)at;
        }
        for (size_t c = 0; c < n_columns; c++)
            s->rows.order[c] = s->places[by_name[c]];
        st = read_block(s, err);
        if (!st && s->block)
            m->heap[m->n_heap++] = i;
    }
    hal_free(by_name);
    if (!st)
        for (size_t i = m->n_heap; i-- > 0;)
            heap_down(m, i);
    return st;
}

static void merge_close(merge *m)
{
    for (size_t i = 0; i < m->n_open; i++)
        source_close(&m->sources[i]);
    hal_schema_clear(&m->schema);
    hal_metadata_clear(&m->metadata);
    hal_buf_clear(&m->last_id);
}

/* Rows that repeat the (key, id) of the row before them. */
static hal_status count_duplicates(merge *m, const source *s, size_t id, uint64_t n, hal_err *err)
{
    const rows *r = &s->rows;
    char room[HAL_CELL_TEXT_MAX];
    if (m->any_row && r->key[s->row] == m->last_key && !m->last_id_null &&
        !hal_table_is_null(s->block, id, s->row))
        m->n_duplicates +=
            hal_slice_equals(hal_buf_slice(&m->last_id), hal_cell_text(s->block, id, s->row, room));
    for (uint64_t i = s->row + 1; i < s->row + n; i++)
        if (r->key[i] == r->key[i - 1] && !hal_table_is_null(s->block, id, i) &&
            !hal_table_is_null(s->block, id, i - 1)) {
            char other[HAL_CELL_TEXT_MAX];
            m->n_duplicates += hal_slice_equals(hal_cell_text(s->block, id, i - 1, other),
                                                hal_cell_text(s->block, id, i, room));
        }
    uint64_t last = s->row + n - 1;
    m->any_row = true;
    m->last_key = r->key[last];
    m->last_id_null = hal_table_is_null(s->block, id, last);
    m->last_id.size_bytes = 0;
    if (m->last_id_null)
        return HAL_OK;
    hal_slice text = hal_cell_text(s->block, id, last, room);
    return hal_buf_append(&m->last_id, text.data, text.size_bytes, err);
}

static hal_status merge_run(merge *m, sink *k, hal_err *err)
{
    int duplicate_id = m->id_name ? schema_find(&m->schema, m->id_name) : -1;
    hal_status st = HAL_OK;
    while (m->n_heap && !st) {
        if (m->cancel && atomic_load_explicit(m->cancel, memory_order_relaxed))
            return hal_err_set(err, HAL_E_CANCELLED, "cancelled while merging");
        source *s = &m->sources[m->heap[0]];
        /* All rows before the smallest of the others go in one run. */
        const source *next = NULL;
        for (size_t i = 1; i <= 2 && i < m->n_heap; i++)
            if (!next || before(m, m->heap[i], (size_t)(next - m->sources)))
                next = &m->sources[m->heap[i]];
        uint64_t n = 1, most = hal_table_rows(s->block) - s->row;
        most = most < RUN_ROWS ? most : RUN_ROWS;
        while (n < most &&
               (!next || compare_rows(&s->rows, s->row + n, &next->rows, next->row) < 0))
            n++;
        size_t id = duplicate_id < 0 ? SIZE_MAX : s->places[duplicate_id];
        if (id != SIZE_MAX)
            st = count_duplicates(m, s, id, n, err);
        if (!st)
            st = sink_rows(k, s, s->row, n, err);
        if (st)
            return st;
        m->n_rows += n;
        if (m->progress)
            atomic_store_explicit(m->progress, m->n_rows, memory_order_relaxed);
        s->row += n;
        if (s->row == hal_table_rows(s->block)) {
            st = read_block(s, err);
            if (!st && !s->block)
                m->heap[0] = m->heap[--m->n_heap];
        }
        if (!st)
            heap_down(m, 0);
    }
    return st;
}

typedef struct target {
    const char *path; /* of a file or, with `spool`, of a spool */
    hal_format format;
    bool spool;
    hal_table **table;
    const uint64_t *n_expected; /* NULL: whatever comes */
} target;

static hal_status check_rows(const merge *m, const target *to, hal_err *err)
{
    if (!to->n_expected)
        return HAL_OK;
    if (m->n_rows != *to->n_expected)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%" PRIu64 " rows were kept but %" PRIu64 " came out of the merge",
                           *to->n_expected, m->n_rows);
    if (m->n_duplicates)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%" PRIu64 " rows repeat the %s of another at one place: the archive's "
                           "table changed during the run; run it again",
                           m->n_duplicates, m->id_name);
    return HAL_OK;
}

static void keep_warning(void *ctx, const char *text)
{
    char *lines = ctx;
    size_t used = strlen(lines);
    snprintf(lines + used, HAL_WRITER_WARNINGS_MAX - used, "%s\n", text);
}

static hal_status merge_to(merge *m, const target *to, hal_merge_report *report, hal_err *err)
{
    size_t n = m->schema.n;
    output spool = {.file.fd = -1};
    hal_table *table = NULL;
    sink k = {.schema = &m->schema};
    k.fields = hal_calloc(n ? n : 1, sizeof *k.fields);
    k.vecs = hal_calloc(n ? n : 1, sizeof *k.vecs);
    k.keys = hal_malloc(BLOCK_ROWS * sizeof *k.keys);
    hal_status st = HAL_OK;
    if (!k.fields || !k.vecs || !k.keys)
        st = hal_err_nomem(err, BLOCK_ROWS * sizeof *k.keys);
    for (size_t i = 0; i < n && !st; i++)
        k.fields[i] = m->schema.columns[i].field;
    if (!st && to->spool) {
        const char *id = m->n_open ? id_of(&m->sources[0]) : NULL;
        st = output_open(&spool, to->path, &m->schema, &m->metadata,
                         id ? schema_find(&m->schema, id) : -1, err);
        k.spool = &spool;
    } else if (!st && !to->table) {
        hal_builder *b = hal_builder_new(k.fields, n, err);
        st = b ? hal_builder_metadata(b, &m->metadata, err) : err->status;
        hal_table *like = st ? NULL : hal_builder_finish(b, err);
        k.writer = like ? hal_writer_open_like(to->path, to->format, like, err) : NULL;
        st = k.writer ? HAL_OK : err->status;
        hal_table_unref(like);
        hal_builder_free(b);
    }
    if (!st)
        st = merge_run(m, &k, err);
    if (!st)
        st = check_rows(m, to, err);
    uint64_t size_bytes = 0;
    if (!st && to->spool) {
        st = sink_flush(&k, err);
        if (!st)
            st = output_finish(&spool, &size_bytes, err);
    } else if (!st && to->table) {
        hal_table *plain = sink_table(&k, err);
        table = plain ? hal_table_with(plain, NULL, &m->metadata, err) : NULL;
        hal_table_unref(plain);
        st = table ? HAL_OK : HAL_E_NOMEM;
        size_bytes = table ? hal_table_size_bytes(table) : 0;
    } else if (!st) {
        st = hal_writer_commit(k.writer, &size_bytes, err);
    }
    if (!st) {
        *report = (hal_merge_report){m->n_rows, m->n_duplicates, size_bytes, ""};
        if (k.writer)
            hal_writer_warnings(k.writer, keep_warning, report->warnings);
        if (table)
            *to->table = table;
    }
    hal_outfile_close(&spool.file);
    hal_writer_free(k.writer);
    for (size_t i = 0; i < n && k.vecs; i++)
        hal_vec_clear(&k.vecs[i]);
    hal_free(k.vecs);
    hal_free(k.fields);
    hal_free(k.keys);
    return st;
}

static hal_status merge_once(const char *const *paths, size_t n, const char *id_name,
                             const target *to, const _Atomic bool *cancel,
                             _Atomic uint64_t *progress, hal_merge_report *report, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local; /* a writer that does not open says why there only */
    merge *m = hal_calloc(1, sizeof *m);
    if (!m)
        return hal_err_nomem(err, sizeof *m);
    m->id_name = id_name;
    m->cancel = cancel;
    m->progress = progress;
    hal_buf_init(&m->last_id, SIZE_MAX / 4);
    hal_status st = merge_open(m, paths, n, err);
    if (!st)
        st = merge_to(m, to, report, err);
    merge_close(m);
    hal_free(m);
    return st;
}

hal_status hal_spool_merge(const char *const *spools, size_t n_spools, const char *id_name,
                           const uint64_t *n_expected, const char *path, hal_format format,
                           hal_table **table, const _Atomic bool *cancel,
                           _Atomic uint64_t *progress, hal_merge_report *report, hal_err *err)
{
    target last = {path, format, false, table, n_expected};
    if (n_spools <= FAN_IN)
        return merge_once(spools, n_spools, id_name, &last, cancel, progress, report, err);
    /* More than can be read at once: groups of them become larger spools first. */
    size_t n_groups = (n_spools + FAN_IN - 1) / FAN_IN, n_made = 0;
    char **made = hal_calloc(n_groups, sizeof *made);
    if (!made)
        return hal_err_nomem(err, n_groups * sizeof *made);
    hal_status st = HAL_OK;
    for (size_t g = 0; g < n_groups && !st; g++) {
        const char *const *group = spools + g * FAN_IN;
        size_t n = n_spools - g * FAN_IN < FAN_IN ? n_spools - g * FAN_IN : FAN_IN;
        size_t size = strlen(group[0]) + 32;
        made[g] = hal_malloc(size);
        if (!made[g]) {
            st = hal_err_nomem(err, size);
            break;
        }
        snprintf(made[g], size, "%s.%zu", group[0], g);
        hal_merge_report ignored;
        st = merge_once(group, n, NULL, &(target){made[g], format, true, NULL, NULL}, cancel, NULL,
                        &ignored, err);
        n_made += !st;
    }
    if (!st)
        st = hal_spool_merge((const char *const *)made, n_groups, id_name, n_expected, path, format,
                             table, cancel, progress, report, err);
    for (size_t g = 0; g < n_groups; g++) {
        if (g < n_made)
            unlink(made[g]);
        hal_free(made[g]);
    }
    hal_free(made);
    return st;
}
