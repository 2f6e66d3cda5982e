/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/contents.h"

#include "base/alloc.h"
#include "base/number.h"

#include <stdio.h>

hal_status hal_contents_init(hal_contents *c, const char *table, hal_err *err)
{
    *c = (hal_contents){0};
    if (!table)
        return HAL_OK;
    if (!*table)
        return hal_err_set(err, HAL_E_USAGE, "the name of the table is empty");
    c->wanted = hal_strdup(table);
    if (!c->wanted)
        return hal_err_nomem(err, strlen(table));
    int64_t number;
    if (hal_number_read_int64(hal_slice_of(table), &number) && number > 0)
        c->wanted_number = (uint64_t)number;
    return HAL_OK;
}

void hal_contents_clear(hal_contents *c)
{
    hal_free(c->wanted);
    c->wanted = NULL;
}

/* As much of a name as a message has room for, cut between characters. */
static void clip(char out[HAL_TABLE_NAME_MAX], const char *name)
{
    static const char cut[] = "...";
    size_t n = strlen(name), room = HAL_TABLE_NAME_MAX - sizeof cut;
    bool whole = n < HAL_TABLE_NAME_MAX;
    for (n = whole ? n : room; !whole && n && ((unsigned char)name[n] & 0xc0) == 0x80;)
        n--;
    memcpy(out, name, n);
    memcpy(out + n, whole ? "" : cut, whole ? 1 : sizeof cut);
}

/* Adds a table to the list while the list has room. */
static void list_one(hal_contents *c, int64_t n_rows)
{
    char text[HAL_TABLE_NAME_MAX + 64], rows[40] = "";
    if (n_rows >= 0)
        snprintf(rows, sizeof rows, " (%lld row%s)", (long long)n_rows, n_rows == 1 ? "" : "s");
    int n = snprintf(text, sizeof text, "%s%u%s%s%s%s", c->n_listed ? ", " : "", c->n_tables,
                     *c->name ? " \"" : "", c->name, *c->name ? "\"" : "", rows);
    size_t used = strlen(c->list);
    if (c->n_listed + 1 != c->n_tables || used + (size_t)n >= sizeof c->list)
        return;
    memcpy(c->list + used, text, (size_t)n + 1);
    c->n_listed++;
}

hal_status hal_contents_add(hal_contents *c, const char *name, const char *id, int64_t n_rows,
                            bool *wanted, hal_err *err)
{
    name = name ? name : "";
    id = id ? id : "";
    c->n_tables++;
    clip(c->name, *name ? name : id);
    list_one(c, n_rows);
    *wanted = c->wanted_number ? c->wanted_number == c->n_tables
                               : c->wanted && (!strcmp(c->wanted, name) || !strcmp(c->wanted, id));
    if (!*wanted)
        return HAL_OK;
    if (c->wanted_at)
        return hal_err_set(err, HAL_E_USAGE,
                           "tables %u and %u are both called \"%.60s\"; choose one by its number",
                           c->wanted_at, c->n_tables, c->wanted);
    c->wanted_at = c->n_tables;
    return HAL_OK;
}

void hal_contents_choose(hal_contents *c)
{
    c->read_at = c->n_tables;
    memcpy(c->read_name, c->name, sizeof c->read_name);
}

hal_status hal_contents_missing(const hal_contents *c, hal_err *err)
{
    char more[40] = "";
    const char *quote = c->wanted_number ? "" : "\"";
    if (c->n_listed < c->n_tables)
        snprintf(more, sizeof more, " and %u more", c->n_tables - c->n_listed);
    return hal_err_set(err, HAL_E_USAGE, "there is no table %s%.60s%s; there %s %u: %s%s", quote,
                       c->wanted, quote, c->n_tables == 1 ? "is" : "are", c->n_tables, c->list,
                       more);
}

void hal_contents_tell(const hal_contents *c, hal_answer *answer)
{
    answer->n_tables = c->n_tables;
    answer->table = c->read_at;
    memcpy(answer->table_name, c->read_name, sizeof answer->table_name);
}
