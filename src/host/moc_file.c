/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/moc_file.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/writer.h"
#include "sky/healpix.h"

#include <strings.h>

hal_status hal_moc_form_of_path(hal_moc_form *out, const char *path, hal_err *err)
{
    static const struct {
        const char *ending;
        hal_moc_form form;
    } endings[] = {{".txt", HAL_MOC_ASCII}, {".moc", HAL_MOC_ASCII}, {".ascii", HAL_MOC_ASCII},
                   {".json", HAL_MOC_JSON}, {".fits", HAL_MOC_FITS}, {".fit", HAL_MOC_FITS}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i].ending)) {
            *out = endings[i].form;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "%s: a MOC is written to names that end in .fits, .json or .txt", path);
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *key_of(const hal_table *t, const char *name)
{
    const hal_meta *m = hal_metadata_find(hal_table_metadata(t), HAL_META_KEY, name);
    return m ? m->value : "";
}

static hal_status check_kind(const hal_table *t, hal_err *err)
{
    const char *dimension = key_of(t, "MOCDIM"), *old = key_of(t, "MOC");
    const char *frame = key_of(t, "COORDSYS");
    if (*dimension && strcmp(dimension, "SPACE") != 0)
        return hal_err_set(err, HAL_E_USAGE, "a MOC of %s, where one of space alone is needed",
                           dimension);
    if (strstr(old, "TIME"))
        return hal_err_set(err, HAL_E_USAGE, "a MOC of %s, where one of space alone is needed",
                           old);
    if (*frame && strcmp(frame, "C") != 0 && strcasecmp(frame, "ICRS") != 0)
        return hal_err_set(err, HAL_E_USAGE, "a MOC in the frame %s: only ICRS (C) is read", frame);
    return HAL_OK;
}

/* The column and whether its numbers are borders of ranges. */
static hal_status find_column(const hal_table *t, size_t *column, bool *ranges, hal_err *err)
{
    const char *ordering = key_of(t, "ORDERING");
    int i = hal_table_find(t, "UNIQ");
    if (i < 0)
        i = hal_table_find(t, "RANGE");
    if (i < 0 && hal_table_columns(t) == 1)
        i = 0;
    if (i < 0 || !hal_type_is_integer(hal_table_field(t, (size_t)i)->type))
        return hal_err_set(err, HAL_E_USAGE,
                           "the FITS table is no MOC: it has no column UNIQ or RANGE of integers");
    *column = (size_t)i;
    *ranges = !strncmp(ordering, "RANGE", 5) ||
              (!*ordering && !strcasecmp(hal_table_field(t, (size_t)i)->name, "RANGE"));
    if (!*ranges && *ordering && strcmp(ordering, "NUNIQ") != 0)
        return hal_err_set(err, HAL_E_USAGE, "a MOC in ORDERING %s: NUNIQ and RANGE are read",
                           ordering);
    return HAL_OK;
}

typedef struct cells {
    hal_moc_range *range;
    size_t n;
    bool ranges;
    int64_t lo; /* of a range whose end is to come; < 0: none */
} cells;

/* One number of the column. */
static hal_status add_number(cells *c, int64_t v, uint64_t row, hal_err *err)
{
    if (c->ranges) {
        if (v < 0 || (uint64_t)v > HAL_MOC_CELLS || (c->lo >= 0 && v <= c->lo))
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "row %llu: %lld is no border of a range of order 29",
                               (unsigned long long)row + 1, (long long)v);
        if (c->lo >= 0)
            c->range[c->n++] = (hal_moc_range){(uint64_t)c->lo, (uint64_t)v};
        c->lo = c->lo >= 0 ? -1 : v;
        return HAL_OK;
    }
    int order = 0;
    while (order < HAL_HEALPIX_ORDER_MAX && v >= INT64_C(16) << 2 * order)
        order++;
    int64_t first = INT64_C(4) << 2 * order;
    if (v < first || v >= 4 * first)
        return hal_err_set(err, HAL_E_INTEGRITY, "row %llu: %lld is no number of a cell",
                           (unsigned long long)row + 1, (long long)v);
    int shift = 2 * (HAL_HEALPIX_ORDER_MAX - order);
    uint64_t index = (uint64_t)(v - first);
    c->range[c->n++] = (hal_moc_range){index << shift, (index + 1) << shift};
    return HAL_OK;
}

static hal_status add_rows(cells *c, const hal_table *t, size_t i_col, hal_err *err)
{
    hal_column column = hal_table_column(t, i_col);
    hal_type type = hal_table_field(t, i_col)->type;
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < hal_table_rows(t) && !st; row++) {
        hal_items items = hal_table_items(t, i_col, row);
        if (hal_table_is_null(t, i_col, row))
            return hal_err_set(err, HAL_E_INTEGRITY, "row %llu has no cell",
                               (unsigned long long)row + 1);
        for (uint64_t k = 0; k < items.n && !st; k++)
            st = hal_item_is_null(&column, items.first + k)
                     ? hal_err_set(err, HAL_E_INTEGRITY, "row %llu has no cell",
                                   (unsigned long long)row + 1)
                     : add_number(c, hal_item_int64(&column, type, items.first + k), row, err);
    }
    if (!st && c->lo >= 0)
        st = hal_err_set(err, HAL_E_INTEGRITY, "the last range has no end");
    return st;
}

static int order_of(const hal_table *t)
{
    static const char *const keys[] = {"MOCORD_S", "MOCORDER"};
    for (int i = 0; i < 2; i++) {
        int64_t order;
        if (hal_number_read_int64(hal_slice_of(key_of(t, keys[i])), &order) && order >= 0 &&
            order <= HAL_HEALPIX_ORDER_MAX)
            return (int)order;
    }
    return 0;
}

static hal_moc *of_table(const hal_table *t, hal_err *err)
{
    size_t i_col = 0, n_items = 0;
    cells c = {.lo = -1};
    if (hal_table_require_whole(t, err) || check_kind(t, err) ||
        find_column(t, &i_col, &c.ranges, err))
        return NULL;
    for (uint64_t row = 0; row < hal_table_rows(t); row++)
        n_items += hal_table_items(t, i_col, row).n;
    c.range = hal_malloc((n_items + 1) * sizeof *c.range);
    if (!c.range) {
        (void)hal_err_nomem(err, (n_items + 1) * sizeof *c.range);
        return NULL;
    }
    hal_moc *m = add_rows(&c, t, i_col, err) ? NULL : hal_moc_new(c.range, c.n, order_of(t), err);
    hal_free(c.range);
    return m;
}

static hal_moc *decode_fits(hal_slice bytes, hal_err *err)
{
    hal_reader_limits limits = {.rows_max = 6 * (uint64_t)HAL_MOC_RANGES_MAX,
                                .bytes_max = HAL_MOC_FILE_MAX};
    hal_reader *reader = hal_reader_new(HAL_FORMAT_FITS, &limits, err);
    hal_table *t = NULL;
    hal_answer answer = HAL_ANSWER_INIT;
    hal_moc *m = NULL;
    if (reader && !hal_reader_feed(reader, bytes.data, bytes.size_bytes, err) &&
        !hal_reader_finish(reader, &answer, &t, err))
        m = t ? of_table(t, err) : NULL;
    if (!m && !t && answer.status != HAL_ANSWER_COMPLETE)
        hal_err_set(err, HAL_E_INTEGRITY, "the file holds no table");
    hal_reader_free(reader);
    hal_table_unref(t);
    return m;
}

hal_moc *hal_moc_decode(hal_slice bytes, hal_err *err)
{
    static const char gzip[] = {0x1f, (char)0x8b}, zstd[] = {0x28, (char)0xb5};
    if (bytes.size_bytes > HAL_MOC_FILE_MAX) {
        hal_err_set(err, HAL_E_BUDGET, "a MOC file has at most %d bytes", HAL_MOC_FILE_MAX);
        return NULL;
    }
    bool is_fits = bytes.size_bytes >= 6 && !memcmp(bytes.data, "SIMPLE", 6);
    bool is_packed =
        bytes.size_bytes >= 2 && (!memcmp(bytes.data, gzip, 2) || !memcmp(bytes.data, zstd, 2));
    return is_fits || is_packed ? decode_fits(bytes, err) : hal_moc_parse(bytes, err);
}

/* --- writing --------------------------------------------------------------------------------- */

typedef struct rows {
    hal_builder *b;
    hal_status st;
    hal_err *err;
} rows;

static bool add_run(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    rows *r = ctx;
    uint64_t first = UINT64_C(4) << 2 * order;
    for (uint64_t index = lo; index < hi && !r->st; index++) {
        r->st = hal_builder_int64(r->b, 0, (int64_t)(first + index), r->err);
        if (!r->st)
            r->st = hal_builder_end_row(r->b, r->err);
    }
    return !r->st;
}

/* MOC 2.0 section 4.3.1, with the keys of MOC 1.1 for older readers. */
static hal_status describe(hal_builder *b, int order, hal_err *err)
{
    char text[HAL_INT64_TEXT_MAX + 1] = "";
    hal_number_print_int64(text, order);
    /* "2.0 ": a text in the card, where "2.0" would be a number; blanks at its end do not count. */
    const hal_meta keys[] = {
        {.kind = HAL_META_KEY, .name = "PIXTYPE", .value = "HEALPIX", .text = ""},
        {.kind = HAL_META_KEY, .name = "MOCVERS", .value = "2.0 ", .text = ""},
        {.kind = HAL_META_KEY, .name = "MOCDIM", .value = "SPACE", .text = ""},
        {.kind = HAL_META_KEY, .name = "ORDERING", .value = "NUNIQ", .text = ""},
        {.kind = HAL_META_KEY, .name = "COORDSYS", .value = "C", .text = ""},
        {.kind = HAL_META_KEY, .name = "MOCORD_S", .value = text, .text = ""},
        {.kind = HAL_META_KEY, .name = "MOCORDER", .value = text, .text = ""},
        {.kind = HAL_META_KEY, .name = "MOCTOOL", .value = "Halyard", .text = ""},
    };
    hal_metadata metadata = {0};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !st; i++)
        st = hal_metadata_add(&metadata, &keys[i], err);
    if (!st)
        st = hal_builder_metadata(b, &metadata, err);
    hal_metadata_clear(&metadata);
    return st;
}

static hal_table *to_table(const hal_moc *m, hal_err *err)
{
    const hal_field field = {.name = "UNIQ", .type = HAL_TYPE_INT64, .width = 1};
    rows r = {hal_builder_new(&field, 1, err), HAL_OK, err};
    if (!r.b)
        return NULL;
    r.st = describe(r.b, hal_moc_order(m), err);
    if (!r.st)
        hal_moc_each_run(m, add_run, &r);
    hal_table *t = r.st ? NULL : hal_builder_finish(r.b, err);
    hal_builder_free(r.b);
    return t;
}

static hal_status encode_fits(const hal_moc *m, hal_buf *out, hal_err *err)
{
    hal_table *t = to_table(m, err);
    if (!t)
        return err->status;
    uint64_t size_bytes;
    hal_writer *w = hal_writer_open_memory(out, HAL_FORMAT_FITS, t, err);
    hal_status st = w ? hal_writer_table(w, t, err) : err->status;
    if (!st)
        st = hal_writer_commit(w, &size_bytes, err);
    hal_writer_free(w);
    hal_table_unref(t);
    return st;
}

hal_status hal_moc_encode(const hal_moc *m, hal_moc_form form, hal_buf *out, hal_err *err)
{
    hal_err own = HAL_ERR_INIT;
    hal_err *e = err ? err : &own;
    if (form == HAL_MOC_FITS)
        return encode_fits(m, out, e);
    return form == HAL_MOC_JSON ? hal_moc_format_json(m, out, e) : hal_moc_format(m, out, e);
}
