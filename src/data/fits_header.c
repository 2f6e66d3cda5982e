/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/fits_header.h"

#include "base/alloc.h"

#include <stdio.h>

enum { TEXT_MAX = HAL_FITS_CARDS_MAX * HAL_FITS_CARD };

void hal_fits_header_init(hal_fits_header *h, uint64_t offset, bool first)
{
    *h = (hal_fits_header){.offset = offset, .first = first};
    hal_buf_init(&h->cards, TEXT_MAX + HAL_FITS_BLOCK);
    hal_buf_init(&h->texts, 2 * TEXT_MAX);
}

void hal_fits_header_clear(hal_fits_header *h)
{
    hal_buf_clear(&h->cards);
    hal_buf_clear(&h->texts);
    hal_free(h->columns);
    *h = (hal_fits_header){0};
}

static hal_slice trimmed(const char *p, size_t n)
{
    while (n && *p == ' ')
        p++, n--;
    while (n && p[n - 1] == ' ')
        n--;
    return (hal_slice){p, n};
}

static bool begins(hal_slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.size_bytes >= n && !memcmp(s.data, prefix, n);
}

static bool is(hal_slice s, const char *text)
{
    return hal_slice_equals(s, hal_slice_of(text));
}

/* What a slash begins, if it begins `from` or stands behind blanks there. */
static hal_slice comment_of(hal_slice from)
{
    hal_slice rest = trimmed(from.data, from.size_bytes);
    return rest.size_bytes && *rest.data == '/' ? trimmed(rest.data + 1, rest.size_bytes - 1)
                                                : (hal_slice){"", 0};
}

/* Section 4.2.1: the text between quotes at `p`, '' for one quote, appended to `room`; the comment
 * behind it to `notes`, with a blank between those of several cards. */
static bool take_text(hal_slice field, hal_buf *room, hal_buf *notes)
{
    const char *p = field.data + 1, *end = field.data + field.size_bytes;
    for (; p < end; p++) {
        if (*p == '\'' && (p + 1 == end || p[1] != '\'')) {
            hal_slice comment = comment_of((hal_slice){p + 1, (size_t)(end - p) - 1});
            bool more = comment.size_bytes && notes->size_bytes;
            return !(more && hal_buf_append(notes, " ", 1, NULL)) &&
                   !hal_buf_append(notes, comment.data, comment.size_bytes, NULL);
        }
        if (*p == '\'')
            p++;
        if (hal_buf_append(room, p, 1, NULL))
            return false;
    }
    return true; /* the closing quote is missing: as much as there is */
}

static hal_slice without_padding(const hal_buf *room)
{
    size_t n = room->size_bytes;
    while (n && room->data[n - 1] == ' ')
        n--;
    return (hal_slice){n ? room->data : "", n};
}

static void take_plain(hal_slice field, hal_fits_card *card)
{
    const char *slash = memchr(field.data, '/', field.size_bytes);
    hal_slice v = trimmed(field.data, slash ? (size_t)(slash - field.data) : field.size_bytes);
    card->value = v;
    card->kind = HAL_FITS_OTHER;
    if (slash)
        card->comment =
            comment_of((hal_slice){slash, (size_t)(field.data + field.size_bytes - slash)});
    if (v.size_bytes == 0) {
        card->kind = HAL_FITS_NONE;
    } else if (is(v, "T") || is(v, "F")) {
        card->kind = HAL_FITS_LOGICAL;
        card->logical = *v.data == 'T';
    } else { /* integers may have a plus and leading zeros here */
        hal_slice digits = v;
        bool negative = *digits.data == '-';
        if (negative || *digits.data == '+')
            digits.data++, digits.size_bytes--;
        while (digits.size_bytes > 1 && *digits.data == '0')
            digits.data++, digits.size_bytes--;
        char text[24];
        if (digits.size_bytes && digits.size_bytes < sizeof text - 1 && *digits.data != '-') {
            text[0] = '-';
            memcpy(text + 1, digits.data, digits.size_bytes);
            bool sign = negative && *digits.data != '0';
            if (hal_number_read_int64((hal_slice){text + !sign, digits.size_bytes + sign},
                                      &card->integer))
                card->kind = HAL_FITS_INTEGER;
        }
    }
}

/* The part of a card behind its key and "=". */
static hal_slice value_field(const char *card, hal_slice *key)
{
    *key = trimmed(card, 8);
    if (!memcmp(card + 8, "= ", 2))
        return trimmed(card + 10, HAL_FITS_CARD - 10);
    if (is(*key, "HIERARCH")) { /* the ESO convention for long keys */
        const char *equals = memchr(card + 8, '=', HAL_FITS_CARD - 8);
        if (equals) {
            *key = trimmed(card + 8, (size_t)(equals - card) - 8);
            return trimmed(equals + 1, (size_t)(card + HAL_FITS_CARD - equals) - 1);
        }
    }
    return (hal_slice){NULL, 0};
}

bool hal_fits_header_next(const hal_fits_header *h, size_t *at, hal_buf *room, hal_buf *notes,
                          hal_fits_card *card)
{
    if (h->cards.size_bytes - *at < HAL_FITS_CARD)
        return false;
    const char *p = h->cards.data + *at;
    *at += HAL_FITS_CARD;
    *card = (hal_fits_card){.kind = HAL_FITS_NONE};
    hal_slice field = value_field(p, &card->key);
    if (is(card->key, "COMMENT") || is(card->key, "HISTORY") || card->key.size_bytes == 0) {
        size_t n = HAL_FITS_CARD - 8; /* blanks in front belong to the text: YAML, for one */
        while (n && p[8 + n - 1] == ' ')
            n--;
        card->value = (hal_slice){p + 8, n};
        return true;
    }
    if (field.size_bytes == 0)
        return true;
    if (*field.data != '\'') {
        take_plain(field, card);
        return true;
    }
    hal_buf_clear(room);
    hal_buf_clear(notes);
    card->kind = HAL_FITS_TEXT;
    bool whole = take_text(field, room, notes);
    card->value = without_padding(room);
    /* Section 4.2.1.2: "&" at the end and a CONTINUE card behind it. */
    while (whole && card->value.size_bytes && card->value.data[card->value.size_bytes - 1] == '&' &&
           h->cards.size_bytes - *at >= HAL_FITS_CARD &&
           !memcmp(h->cards.data + *at, "CONTINUE  ", 10)) {
        hal_slice more = trimmed(h->cards.data + *at + 10, HAL_FITS_CARD - 10);
        if (more.size_bytes == 0 || *more.data != '\'')
            break;
        *at += HAL_FITS_CARD;
        room->size_bytes = card->value.size_bytes - 1;
        whole = take_text(more, room, notes);
        card->value = without_padding(room);
    }
    card->comment = without_padding(notes);
    return true;
}

static hal_status broken(const hal_fits_header *h, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "FITS header at byte %llu: %s",
                       (unsigned long long)h->offset, what);
}

static bool times(uint64_t *product, uint64_t factor)
{
    return !__builtin_mul_overflow(*product, factor, product);
}

typedef struct sizes {
    int64_t bitpix, naxis, naxes[3], pcount, gcount, tfields, theap;
    uint64_t axes; /* product of all */
    uint64_t axes_but_first;
    int64_t n_axes_seen;
    bool groups, overflow;
} sizes;

static void take_axis(sizes *s, hal_slice digits, int64_t length)
{
    int64_t n;
    if (!hal_number_read_int64(digits, &n) || n < 1 || n > s->naxis)
        return;
    s->n_axes_seen++;
    if (n <= 2)
        s->naxes[n] = length;
    if (length < 0 || !times(&s->axes, (uint64_t)length))
        s->overflow = true;
    else if (n > 1 && !times(&s->axes_but_first, (uint64_t)length))
        s->overflow = true;
}

static void take_size(hal_fits_header *h, sizes *s, const hal_fits_card *c)
{
    int64_t *integers[] = {&s->bitpix, &s->naxis, &s->pcount, &s->gcount, &s->tfields, &s->theap};
    const char *names[] = {"BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP"};
    if (c->kind == HAL_FITS_LOGICAL) {
        s->groups = s->groups || (is(c->key, "GROUPS") && c->logical);
        h->compressed_table = h->compressed_table || (is(c->key, "ZTABLE") && c->logical);
        h->compressed =
            h->compressed || h->compressed_table || (is(c->key, "ZIMAGE") && c->logical);
    } else if (c->kind == HAL_FITS_INTEGER) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (is(c->key, names[i]))
                *integers[i] = c->integer;
        if (c->key.size_bytes > 5 && begins(c->key, "NAXIS"))
            take_axis(s, (hal_slice){c->key.data + 5, c->key.size_bytes - 5}, c->integer);
    }
}

static hal_status keep_name(hal_fits_header *h, hal_slice name, hal_err *err)
{
    hal_buf_clear(&h->texts);
    hal_status st = hal_buf_append(&h->texts, name.data, name.size_bytes, err);
    h->name = hal_buf_slice(&h->texts);
    return st;
}

/* Section 4.4.2.7: texts, empty where nothing is said. */
static hal_status take_check(hal_fits_header *h, const hal_fits_card *c, hal_err *err)
{
    int64_t sum = c->integer;
    if (c->value.size_bytes == 0)
        return HAL_OK;
    if (is(c->key, "CHECKSUM")) {
        h->has_checksum = true;
        return HAL_OK;
    }
    if ((c->kind != HAL_FITS_INTEGER && !hal_number_read_int64(c->value, &sum)) || sum < 0 ||
        sum > UINT32_MAX)
        return broken(h, err, "DATASUM is no number of 32 bits");
    h->has_datasum = true;
    h->datasum = (uint32_t)sum;
    return HAL_OK;
}

static hal_status measure(hal_fits_header *h, hal_err *err)
{
    sizes s = {.bitpix = 0,
               .naxis = -1,
               .gcount = 1,
               .tfields = -1,
               .theap = -1,
               .axes = 1,
               .axes_but_first = 1};
    hal_buf room, notes;
    hal_buf_init(&room, TEXT_MAX);
    hal_buf_init(&notes, TEXT_MAX);
    hal_fits_card card;
    hal_status st = HAL_OK;
    h->kind = HAL_FITS_IMAGE;
    for (size_t at = 0; !st && hal_fits_header_next(h, &at, &room, &notes, &card);) {
        take_size(h, &s, &card);
        if (is(card.key, "DATASUM") || is(card.key, "CHECKSUM"))
            st = take_check(h, &card, err);
        if (card.kind != HAL_FITS_TEXT)
            continue;
        if (is(card.key, "XTENSION") && (is(card.value, "BINTABLE") || is(card.value, "A3DTABLE")))
            h->kind = HAL_FITS_BINARY;
        else if (is(card.key, "XTENSION") && is(card.value, "TABLE"))
            h->kind = HAL_FITS_ASCII;
        else if (is(card.key, "EXTNAME"))
            st = keep_name(h, card.value, err);
    }
    hal_buf_clear(&room);
    hal_buf_clear(&notes);
    if (st)
        return st;
    int64_t bits = s.bitpix == -32 || s.bitpix == -64 ? -s.bitpix : s.bitpix;
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        return broken(h, err, "BITPIX is missing or is not 8, 16, 32, 64, -32 or -64");
    if (s.naxis < 0 || s.naxis > 999 || s.n_axes_seen != s.naxis || s.pcount < 0 || s.gcount < 0)
        return broken(h, err, "NAXIS, NAXISn, PCOUNT or GCOUNT is missing or out of range");
    bool groups = h->first && s.groups && s.naxis > 0 && s.naxes[1] == 0; /* section 6 */
    uint64_t size = s.naxis == 0 ? 0 : groups ? s.axes_but_first : s.axes;
    if (s.overflow || (s.naxis && __builtin_add_overflow(size, (uint64_t)s.pcount, &size)) ||
        !times(&size, (uint64_t)s.gcount) || !times(&size, (uint64_t)bits / 8) || size >> 62)
        return broken(h, err, "the size of the data is out of range");
    h->data_bytes = size;
    if (h->kind == HAL_FITS_IMAGE)
        return HAL_OK;
    if (s.bitpix != 8 || s.naxis != 2 || s.gcount != 1 || s.tfields < 0 ||
        s.tfields > HAL_FITS_COLUMNS_MAX || (s.pcount && h->kind == HAL_FITS_ASCII))
        return broken(h, err,
                      "not the header of a table: wants BITPIX 8, NAXIS 2, GCOUNT 1, "
                      "TFIELDS up to 999");
    h->row_bytes = (uint64_t)s.naxes[1];
    h->n_rows = (uint64_t)s.naxes[2];
    h->n_columns = (size_t)s.tfields;
    h->heap_at = s.theap < 0 ? s.axes : (uint64_t)s.theap;
    if (h->heap_at < s.axes || h->heap_at > size)
        return broken(h, err, "THEAP lies outside the data");
    h->heap_bytes = size - h->heap_at;
    return HAL_OK;
}

hal_status hal_fits_header_add(hal_fits_header *h, const char block[HAL_FITS_BLOCK], hal_err *err)
{
    bool start = h->cards.size_bytes == 0;
    if (start && h->first && memcmp(block, "SIMPLE  =", 9) != 0)
        return hal_err_set(err, HAL_E_PROTOCOL, "not a FITS file: it does not begin with SIMPLE =");
    if (start && !h->first && memcmp(block, "XTENSION=", 9) != 0)
        return broken(h, err, "it does not begin with XTENSION=");
    if (h->cards.size_bytes >= TEXT_MAX)
        return hal_err_set(err, HAL_E_BUDGET,
                           "FITS header at byte %llu: more than %d cards without END",
                           (unsigned long long)h->offset, HAL_FITS_CARDS_MAX);
    hal_fits_sum_add(&h->sum, block, HAL_FITS_BLOCK);
    for (const char *card = block; card < block + HAL_FITS_BLOCK; card += HAL_FITS_CARD) {
        for (int i = 0; i < HAL_FITS_CARD; i++)
            if (card[i] < ' ' || card[i] > '~')
                return hal_err_set(
                    err, HAL_E_INTEGRITY, "byte %llu: a FITS header holds the byte 0x%02x",
                    (unsigned long long)(h->offset + h->cards.size_bytes + (uint64_t)i),
                    (unsigned char)card[i]);
        if (!memcmp(card, "END     ", 8)) {
            h->ended = true;
            return measure(h, err);
        }
        hal_status st = hal_buf_append(&h->cards, card, HAL_FITS_CARD, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

hal_status hal_fits_header_check(const hal_fits_header *h, unsigned number,
                                 const hal_fits_sum *data, hal_err *err)
{
    /* Of all bits 0 and of all bits 1 are two spellings of zero. */
    uint32_t sum = hal_fits_sum_value(data);
    hal_fits_sum all = {.sum = h->sum.sum + sum};
    const char *wrong = NULL;
    if (h->has_datasum && h->datasum % UINT32_MAX != sum % UINT32_MAX)
        wrong = "DATASUM";
    else if (h->has_checksum && hal_fits_sum_value(&all) % UINT32_MAX != 0)
        wrong = "CHECKSUM";
    if (!wrong)
        return HAL_OK;
    char name[72];
    snprintf(name, sizeof name, h->name.size_bytes ? " (%.*s)" : "", (int)h->name.size_bytes,
             h->name.data);
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "HDU %u%s at byte %llu does not have the sum that its %s says: the file is "
                       "damaged, or was changed by a program that left it as it was",
                       number, name, (unsigned long long)h->offset, wrong);
}

/* "TFORM12" is "TFORM" of column 12: its index, or SIZE_MAX. */
static size_t column_of(const hal_fits_header *h, hal_slice key, const char *prefix)
{
    size_t n = strlen(prefix);
    int64_t number;
    if (!begins(key, prefix) ||
        !hal_number_read_int64((hal_slice){key.data + n, key.size_bytes - n}, &number) ||
        number < 1 || (uint64_t)number > h->n_columns)
        return SIZE_MAX;
    return (size_t)number - 1;
}

static bool as_double(const hal_fits_card *c, double *out)
{
    char text[72]; /* a D may stand for the E of an exponent */
    if ((c->kind != HAL_FITS_INTEGER && c->kind != HAL_FITS_OTHER) ||
        c->value.size_bytes >= sizeof text)
        return false;
    memcpy(text, c->value.data, c->value.size_bytes);
    for (size_t i = 0; i < c->value.size_bytes; i++)
        if (text[i] == 'D' || text[i] == 'd')
            text[i] = 'E';
    hal_slice number = {text, c->value.size_bytes};
    return hal_number_take_double(number, out) == number.size_bytes;
}

/* Where the texts of a column are kept while their buffer grows: offsets + 1, 0 for none. */
typedef struct places {
    size_t at[9];
} places;

static const char *const text_keys[9] = {"TTYPE", "TUNIT", "TUCD", "TUTYP", "TXTYP",
                                         "TCOMM", "TFORM", "TDIM", "TNULL"};

static hal_status take_column_text(hal_fits_header *h, places *all, const hal_fits_card *c,
                                   hal_err *err)
{
    for (size_t k = 0; k < 9; k++) {
        size_t i = column_of(h, c->key, text_keys[k]);
        if (i == SIZE_MAX)
            continue;
        all[i].at[k] = h->texts.size_bytes + 1;
        hal_status st = hal_buf_append(&h->texts, c->value.data, c->value.size_bytes, err);
        return st ? st : hal_buf_append(&h->texts, "", 1, err);
    }
    return HAL_OK;
}

static hal_status take_column_number(hal_fits_header *h, const hal_fits_card *c, hal_err *err)
{
    size_t i;
    if (c->kind == HAL_FITS_INTEGER && (i = column_of(h, c->key, "TNULL")) != SIZE_MAX) {
        h->columns[i].has_null = true;
        h->columns[i].null_value = c->integer;
    } else if (c->kind == HAL_FITS_INTEGER && (i = column_of(h, c->key, "TBCOL")) != SIZE_MAX) {
        h->columns[i].has_begin = true;
        h->columns[i].begin = c->integer;
    } else if ((i = column_of(h, c->key, "TSCAL")) != SIZE_MAX) {
        if (!as_double(c, &h->columns[i].scale))
            return broken(h, err, "a TSCALn is no number");
    } else if ((i = column_of(h, c->key, "TZERO")) != SIZE_MAX) {
        if (!as_double(c, &h->columns[i].zero))
            return broken(h, err, "a TZEROn is no number");
        h->columns[i].zero_is_2_63 = h->columns[i].zero == 9223372036854775808.0;
    }
    return HAL_OK;
}

hal_status hal_fits_header_columns(hal_fits_header *h, hal_err *err)
{
    size_t n = h->n_columns ? h->n_columns : 1, name_bytes = h->name.size_bytes;
    places *all = hal_calloc(n, sizeof *all);
    h->columns = hal_calloc(n, sizeof *h->columns);
    if (!all || !h->columns) {
        hal_free(all);
        return hal_err_nomem(err, n * sizeof *h->columns);
    }
    for (size_t i = 0; i < h->n_columns; i++)
        h->columns[i].scale = 1;
    hal_buf room, notes;
    hal_buf_init(&room, TEXT_MAX);
    hal_buf_init(&notes, TEXT_MAX);
    hal_fits_card card;
    hal_status st = hal_buf_append(&h->texts, "", 1, err);
    for (size_t at = 0; !st && hal_fits_header_next(h, &at, &room, &notes, &card);) {
        if (card.kind == HAL_FITS_TEXT)
            st = take_column_text(h, all, &card, err);
        else if (card.kind != HAL_FITS_NONE)
            st = take_column_number(h, &card, err);
    }
    hal_buf_clear(&room);
    hal_buf_clear(&notes);
    h->name = (hal_slice){h->texts.data, name_bytes};
    for (size_t i = 0; i < h->n_columns && !st; i++) {
        hal_fits_column *c = &h->columns[i];
        const char **texts[9] = {&c->name,    &c->unit, &c->ucd, &c->utype,    &c->xtype,
                                 &c->comment, &c->form, &c->dim, &c->null_text};
        for (size_t k = 0; k < 9; k++)
            *texts[k] = all[i].at[k] ? h->texts.data + all[i].at[k] - 1 : "";
        c->scaled = c->scale != 1 || c->zero != 0;
        if (h->kind == HAL_FITS_ASCII)
            c->has_null = all[i].at[8] != 0;
        else if (c->has_null) {
            c->null_digits[hal_number_print_int64(c->null_digits, c->null_value)] = '\0';
            c->null_text = c->null_digits;
        }
        if (!*c->form)
            st = hal_err_set(err, HAL_E_INTEGRITY, "FITS header at byte %llu: there is no TFORM%zu",
                             (unsigned long long)h->offset, i + 1);
    }
    hal_free(all);
    return st;
}

bool hal_fits_card_is_layout(hal_slice key)
{
    static const char *const whole[] = {"SIMPLE", "XTENSION", "BITPIX",  "NAXIS",   "NAXIS1",
                                        "NAXIS2", "PCOUNT",   "GCOUNT",  "TFIELDS", "THEAP",
                                        "EXTEND", "CHECKSUM", "DATASUM", "EXTNAME"};
    static const char *const numbered[] = {"TTYPE", "TUNIT", "TUCD",  "TUTYP", "TXTYP", "TCOMM",
                                           "TFORM", "TDIM",  "TNULL", "TBCOL", "TSCAL", "TZERO"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (is(key, whole[i]))
            return true;
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++) {
        size_t n = strlen(numbered[i]);
        int64_t number;
        if (begins(key, numbered[i]) &&
            hal_number_read_int64((hal_slice){key.data + n, key.size_bytes - n}, &number))
            return true;
    }
    return false;
}

bool hal_fits_key_is_carried(const char *name)
{
    size_t n = strlen(name);
    bool fits = n > 0 && n <= 40 && !strchr(name, '=');
    for (const char *p = name; *p && fits; p++)
        fits = *p >= '!' && *p <= '~';
    return fits && !hal_fits_card_is_layout(hal_slice_of(name));
}
