/* SPDX-License-Identifier: BSD-3-Clause */
/* One list of losses for all formats; docs/formats.md says the same in words. */
#include "data/loss.h"

#include "base/alloc.h"
#include "data/csv_block.h"
#include "data/ecsv.h"
#include "data/fits_header.h"
#include "data/fits_write.h"
#include "data/types.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX = 400,
    NAMES_SHOWN = 3,
    NAME_MAX_BYTES = 40,
    META_DESCRIPTION = HAL_META_KEY + 1, /* behind the kinds of metadata */
    META_NAME,
    METAS,
};

/* Bits of a column. */
enum {
    LOSS_UNIT = 1,
    LOSS_UCD = 2,
    LOSS_UTYPE = 4,
    LOSS_DESCRIPTION = 8,
    LOSS_NOTES = 15,
    LOSS_BEYOND_ASCII = 16,
    LOSS_LIST = 32,
    LOSS_NULL_LIST = 64,
    LOSS_EMPTY = 128,
    LOSS_NULL_ITEM = 256,
    LOSS_NOT_FINITE = 512,
    LOSS_TIME = 1024,
    LOSS_SPELLED = 2048,
};

/* " (ra, dec, mag and 17 more)" while it is made. */
typedef struct name_list {
    char text[TEXT_MAX];
    size_t n;
} name_list;

struct hal_loss {
    hal_format format;
    size_t n_columns;
    uint16_t *columns;
    uint8_t *kinds; /* CSV: as what the texts of a column read back (hal_csv_kind) */
    bool metas[METAS];
    bool beyond_ascii;        /* in the table's name, or the values and comments of items */
    uint64_t n_bare_rows;     /* without a single column */
    name_list bare, nameless; /* items whose notes are lost, and those that are lost whole */
};

static bool has(const char *text)
{
    return text && *text;
}

/* A name that ends with the unit, as the match's own "sep_arcsec", says it all. */
static bool says_itself(const hal_field *f)
{
    size_t n_name = strlen(f->name), n = f->unit ? strlen(f->unit) : 0;
    return n && n_name > n && f->name[n_name - n - 1] == '_' &&
           !strcmp(f->name + n_name - n, f->unit);
}

static bool beyond_ascii(const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        if (*p < ' ' || *p > '~')
            return true;
    return false;
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

static uint16_t field_losses(hal_format format, const hal_field *f)
{
    unsigned lost = 0;
    if (format == HAL_FORMAT_CSV || format == HAL_FORMAT_JSONL)
        lost = (has(f->unit) && !says_itself(f) ? LOSS_UNIT : 0u) | (has(f->ucd) ? LOSS_UCD : 0u) |
               (has(f->utype) ? LOSS_UTYPE : 0u) | (has(f->description) ? LOSS_DESCRIPTION : 0u);
    if (format == HAL_FORMAT_CSV && (!hal_field_is_scalar(f) || is_complex(f->type)))
        lost |= LOSS_LIST;
    else if (format == HAL_FORMAT_CSV && f->type == HAL_TYPE_TIMESTAMP)
        lost |= LOSS_TIME;
    if (format == HAL_FORMAT_FITS &&
        (beyond_ascii(f->name) || beyond_ascii(f->unit) || beyond_ascii(f->ucd) ||
         beyond_ascii(f->utype) || beyond_ascii(f->description)))
        lost |= LOSS_BEYOND_ASCII;
    return (uint16_t)lost;
}

static void add(char *text, const char *more, size_t n)
{
    size_t used = strlen(text);
    if (used + n >= TEXT_MAX)
        return;
    memcpy(text + used, more, n);
    text[used + n] = '\0';
}

static void list_name(name_list *list, const char *name)
{
    if (list->n++ >= NAMES_SHOWN)
        return;
    size_t size = strlen(name), part = size;
    for (part = size > NAME_MAX_BYTES ? NAME_MAX_BYTES : size;
         part < size && part && ((unsigned char)name[part] & 0xc0) == 0x80;)
        part--; /* not within a character */
    add(list->text, list->n == 1 ? " (" : ", ", 2);
    add(list->text, name, part);
    add(list->text, "...", part < size ? 3 : 0);
}

static void add_list(char *text, const name_list *list)
{
    char more[40] = ")";
    if (list->n > NAMES_SHOWN)
        snprintf(more, sizeof more, " and %zu more)", list->n - NAMES_SHOWN);
    add(text, list->text, strlen(list->text));
    add(text, more, strlen(more));
}

/* Whether something is said beside name, value and how the value is spelled that is lost. */
static bool loses_notes(hal_format format, const hal_meta *m)
{
    bool any = has(m->text) && !(format == HAL_FORMAT_FITS && hal_fits_comment_has_room(m));
    for (size_t i = 0; i < m->n_attributes; i++)
        any = any || (strcmp(m->attributes[i].name, "datatype") != 0 &&
                      strcmp(m->attributes[i].name, "arraysize") != 0);
    return any;
}

static void meta_losses(hal_loss *l, const hal_meta *m)
{
    bool has_value =
        m->kind == HAL_META_INFO || m->kind == HAL_META_PARAM || m->kind == HAL_META_KEY;
    bool fits = l->format == HAL_FORMAT_FITS, ecsv = l->format == HAL_FORMAT_ECSV;
    if (l->format == HAL_FORMAT_VOTABLE || l->format == HAL_FORMAT_VOTABLE_BINARY2 ||
        (m->kind == HAL_META_INFO && !strcmp(m->name, "QUERY_STATUS")))
        return;
    if (!fits && !ecsv) {
        l->metas[m->kind] = true;
        return;
    }
    if (!has_value) {
        l->metas[m->kind] = fits;
        return;
    }
    if (fits ? !hal_fits_key_is_carried(m->name) : !hal_ecsv_key_is_carried(m->name)) {
        list_name(&l->nameless, *m->name ? m->name : "\"\"");
        return;
    }
    if (loses_notes(l->format, m))
        list_name(&l->bare, m->name);
    l->beyond_ascii =
        l->beyond_ascii || (fits && (beyond_ascii(m->value) || beyond_ascii(m->text)));
}

hal_loss *hal_loss_new(hal_format format, const hal_field *fields, size_t n_fields,
                       const hal_metadata *metadata, hal_err *err)
{
    hal_loss *l = hal_calloc(1, sizeof *l);
    if (l) {
        l->columns = hal_calloc(n_fields ? n_fields : 1, sizeof *l->columns);
        l->kinds = hal_calloc(n_fields ? n_fields : 1, sizeof *l->kinds);
    }
    if (!l || !l->columns || !l->kinds) {
        hal_loss_free(l);
        hal_err_nomem(err, sizeof *l + n_fields * sizeof *l->columns);
        return NULL;
    }
    l->format = format;
    l->n_columns = n_fields;
    for (size_t i = 0; i < n_fields; i++) {
        l->columns[i] = field_losses(format, &fields[i]);
        l->kinds[i] = fields[i].type == HAL_TYPE_STRING ? HAL_CSV_OPEN : HAL_CSV_STRING;
    }
    for (size_t i = 0; metadata && i < metadata->n_items; i++)
        meta_losses(l, &metadata->items[i]);
    bool bare = format == HAL_FORMAT_CSV || format == HAL_FORMAT_JSONL,
         fits = format == HAL_FORMAT_FITS;
    l->metas[META_DESCRIPTION] = metadata && has(metadata->description) && (bare || fits);
    l->metas[META_NAME] = metadata && has(metadata->name) && bare;
    l->beyond_ascii = l->beyond_ascii || (metadata && fits && beyond_ascii(metadata->name));
    return l;
}

void hal_loss_free(hal_loss *l)
{
    if (l) {
        hal_free(l->columns);
        hal_free(l->kinds);
    }
    hal_free(l);
}

static bool any_not_finite(const hal_column *c, hal_type type, hal_items items)
{
    for (uint64_t i = items.first; i < items.first + items.n; i++) {
        double pair[2] = {0};
        if (hal_item_is_null(c, i))
            continue;
        if (is_complex(type))
            hal_item_complex(c, type, i, pair);
        else
            pair[0] = hal_item_float64(c, type, i);
        if (!isfinite(pair[0]) || !isfinite(pair[1]))
            return true;
    }
    return false;
}

static bool any_null_item(const hal_column *c, hal_items items)
{
    for (uint64_t i = items.first; i < items.first + items.n; i++)
        if (hal_item_is_null(c, i))
            return true;
    return false;
}

static unsigned cell_losses(hal_format format, const hal_field *f, const hal_column *c,
                            hal_items items, bool null)
{
    bool list = !hal_field_is_scalar(f), real = hal_type_is_float(f->type) || is_complex(f->type);
    if (null && format == HAL_FORMAT_VOTABLE && f->type == HAL_TYPE_STRING)
        return LOSS_EMPTY; /* an empty cell reads as empty text */
    if (null)
        return format == HAL_FORMAT_FITS && list ? LOSS_NULL_LIST : 0;
    if (format == HAL_FORMAT_VOTABLE && items.n == 0)
        return LOSS_EMPTY;
    if (format == HAL_FORMAT_JSONL && real && any_not_finite(c, f->type, items))
        return LOSS_NOT_FINITE;
    bool votable = format == HAL_FORMAT_VOTABLE || format == HAL_FORMAT_VOTABLE_BINARY2;
    return votable && list && real && c->item_valid && any_null_item(c, items) ? LOSS_NULL_ITEM : 0;
}

/* CSV has no types: texts that all spell numbers read back as such. One that does not ends the
 * search, which for most columns is the first. */
static void look_at_spelling(hal_loss *l, size_t i, const hal_table *t, size_t at, hal_items rows)
{
    hal_csv_kind kind = l->kinds[i];
    for (uint64_t row = rows.first; row < rows.first + rows.n && kind != HAL_CSV_STRING; row++)
        if (!hal_table_is_null(t, at, row))
            kind = hal_csv_kind_of(hal_table_string(t, at, row), kind);
    l->kinds[i] = (uint8_t)kind;
    bool spelled = kind != HAL_CSV_STRING && kind != HAL_CSV_OPEN;
    l->columns[i] = (uint16_t)((l->columns[i] & ~LOSS_SPELLED) | (spelled ? LOSS_SPELLED : 0));
}

/* Whether there may be a loss in cells of this type. */
static bool may_lose(hal_format format, const hal_field *f)
{
    bool list = !hal_field_is_scalar(f);
    switch (format) {
    case HAL_FORMAT_FITS:
    case HAL_FORMAT_VOTABLE_BINARY2:
        return list;
    case HAL_FORMAT_VOTABLE:
        return list || f->type == HAL_TYPE_STRING;
    case HAL_FORMAT_JSONL:
        return hal_type_is_float(f->type) || is_complex(f->type);
    default:
        return false;
    }
}

/* The rows of a column of single floats; the quick form of cell_losses. */
static bool any_row_not_finite(const hal_column *c, hal_type type, hal_items rows)
{
    for (uint64_t row = rows.first; row < rows.first + rows.n; row++) {
        double v = type == HAL_TYPE_FLOAT32 ? (double)((const float *)c->values)[row]
                                            : ((const double *)c->values)[row];
        if (!isfinite(v) && !(c->valid && !hal_bit(c->valid, row)))
            return true;
    }
    return false;
}

void hal_loss_rows(hal_loss *l, const hal_table *t, const size_t *places, uint64_t first,
                   uint64_t n)
{
    l->n_bare_rows += l->n_columns || l->format == HAL_FORMAT_JSONL ? 0 : n;
    for (size_t i = 0; i < l->n_columns; i++) {
        size_t at = places[i];
        if (l->format == HAL_FORMAT_CSV && at != SIZE_MAX &&
            hal_table_field(t, at)->type == HAL_TYPE_STRING)
            look_at_spelling(l, i, t, at, (hal_items){first, n});
        bool text = l->kinds[i] == HAL_CSV_OPEN; /* for formats but CSV, which looks at it */
        if (at == SIZE_MAX && text && n && l->format == HAL_FORMAT_VOTABLE)
            l->columns[i] |= LOSS_EMPTY;
        if (at == SIZE_MAX || !may_lose(l->format, hal_table_field(t, at)))
            continue;
        const hal_field *f = hal_table_field(t, at);
        hal_column c = hal_table_column(t, at);
        unsigned lost = 0;
        if (hal_type_is_float(f->type) && hal_field_is_scalar(f)) {
            if (any_row_not_finite(&c, f->type, (hal_items){first, n}))
                l->columns[i] |= LOSS_NOT_FINITE;
            continue;
        }
        for (uint64_t row = first; row < first + n; row++) {
            hal_items items = {row, 1};
            if (f->type == HAL_TYPE_STRING)
                items = (hal_items){0, (uint64_t)(c.offsets[row + 1] - c.offsets[row])};
            else if (!hal_field_is_scalar(f))
                items = hal_table_items(t, at, row);
            lost |= cell_losses(l->format, f, &c, items, c.valid && !hal_bit(c.valid, row));
        }
        l->columns[i] = (uint16_t)(l->columns[i] | lost);
    }
}

/* The columns that lost any of `bits`. */
static void add_columns(char *text, const hal_loss *l, char *const *names, unsigned bits)
{
    name_list list = {0};
    for (size_t i = 0; i < l->n_columns; i++)
        if (l->columns[i] & bits)
            list_name(&list, names[i]);
    add_list(text, &list);
}

/* The words whose `on` is set as "a, b or c". */
static void add_words(char *text, const char *const *words, const bool *on, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        left += on[i];
    const char *separator = " ";
    for (size_t i = 0; i < n; i++) {
        if (!on[i])
            continue;
        left--;
        add(text, separator, strlen(separator));
        add(text, words[i], strlen(words[i]));
        separator = left == 1 ? " or " : ", ";
    }
}

static unsigned all_losses(const hal_loss *l)
{
    unsigned bits = 0;
    for (size_t i = 0; i < l->n_columns; i++)
        bits |= l->columns[i];
    return bits;
}

static void say_notes(const hal_loss *l, char *const *names, void (*say)(void *, const char *),
                      void *ctx)
{
    static const char *const notes[] = {"units", "UCDs", "utypes", "descriptions"};
    static const char *const metas[METAS] = {"INFO", "PARAM", "COOSYS",      "TIMESYS",
                                             "LINK", "keys",  "description", "name"};
    const char *format = hal_format_name(l->format);
    unsigned bits = all_losses(l) & LOSS_NOTES;
    char text[TEXT_MAX];
    if (bits) {
        bool on[4];
        for (unsigned i = 0; i < 4; i++)
            on[i] = bits >> i & 1;
        snprintf(text, sizeof text, "%s keeps no", format);
        add_words(text, notes, on, 4);
        add_columns(text, l, names, bits);
        say(ctx, text);
    }
    if (memchr(l->metas, true, sizeof l->metas)) {
        snprintf(text, sizeof text, "%s keeps no", format);
        add_words(text, metas, l->metas, METAS);
        add(text, " of the table", 13);
        say(ctx, text);
    }
    if (l->nameless.n) {
        snprintf(text, sizeof text, "%s has no keys of such names", format);
        add_list(text, &l->nameless);
        say(ctx, text);
    }
    if (l->bare.n) {
        snprintf(text, sizeof text, "%s keeps only name and value of INFO, PARAM and keys", format);
        add_list(text, &l->bare);
        say(ctx, text);
    }
    if (l->beyond_ascii) {
        snprintf(text, sizeof text,
                 "%s has '?' for what is not ASCII in INFO, PARAM, keys or the name of the table",
                 format);
        say(ctx, text);
    }
}

void hal_loss_say(const hal_loss *l, char *const *names, void (*say)(void *ctx, const char *text),
                  void *ctx)
{
    static const struct {
        unsigned bit;
        const char *text;
    } lines[] = {
        {LOSS_LIST, "%s keeps arrays and complex numbers as text only"},
        {LOSS_TIME, "%s keeps times as text only"},
        {LOSS_SPELLED, "%s reads back as numbers or booleans what is text"},
        {LOSS_BEYOND_ASCII, "%s has '?' for what is not ASCII in names and notes"},
        {LOSS_NULL_LIST, "values are changed: %s has no null array, only empty or of nulls"},
        {LOSS_EMPTY, "values are changed: %s cannot tell what is empty from null"},
        {LOSS_NULL_ITEM, "values are changed: null items of arrays are NaN in %s"},
        {LOSS_NOT_FINITE, "values are lost: NaN and infinities are null in %s"},
    };
    say_notes(l, names, say, ctx);
    unsigned bits = all_losses(l);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!(bits & lines[i].bit))
            continue;
        char text[TEXT_MAX] = "";
        const char *mark = strstr(lines[i].text, "%s"), *format = hal_format_name(l->format);
        add(text, lines[i].text, (size_t)(mark - lines[i].text));
        add(text, format, strlen(format));
        add(text, mark + 2, strlen(mark + 2));
        add_columns(text, l, names, lines[i].bit);
        say(ctx, text);
    }
    if (l->n_bare_rows) {
        char text[TEXT_MAX];
        snprintf(text, sizeof text,
                 "rows are lost: %s keeps none of a table without columns (%llu)",
                 hal_format_name(l->format), (unsigned long long)l->n_bare_rows);
        say(ctx, text);
    }
}
