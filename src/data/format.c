/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/format.h"

#include "data/ecsv.h"
#include "data/fits.h"
#include "data/votable.h"

#include <strings.h>

static hal_match is_object(hal_slice head)
{
    head = hal_format_skip_blanks(head);
    return !head.size_bytes ? HAL_MATCH_MORE : *head.data == '{' ? HAL_MATCH_YES : HAL_MATCH_NO;
}

static hal_match is_rows(hal_slice head)
{
    head = hal_format_skip_blanks(head);
    return !head.size_bytes                         ? HAL_MATCH_MORE
           : *head.data == '{' || *head.data == '[' ? HAL_MATCH_YES
                                                    : HAL_MATCH_NO;
}

/* Text that cannot be anything else. */
static hal_match is_text(hal_slice head)
{
    head = hal_format_skip_blanks(head);
    if (!head.size_bytes)
        return HAL_MATCH_MORE;
    return strchr("<{[", *head.data) ? HAL_MATCH_NO : HAL_MATCH_YES;
}

/* Tried in this order: the first that matches reads. */
static const hal_format_entry formats[] = {
    {HAL_FORMAT_FITS, "fits", ".fits .fit .fts", hal_fits_recognise, &hal_fits_reader,
     &hal_fits_writer},
    {HAL_FORMAT_ECSV, "ecsv", ".ecsv", hal_ecsv_recognise, &hal_ecsv_reader, &hal_ecsv_writer},
    {HAL_FORMAT_VOTABLE, "votable", ".vot .votable .xml", hal_votable_recognise,
     &hal_votable_reader, &hal_votable_writer},
    {HAL_FORMAT_VOTABLE_BINARY2, "votable-binary2", "", NULL, NULL, &hal_votable_writer},
    {HAL_FORMAT_MASHUP_JSON, "json", ".json", is_object, &hal_mashup_reader, NULL},
    {HAL_FORMAT_MASHUP_EXTJS, "extjs", ".extjs", is_object, &hal_mashup_reader, NULL},
    {HAL_FORMAT_ROWS_JSON, "rows", "", is_rows, &hal_mashup_reader, NULL},
    {HAL_FORMAT_JSONL, "jsonl", ".jsonl .ndjson", NULL, NULL, &hal_text_writer},
    {HAL_FORMAT_CSV, "csv", ".csv", is_text, &hal_csv_reader, &hal_text_writer},
};

const hal_format_entry *hal_format_at(size_t i)
{
    return i < sizeof formats / sizeof *formats ? &formats[i] : NULL;
}

const hal_format_entry *hal_format_find(hal_format f)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].format == f)
            return &formats[i];
    return NULL;
}

void hal_format_list(char *out, size_t out_size, bool written)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const hal_format_entry *f = &formats[i];
        size_t n = strlen(f->name), sep = used ? 2 : 0;
        if (!(written ? (const void *)f->writer : (const void *)f->reader) ||
            used + n + sep + 1 > out_size)
            continue;
        memcpy(out + used, ", ", sep);
        memcpy(out + used + sep, f->name, n);
        used += sep + n;
    }
    out[used] = '\0';
}

hal_status hal_format_from_name(hal_format *out, const char *name, hal_err *err)
{
    if (!strcmp(name, "auto")) {
        *out = HAL_FORMAT_AUTO;
        return HAL_OK;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].name, name)) {
            *out = formats[i].format;
            return HAL_OK;
        }
    char reads[200], writes[200];
    hal_format_list(reads, sizeof reads, false);
    hal_format_list(writes, sizeof writes, true);
    return hal_err_set(err, HAL_E_USAGE,
                       "unknown format \"%s\"; use one of auto, %s (to read) or %s (to write)",
                       name, reads, writes);
}

const char *hal_format_name(hal_format f)
{
    const hal_format_entry *entry = hal_format_find(f);
    return entry ? entry->name : f == HAL_FORMAT_AUTO ? "auto" : "unknown";
}

hal_format hal_format_number(size_t i)
{
    const hal_format_entry *entry = hal_format_at(i);
    return entry ? entry->format : HAL_FORMAT_AUTO;
}

const char *hal_format_endings(hal_format f)
{
    const hal_format_entry *entry = hal_format_find(f);
    return entry ? entry->endings : "";
}

bool hal_format_is_read(hal_format f)
{
    const hal_format_entry *entry = hal_format_find(f);
    return f == HAL_FORMAT_AUTO || (entry && entry->reader);
}

bool hal_format_is_written(hal_format f)
{
    const hal_format_entry *entry = hal_format_find(f);
    return entry && entry->writer;
}

hal_format hal_format_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    size_t n = dot ? strlen(dot) : 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && n > 1; i++)
        for (const char *e = formats[i].endings; *e; e += strcspn(e, " "), e += *e == ' ')
            if (strcspn(e, " ") == n && !strncasecmp(e, dot, n))
                return formats[i].format;
    return HAL_FORMAT_AUTO;
}
