/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/arrow_metadata.h"

#include "base/alloc.h"
#include "data/json.h"

static const char items_key[] = "halyard.items";

static const struct {
    const char *key;
    size_t at;
} field_keys[] = {{"unit", offsetof(hal_field, unit)},
                  {"ucd", offsetof(hal_field, ucd)},
                  {"utype", offsetof(hal_field, utype)},
                  {"xtype", offsetof(hal_field, xtype)},
                  {"description", offsetof(hal_field, description)},
                  {"id", offsetof(hal_field, id)},
                  {"shape", offsetof(hal_field, shape)},
                  {"original_name", offsetof(hal_field, original_name)},
                  {"null_value", offsetof(hal_field, null_value)}};
enum { N_FIELD_KEYS = sizeof field_keys / sizeof *field_keys };

static const char **field_text(hal_field *f, size_t i)
{
    return (const char **)(void *)((char *)f + field_keys[i].at);
}

static const char *const kinds[] = {
    [HAL_META_INFO] = "info",       [HAL_META_PARAM] = "param", [HAL_META_COOSYS] = "coosys",
    [HAL_META_TIMESYS] = "timesys", [HAL_META_LINK] = "link",   [HAL_META_KEY] = "key"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* --- Out ----------------------------------------------------------------------------------------
 */

static hal_status add_sized(hal_buf *b, hal_slice bytes, hal_err *err)
{
    if (bytes.size_bytes > HAL_ARROW_METADATA_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "metadata of %zu bytes", bytes.size_bytes);
    int32_t size = (int32_t)bytes.size_bytes;
    hal_status st = hal_buf_append(b, &size, sizeof size, err);
    return st ? st : hal_buf_append(b, bytes.data, bytes.size_bytes, err);
}

hal_status hal_arrow_metadata_add(hal_buf *b, const char *key, hal_slice value, hal_err *err)
{
    int32_t n = 0;
    hal_status st = b->size_bytes ? HAL_OK : hal_buf_append(b, &n, sizeof n, err);
    if (!st)
        st = add_sized(b, hal_slice_of(key), err);
    if (!st)
        st = add_sized(b, value, err);
    if (st)
        return st;
    memcpy(&n, b->data, sizeof n);
    n++;
    memcpy(b->data, &n, sizeof n);
    return HAL_OK;
}

static hal_status add_known(hal_buf *b, const char *key, const char *text, hal_err *err)
{
    return text && *text ? hal_arrow_metadata_add(b, key, hal_slice_of(text), err) : HAL_OK;
}

hal_status hal_arrow_metadata_add_field(hal_buf *b, const hal_field *f, hal_err *err)
{
    hal_field copy = *f;
    hal_status st = HAL_OK;
    for (size_t i = 0; i < N_FIELD_KEYS && !st; i++)
        st = add_known(b, field_keys[i].key, *field_text(&copy, i), err);
    return st;
}

/* A JSON string behind what separates it from the one before. */
static hal_status put_string(hal_buf *b, const char *separator, const char *text, hal_err *err)
{
    size_t n = strlen(text);
    if (hal_json_wrong_utf8(text, text + n))
        return hal_err_set(err, HAL_E_USAGE, "the table's metadata holds text that is not UTF-8");
    hal_status st = hal_buf_puts(b, separator, err);
    return st ? st : hal_buf_quote(b, text, n, err);
}

static hal_status put_item(hal_buf *b, const hal_meta *item, hal_err *err)
{
    hal_status st = put_string(b, "[", kinds[item->kind], err);
    if (!st)
        st = put_string(b, ",", item->name, err);
    if (!st)
        st = put_string(b, ",", item->value, err);
    if (!st)
        st = put_string(b, ",", item->text, err);
    for (size_t i = 0; i < item->n_attributes && !st; i++) {
        st = put_string(b, ",", item->attributes[i].name, err);
        if (!st)
            st = put_string(b, ",", item->attributes[i].value, err);
    }
    return st ? st : hal_buf_puts(b, "]", err);
}

hal_status hal_arrow_metadata_add_table(hal_buf *b, const hal_metadata *m, hal_err *err)
{
    hal_status st = add_known(b, "name", m->name, err);
    if (!st)
        st = add_known(b, "description", m->description, err);
    if (!st)
        st = add_known(b, "status", m->status, err);
    if (st || !m->n_items)
        return st;
    hal_buf json;
    hal_buf_init(&json, HAL_ARROW_METADATA_MAX);
    for (size_t i = 0; i < m->n_items && !st; i++) {
        st = hal_buf_puts(&json, i ? "," : "[", err);
        if (!st)
            st = put_item(&json, &m->items[i], err);
    }
    if (!st)
        st = hal_buf_puts(&json, "]", err);
    if (!st)
        st = hal_arrow_metadata_add(b, items_key, hal_buf_slice(&json), err);
    hal_buf_clear(&json);
    return st;
}

/* --- In -----------------------------------------------------------------------------------------
 */

/* What is left of the bytes and the number of pairs in it. */
typedef struct pairs {
    hal_slice rest;
    int32_t n;
} pairs;

static hal_status broken(hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE,
                       "the Arrow metadata is broken or longer than %d MiB; leave it away",
                       HAL_ARROW_METADATA_MAX >> 20);
}

static hal_status take_number(hal_slice *rest, int32_t *n, hal_err *err)
{
    if (rest->size_bytes < sizeof *n)
        return broken(err);
    memcpy(n, rest->data, sizeof *n);
    *rest = (hal_slice){rest->data + sizeof *n, rest->size_bytes - sizeof *n};
    return *n < 0 ? broken(err) : HAL_OK;
}

static hal_status take_sized(hal_slice *rest, hal_slice *out, hal_err *err)
{
    int32_t n = 0;
    hal_status st = take_number(rest, &n, err);
    if (st || (size_t)n > rest->size_bytes)
        return st ? st : broken(err);
    *out = (hal_slice){rest->data, (size_t)n};
    *rest = (hal_slice){rest->data + n, rest->size_bytes - (size_t)n};
    return HAL_OK;
}

static hal_status open_pairs(pairs *p, hal_slice bytes, hal_err *err)
{
    *p = (pairs){bytes, 0};
    return bytes.size_bytes ? take_number(&p->rest, &p->n, err) : HAL_OK;
}

static hal_status next_pair(pairs *p, hal_slice *key, hal_slice *value, hal_err *err)
{
    p->n--;
    hal_status st = take_sized(&p->rest, key, err);
    return st ? st : take_sized(&p->rest, value, err);
}

static bool is_text(hal_slice s)
{
    return !s.size_bytes || (!memchr(s.data, 0, s.size_bytes) &&
                             !hal_json_wrong_utf8(s.data, s.data + s.size_bytes));
}

static hal_status set_text(const char **text, const char *key, hal_slice value, hal_err *err)
{
    if (*text)
        return hal_err_set(err, HAL_E_USAGE, "the Arrow metadata says %s twice", key);
    if (!is_text(value))
        return hal_err_set(err, HAL_E_USAGE, "the Arrow metadata's %s is not UTF-8 text", key);
    return hal_metadata_set(text, value, err);
}

bool hal_arrow_metadata_is_complex(hal_slice bytes)
{
    pairs p;
    hal_slice key, value;
    if (open_pairs(&p, bytes, NULL))
        return false;
    while (p.n > 0 && !next_pair(&p, &key, &value, NULL))
        if (hal_slice_equals(key, hal_slice_of("complex")))
            return hal_slice_equals(value, hal_slice_of("true"));
    return false;
}

hal_status hal_arrow_metadata_read_field(hal_slice bytes, hal_field *f, hal_err *err)
{
    pairs p;
    hal_slice key, value;
    hal_status st = open_pairs(&p, bytes, err);
    while (!st && p.n > 0) {
        st = next_pair(&p, &key, &value, err);
        for (size_t i = 0; i < N_FIELD_KEYS && !st; i++)
            if (hal_slice_equals(key, hal_slice_of(field_keys[i].key)))
                st = set_text(field_text(f, i), field_keys[i].key, value, err);
    }
    return st;
}

void hal_arrow_metadata_clear_field(hal_field *f)
{
    for (size_t i = 0; i < N_FIELD_KEYS; i++)
        hal_free((char *)*field_text(f, i));
}

static hal_status not_items(hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE,
                       "it is no JSON array of [kind, name, value, text, attributes...]");
}

/* The item whose `n` texts, each with its NUL, lie one behind the other. */
static hal_status add_item(hal_metadata *m, const char *texts, size_t n, hal_err *err)
{
    if (n < 4 || n % 2)
        return not_items(err);
    hal_attribute *attributes = hal_calloc(n, sizeof *attributes);
    if (!attributes)
        return hal_err_nomem(err, n * sizeof *attributes);
    const char *first[4];
    for (size_t i = 0; i < n; i++, texts += strlen(texts) + 1) {
        if (i < 4)
            first[i] = texts;
        else if (i % 2 == 0)
            attributes[i / 2 - 2].name = texts;
        else
            attributes[i / 2 - 2].value = texts;
    }
    size_t kind = 0;
    while (kind < N_KINDS && strcmp(first[0], kinds[kind]) != 0)
        kind++;
    hal_meta item = {(hal_meta_kind)kind, first[1], first[2], first[3], attributes, n / 2 - 2};
    hal_status st = kind < N_KINDS ? hal_metadata_add(m, &item, err) : not_items(err);
    hal_free(attributes);
    return st;
}

static hal_status read_items(hal_slice json, hal_metadata *m, hal_err *err)
{
    hal_json j;
    hal_buf texts;
    hal_json_init(&j, 0);
    hal_buf_init(&texts, HAL_ARROW_METADATA_MAX);
    size_t n = 0, used;
    hal_json_event event = HAL_JSON_MORE;
    hal_status st = hal_json_feed(&j, json.data, json.size_bytes, &used, err);
    while (!st && !(st = hal_json_next(&j, &event, err)) && event != HAL_JSON_MORE) {
        if (event == HAL_JSON_STRING && j.depth == 2 && is_text(j.text)) {
            st = hal_buf_append(&texts, j.text.data, j.text.size_bytes, err);
            if (!st)
                st = hal_buf_append(&texts, "", 1, err);
            n++;
        } else if (event == HAL_JSON_ARRAY_END && j.depth == 1) {
            st = add_item(m, texts.data, n, err);
            texts.size_bytes = n = 0;
        } else if (j.depth > 2 || (event != HAL_JSON_ARRAY && event != HAL_JSON_ARRAY_END)) {
            st = not_items(err);
        }
    }
    if (!st && !j.complete)
        st = not_items(err);
    hal_json_clear(&j);
    hal_buf_clear(&texts);
    return st ? hal_err_note(err, st, "%s in the Arrow metadata", items_key) : HAL_OK;
}

/* What another program says, when it is text. */
static hal_status add_foreign(hal_metadata *m, hal_slice key, hal_slice value, hal_err *err)
{
    if (!is_text(key) || !is_text(value))
        return HAL_OK;
    hal_meta item = {.kind = HAL_META_KEY};
    hal_status st = hal_metadata_set(&item.name, key, err);
    if (!st)
        st = hal_metadata_set(&item.value, value, err);
    if (!st)
        st = hal_metadata_add(m, &item, err);
    hal_free((char *)item.name);
    hal_free((char *)item.value);
    return st;
}

hal_status hal_arrow_metadata_read_table(hal_slice bytes, hal_metadata *m, hal_err *err)
{
    const struct {
        const char *key, **text;
    } known[] = {{"name", &m->name}, {"description", &m->description}, {"status", &m->status}};
    pairs p;
    hal_slice key, value;
    hal_status st = open_pairs(&p, bytes, err);
    while (!st && p.n > 0) {
        st = next_pair(&p, &key, &value, err);
        if (st)
            break;
        size_t i = 0;
        while (i < 3 && !hal_slice_equals(key, hal_slice_of(known[i].key)))
            i++;
        st = i < 3 ? set_text(known[i].text, known[i].key, value, err)
             : hal_slice_equals(key, hal_slice_of(items_key)) ? read_items(value, m, err)
                                                              : add_foreign(m, key, value, err);
    }
    return st;
}
