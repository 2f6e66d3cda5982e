/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer's headers: cards for the layout, the columns and what the table says about itself. */
#include "data/fits_write.h"

#include "base/number.h"
#include "data/fits_header.h"

#include <stdio.h>
#include <string.h>

typedef hal_fits_out_column column;
typedef hal_fits_out fits_writer;

typedef struct header {
    hal_buf *cards;
    hal_err *err;
    hal_status st;
    bool cut; /* a comment found no room behind its value */
} header;

static void put_card(header *h, const char *text, size_t n)
{
    char card[HAL_FITS_CARD];
    memset(card, ' ', sizeof card);
    for (size_t i = 0; i < n && i < sizeof card; i++)
        card[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    if (!h->st)
        h->st = hal_buf_append(h->cards, card, sizeof card, h->err);
}

/* Behind the `n` bytes of a card, if there is room for the whole of it. */
static size_t add_comment(header *h, char card[HAL_FITS_CARD], size_t n, const char *comment)
{
    size_t size = strlen(comment);
    if (size && n + 3 + size > HAL_FITS_CARD) {
        h->cut = true;
        return n;
    }
    if (!size)
        return n;
    memcpy(card + n, " / ", 3);
    memcpy(card + n + 3, comment, size);
    return n + 3 + size;
}

static void put_value(header *h, const char *key, const char *value, const char *comment)
{
    char card[HAL_FITS_CARD + 1];
    /* In the fixed format unless the comment needs the room. */
    bool fixed = strlen(key) <= 8 && (30 + 3 + strlen(comment) <= HAL_FITS_CARD || !*comment);
    int n = strlen(key) > 8
                ? snprintf(card, sizeof card, "HIERARCH %s = %s", key, value)
                : snprintf(card, sizeof card, fixed ? "%-8s= %20s" : "%-8s= %s", key, value);
    size_t size = n < HAL_FITS_CARD ? (size_t)n : HAL_FITS_CARD;
    put_card(h, card, add_comment(h, card, size, comment));
}

static void put_plain(header *h, const char *key, const char *value)
{
    put_value(h, key, value, "");
}

static void put_integer(header *h, const char *key, int64_t value)
{
    char text[HAL_INT64_TEXT_MAX + 1] = {0};
    hal_number_print_int64(text, value);
    put_plain(h, key, text);
}

/* A text over as many cards as it needs (CONTINUE). */
static void put_noted_text(header *h, const char *key, const char *text, const char *comment)
{
    char card[HAL_FITS_CARD];
    char lead[HAL_FITS_CARD + 1];
    int n_lead = strlen(key) > 8 ? snprintf(lead, sizeof lead, "HIERARCH %s = '", key)
                                 : snprintf(lead, sizeof lead, "%-8s= '", key);
    if (n_lead > 60)
        return;
    size_t n = (size_t)n_lead;
    memcpy(card, lead, n);
    size_t start = n;
    for (const char *p = text; *p; p++) {
        size_t need = *p == '\'' ? 2 : 1;
        if (n + need > HAL_FITS_CARD - 2) { /* room for "&'" */
            size_t left = strlen(p);
            bool ends = left == 1 && n + need <= HAL_FITS_CARD - 1;
            if (!ends) {
                card[n++] = '&';
                card[n++] = '\'';
                put_card(h, card, n);
                memcpy(card, "CONTINUE  '", 11);
                n = start = 11;
            }
        }
        card[n++] = *p;
        if (*p == '\'')
            card[n++] = '\'';
    }
    while (n < start + 8 && n < HAL_FITS_CARD - 1)
        card[n++] = ' ';
    card[n++] = '\'';
    put_card(h, card, add_comment(h, card, n, comment));
}

static void put_text(header *h, const char *key, const char *text)
{
    put_noted_text(h, key, text, "");
}

static void put_numbered(header *h, const char *prefix, size_t i, const char *text)
{
    char key[16];
    if (!*text)
        return;
    snprintf(key, sizeof key, "%s%zu", prefix, i + 1);
    put_text(h, key, text);
}

/* `spare`: cards that might have been in the header. */
static void end_header(header *h, size_t spare)
{
    const size_t block = HAL_FITS_BLOCK / HAL_FITS_CARD;
    size_t n = h->cards->size_bytes / HAL_FITS_CARD;
    size_t last_block = (n + spare) / block; /* that of the END card */
    for (; n / block < last_block; n++)
        put_card(h, "", 0);
    put_card(h, "END", 3);
    while (h->cards->size_bytes % HAL_FITS_BLOCK && !h->st)
        put_card(h, "", 0);
}

static void put_form(const fits_writer *w, header *h, size_t i)
{
    const column *c = &w->columns[i];
    char text[64];
    unsigned long long n = c->type == HAL_TYPE_STRING ? c->longest : (uint64_t)c->width;
    if (c->to.heap)
        snprintf(text, sizeof text, "1%c%c(%llu)", w->wide_pointers ? 'Q' : 'P', c->to.code,
                 (unsigned long long)c->longest);
    else if (n == 1)
        snprintf(text, sizeof text, "%c", c->to.code);
    else
        snprintf(text, sizeof text, "%llu%c", n, c->to.code);
    put_numbered(h, "TFORM", i, text);
}

/* "2x3" as "(2,3)"; dimensions that are open are not written. */
static void put_dim(header *h, size_t i, const char *shape)
{
    char text[72];
    size_t n = strlen(shape);
    if (n < 3 || n > 60 || strchr(shape, '*') || !strchr(shape, 'x'))
        return;
    snprintf(text, sizeof text, "(%s)", shape);
    for (char *p = text; *p; p++)
        if (*p == 'x')
            *p = ',';
    put_numbered(h, "TDIM", i, text);
}

static void put_column(const fits_writer *w, header *h, size_t i)
{
    const column *c = &w->columns[i];
    const hal_field *f = hal_table_field(w->schema, i);
    char key[16];
    put_numbered(h, "TTYPE", i, f->name);
    put_form(w, h, i);
    bool micro = f->type == HAL_TYPE_TIMESTAMP && !c->is_time;
    put_numbered(h, "TUNIT", i, micro ? "us" : f->unit);
    if (c->type != HAL_TYPE_STRING)
        put_dim(h, i, f->shape);
    if (hal_type_is_integer(c->type) && c->any_null) {
        snprintf(key, sizeof key, "TNULL%zu", i + 1);
        put_integer(h, key, c->to.null_value);
    }
    put_numbered(h, "TUCD", i, f->ucd);
    put_numbered(h, "TUTYP", i, f->utype);
    put_numbered(h, "TXTYP", i, f->type == HAL_TYPE_TIMESTAMP ? "timestamp" : f->xtype);
    put_numbered(h, "TCOMM", i, f->description);
}

static void put_comment(header *h, const char *key, const char *text)
{
    size_t n = strlen(text), at = 0;
    do {
        char card[HAL_FITS_CARD + 1];
        size_t part = n - at < 72 ? n - at : 72;
        int size = snprintf(card, sizeof card, "%-8s%.*s", key, (int)part, text + at);
        put_card(h, card, (size_t)size);
        at += part;
    } while (at < n);
}

static void put_meta(header *h, const hal_meta *m)
{
    hal_number number;
    if (m->kind != HAL_META_KEY && m->kind != HAL_META_INFO && m->kind != HAL_META_PARAM)
        return;
    if (!strcmp(m->name, "COMMENT") || !strcmp(m->name, "HISTORY")) {
        put_comment(h, m->name, m->value);
        h->cut = h->cut || *m->text;
        return;
    }
    if (!hal_fits_key_is_carried(m->name))
        return;
    size_t n_value = strlen(m->value);
    bool plain = strlen(m->name) <= 8;
    for (const char *p = m->name; *p; p++)
        plain = plain &&
                ((*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_');
    char key[64];
    snprintf(key, sizeof key, plain ? "%s" : "%-9s", m->name); /* nine or more: HIERARCH */
    hal_number_kind kind = hal_number_scan(m->value, m->value + n_value + 1, &number);
    bool is_number = (kind == HAL_NUMBER_INT || kind == HAL_NUMBER_FLOAT) &&
                     number.size_bytes == n_value && n_value <= 20;
    if (is_number || !strcmp(m->value, "T") || !strcmp(m->value, "F"))
        put_value(h, key, m->value, m->text);
    else
        put_noted_text(h, key, m->value, m->text);
}

bool hal_fits_comment_has_room(const hal_meta *m)
{
    hal_buf cards;
    hal_buf_init(&cards, (size_t)HAL_FITS_CARDS_MAX * HAL_FITS_CARD);
    header h = {.cards = &cards};
    put_meta(&h, m);
    hal_buf_clear(&cards);
    return !h.cut;
}

hal_status hal_fits_make_headers(const hal_fits_out *w, hal_buf *cards, hal_err *err)
{
    header h = {.cards = cards, .err = err};
    put_plain(&h, "SIMPLE", "T");
    put_integer(&h, "BITPIX", 8);
    put_integer(&h, "NAXIS", 0);
    put_plain(&h, "EXTEND", "T");
    end_header(&h, 0);
    put_text(&h, "XTENSION", "BINTABLE");
    put_integer(&h, "BITPIX", 8);
    put_integer(&h, "NAXIS", 2);
    put_integer(&h, "NAXIS1", (int64_t)w->row_bytes);
    put_integer(&h, "NAXIS2", (int64_t)w->n_rows);
    put_integer(&h, "PCOUNT", (int64_t)w->heap_bytes);
    put_integer(&h, "GCOUNT", 1);
    put_integer(&h, "TFIELDS", (int64_t)w->n_columns);
    const hal_metadata *m = hal_table_metadata(w->schema);
    if (m->name && *m->name)
        put_text(&h, "EXTNAME", m->name);
    size_t spare = 0;
    for (size_t i = 0; i < w->n_columns; i++) {
        put_column(w, &h, i);
        spare += hal_type_is_integer(w->columns[i].type) && !w->columns[i].any_null;
    }
    for (size_t i = 0; i < m->n_items; i++)
        put_meta(&h, &m->items[i]);
    end_header(&h, spare);
    if (!h.st && cards->size_bytes / HAL_FITS_CARD > HAL_FITS_CARDS_MAX)
        h.st = hal_err_set(err, HAL_E_BUDGET, "the header needs more than %d cards",
                           HAL_FITS_CARDS_MAX);
    return h.st;
}
