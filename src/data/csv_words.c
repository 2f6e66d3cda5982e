/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv_words.h"

#include "base/number.h"

#include <ctype.h>
#include <strings.h>

static size_t count_words(hal_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.size_bytes; i++)
        n += text.data[i] != ' ' && (i == 0 || text.data[i - 1] == ' ');
    return n;
}

static bool is_prose_of(const hal_slice *cells, size_t n, size_t n_words_min)
{
    bool words = false, blank = n == 1;
    for (size_t i = 0; i < n; i++) {
        words = words || count_words(cells[i]) >= n_words_min;
        blank = blank || (i && cells[i].size_bytes && *cells[i].data == ' ');
    }
    return words && blank;
}

bool hal_csv_is_prose(const hal_slice *cells, size_t n)
{
    return is_prose_of(cells, n, 3);
}

/* "Error ..." and "ERROR, ..." are sentences, "error", "error_ra" and "Error RA" labels. */
static bool is_failure(const hal_slice *names, size_t n)
{
    const char *text = names[0].data;
    if (strncasecmp(text, "error", 5) != 0)
        return false;
    if (isalnum((unsigned char)text[5]) || text[5] == '_')
        return false;
    return n == 1 ? text[5] == ':' || strchr(text, ' ')
                  : text[5] == ':' || count_words(names[0]) > 2 || is_prose_of(names, n, 2);
}

static bool is_json_word(hal_slice text)
{
    double number;
    return hal_slice_equals(text, hal_slice_of("null")) ||
           hal_slice_equals(text, hal_slice_of("true")) ||
           hal_slice_equals(text, hal_slice_of("false")) || hal_number_read_double(text, &number);
}

hal_csv_words hal_csv_words_of(const hal_csv_column *columns, size_t n)
{
    enum { NAMES_MAX = 64 }; /* a sentence of more commas is none */
    hal_slice names[NAMES_MAX];
    if (n == 0 || n > NAMES_MAX)
        return HAL_CSV_NO_WORDS;
    for (size_t i = 0; i < n; i++)
        names[i] = hal_slice_of(columns[i].name);
    if (n == 1 && !strcasecmp(names[0].data, "no rows found"))
        return HAL_CSV_WORDS_NO_ROWS;
    if (!strncasecmp(names[0].data, "target not resolved", 19))
        return HAL_CSV_WORDS_NOT_FOUND;
    if (is_failure(names, n))
        return HAL_CSV_WORDS_ERROR;
    if (n == 1 && is_json_word(names[0]))
        return HAL_CSV_WORDS_JSON;
    return is_prose_of(names, n, n == 1 ? 2 : 3) ? HAL_CSV_WORDS_PROSE : HAL_CSV_NO_WORDS;
}

bool hal_csv_type_word(hal_slice text, hal_csv_kind *kind)
{
    /* MAST classic and VO services, sections 1.1 and 1.4. */
    static const struct {
        const char *word;
        hal_csv_kind kind;
    } words[] = {
        {"string", HAL_CSV_STRING}, {"ustring", HAL_CSV_STRING}, {"substring", HAL_CSV_STRING},
        {"integer", HAL_CSV_INT},   {"long", HAL_CSV_INT},       {"float", HAL_CSV_FLOAT},
        {"real", HAL_CSV_FLOAT},    {"double", HAL_CSV_FLOAT},   {"numeric", HAL_CSV_FLOAT},
        {"ra", HAL_CSV_OPEN},       {"dec", HAL_CSV_OPEN},       {"datetime", HAL_CSV_STRING}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (hal_slice_equals(text, hal_slice_of(words[i].word))) {
            if (kind)
                *kind = words[i].kind;
            return true;
        }
    return false;
}
