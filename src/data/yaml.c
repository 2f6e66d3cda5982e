/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/yaml.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <stdint.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 16 << 20 };

typedef struct parser {
    char *text; /* our copy: a "-" that was read becomes a blank */
    const char *end;
    char *at;
    hal_yaml *nodes;
    int depth;
    hal_buf buf;
    hal_err *err;
    hal_status st;
} parser;

static hal_yaml *parse_block(parser *p, int indent);
static hal_yaml *parse_flow(parser *p);

static hal_yaml *fail(parser *p, const char *what)
{
    unsigned line = 1;
    for (const char *q = p->text; q < p->at; q++)
        line += *q == '\n';
    if (!p->st)
        p->st = hal_err_set(p->err, HAL_E_INTEGRITY, "YAML header, line %u: %s", line, what);
    return NULL;
}

static hal_yaml *new_node(parser *p, hal_yaml_kind kind)
{
    hal_yaml *n = hal_calloc(1, sizeof *n);
    if (!n) {
        p->st = hal_err_nomem(p->err, sizeof *n);
        return NULL;
    }
    n->kind = kind;
    n->text = kind == HAL_YAML_TEXT ? NULL : "";
    n->older = p->nodes;
    p->nodes = n;
    return n;
}

static char *keep(parser *p)
{
    char *copy = hal_strndup(hal_buf_text(&p->buf), p->buf.size_bytes);
    if (!copy)
        p->st = hal_err_nomem(p->err, p->buf.size_bytes);
    return copy;
}

/* A text node of what stands in the buffer. */
static hal_yaml *text_node(parser *p, bool quoted)
{
    hal_yaml *n = p->st ? NULL : new_node(p, HAL_YAML_TEXT);
    char *copy = n ? keep(p) : NULL;
    if (!copy)
        return NULL;
    n->text = copy;
    n->quoted = quoted;
    return n;
}

static void put(parser *p, const char *bytes, size_t n)
{
    if (!p->st)
        p->st = hal_buf_append(&p->buf, bytes, n, p->err);
}

static void put_code(parser *p, uint32_t c)
{
    char out[4];
    if (c < 0x80)
        put(p, (char[]){(char)c}, 1);
    else if (c < 0x800)
        put(p, (char[]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, 2);
    else if (c < 0x10000)
        put(p,
            (char[]){(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63))},
            3);
    else {
        out[0] = (char)(0xf0 | (c >> 18 & 7));
        out[1] = (char)(0x80 | (c >> 12 & 63));
        out[2] = (char)(0x80 | (c >> 6 & 63));
        out[3] = (char)(0x80 | (c & 63));
        put(p, out, 4);
    }
}

static bool more(const parser *p)
{
    return p->at < p->end;
}

static char peek(const parser *p, size_t ahead)
{
    return (size_t)(p->end - p->at) > ahead ? p->at[ahead] : '\n';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static void skip_blanks(parser *p)
{
    while (more(p) && is_blank(*p->at))
        p->at++;
}

/* To the first character of the next line that holds something; its column, -1 at the end. Stays
 * where it is when the cursor is behind the indentation of a line already. */
static int next_line(parser *p)
{
    for (;;) {
        char *start = p->at;
        while (start > p->text && start[-1] != '\n')
            start--;
        skip_blanks(p);
        if (!more(p))
            return -1;
        if (*p->at != '\n' && *p->at != '#')
            return (int)(p->at - start);
        while (more(p) && *p->at != '\n')
            p->at++;
        if (more(p))
            p->at++;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void take_escape(parser *p)
{
    static const char from[] = "0abtnvfre \"/\\", to[] = "\0\a\b\t\n\v\f\r\x1b \"/\\";
    char c = peek(p, 0);
    const char *simple = c && c != '\n' ? strchr(from, c) : NULL;
    p->at += more(p);
    if (simple) {
        put(p, &to[simple - from], 1);
    } else if (c == '\n') { /* the line goes on */
        skip_blanks(p);
    } else if (c == 'N' || c == '_' || c == 'L' || c == 'P') {
        put_code(p, c == 'N' ? 0x85 : c == '_' ? 0xa0 : c == 'L' ? 0x2028 : 0x2029);
    } else {
        int n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        uint32_t code = 0;
        for (int i = 0; i < n; i++) {
            int d = hex_digit(peek(p, 0));
            if (d < 0 || !more(p)) {
                fail(p, "a broken escape");
                return;
            }
            code = code << 4 | (uint32_t)d;
            p->at++;
        }
        if (n == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            fail(p, "an unknown escape");
        else
            put_code(p, code);
    }
}

/* One line break is a blank, each further one a line break. */
static void fold(parser *p)
{
    size_t breaks = 0;
    while (p->buf.size_bytes && is_blank(p->buf.data[p->buf.size_bytes - 1]))
        p->buf.size_bytes--;
    while (more(p) && is_break(*p->at))
        breaks += *p->at++ == '\n';
    if (breaks == 1)
        put(p, " ", 1);
    for (size_t i = 1; i < breaks; i++)
        put(p, "\n", 1);
}

static bool take_quoted(parser *p)
{
    char quote = *p->at++;
    hal_buf_clear(&p->buf);
    while (more(p) && !p->st) {
        char c = *p->at;
        if (c == '\n') {
            fold(p);
            continue;
        }
        p->at++;
        if (c == quote && !(quote == '\'' && peek(p, 0) == '\'' && more(p)))
            return true;
        if (c == quote)
            p->at++;
        if (c == '\\' && quote == '"')
            take_escape(p);
        else
            put(p, &c, 1);
    }
    fail(p, "a quote that does not end");
    return false;
}

static void trim_end(parser *p)
{
    while (p->buf.size_bytes && is_break(p->buf.data[p->buf.size_bytes - 1]))
        p->buf.size_bytes--;
}

/* A plain text up to what ends it: the line, ": ", " #", in flow also , ] } */
static void take_plain_line(parser *p, bool flow, bool key)
{
    while (more(p) && *p->at != '\n') {
        char c = *p->at;
        if (flow && strchr(",[]{}", c))
            break;
        if (c == ':' && (flow || key) &&
            (is_break(peek(p, 1)) || (flow && strchr(",[]{}", peek(p, 1)))))
            break;
        if (c == '#' && p->at > p->text && is_blank(p->at[-1]))
            break;
        put(p, &c, 1);
        p->at++;
    }
}

static void skip_tag(parser *p)
{
    while (more(p) && (*p->at == '!' || *p->at == '&')) {
        while (more(p) && !is_break(*p->at) && !strchr(",]}", *p->at))
            p->at++;
        skip_blanks(p);
    }
}

static void skip_all(parser *p)
{
    while (more(p) && is_break(*p->at))
        p->at++;
}

static hal_yaml *flow_scalar(parser *p)
{
    if (peek(p, 0) == '"' || peek(p, 0) == '\'')
        return take_quoted(p) ? text_node(p, true) : NULL;
    hal_buf_clear(&p->buf);
    for (;;) {
        take_plain_line(p, true, false);
        if (!more(p) || *p->at != '\n' || p->st)
            break;
        fold(p);
        if (p->at < p->end && strchr(",[]{}#", *p->at))
            break;
    }
    trim_end(p);
    return text_node(p, false);
}

static hal_yaml *flow_entry(parser *p, bool map)
{
    hal_yaml *n = parse_flow(p);
    if (!n)
        return NULL;
    skip_all(p);
    if (peek(p, 0) != ':' || !more(p)) {
        if (map && n->kind != HAL_YAML_TEXT)
            return fail(p, "a key that is no text");
        if (map) { /* a key without a value */
            hal_buf_clear(&p->buf);
            char *empty = keep(p);
            if (!empty)
                return NULL;
            n->key = n->text;
            n->text = empty;
            n->quoted = false;
        }
        return n;
    }
    if (n->kind != HAL_YAML_TEXT)
        return fail(p, "a key that is no text");
    p->at++;
    skip_all(p);
    hal_yaml *value = NULL;
    if (strchr(",]}", peek(p, 0))) {
        hal_buf_clear(&p->buf);
        value = text_node(p, false);
    } else {
        value = parse_flow(p);
    }
    if (!value)
        return NULL;
    value->key = n->text;
    n->text = NULL; /* moved */
    if (map)
        return value;
    hal_yaml *pair = new_node(p, HAL_YAML_MAP); /* [a: b] */
    if (pair)
        pair->first = value;
    return pair;
}

static hal_yaml *parse_flow(parser *p)
{
    skip_all(p);
    skip_tag(p);
    skip_all(p);
    char open = peek(p, 0);
    if (open != '{' && open != '[')
        return flow_scalar(p);
    if (++p->depth > DEPTH_MAX)
        return fail(p, "nested too deep");
    p->at++;
    bool map = open == '{';
    hal_yaml *list = new_node(p, map ? HAL_YAML_MAP : HAL_YAML_LIST);
    hal_yaml **tail = list ? &list->first : NULL;
    while (list && !p->st) {
        skip_all(p);
        if (!more(p))
            return fail(p, "a bracket that is not closed");
        if (*p->at == (map ? '}' : ']')) {
            p->at++;
            p->depth--;
            return list;
        }
        hal_yaml *entry = flow_entry(p, map);
        if (!entry)
            return NULL;
        *tail = entry;
        tail = &entry->next;
        skip_all(p);
        if (peek(p, 0) == ',')
            p->at++;
        else if (peek(p, 0) != (map ? '}' : ']'))
            return fail(p, "a comma or a bracket is missing");
    }
    return NULL;
}

/* "|" and ">": the lines that are further right than `indent`. */
static hal_yaml *literal(parser *p, int indent)
{
    bool folded = *p->at == '>', strip = peek(p, 1) == '-', any = false;
    hal_buf_clear(&p->buf);
    while (more(p) && *p->at != '\n')
        p->at++;
    int own = -1;
    while (more(p) && !p->st) {
        char *line = p->at + 1, *q = line;
        while (q < p->end && *q == ' ')
            q++;
        int column = (int)(q - line);
        bool empty = q >= p->end || *q == '\n';
        if (!empty && column <= indent)
            break;
        if (own < 0 && !empty)
            own = column;
        if (any)
            put(p, folded && !empty ? " " : "\n", 1);
        any = true;
        char *stop = line < p->end ? memchr(line, '\n', (size_t)(p->end - line)) : NULL;
        if (!stop)
            stop = (char *)p->end;
        char *from = line + (own < column ? (own < 0 ? 0 : own) : column);
        if (!empty && from < stop)
            put(p, from, (size_t)(stop - from));
        p->at = stop;
        if (line >= p->end)
            break;
    }
    trim_end(p);
    if (!strip && any)
        put(p, "\n", 1);
    return text_node(p, true);
}

/* What stands behind "key:" or "- " on the rest of the line or below. */
static hal_yaml *parse_value(parser *p, int indent)
{
    skip_blanks(p);
    skip_tag(p);
    char c = peek(p, 0);
    if (c == '\n' || c == '#') {
        char *before = p->at;
        int column = next_line(p);
        bool list = column >= 0 && *p->at == '-' && is_break(peek(p, 1));
        if (column > indent || (column == indent && list))
            return parse_block(p, column);
        p->at = before;
        hal_buf_clear(&p->buf);
        return text_node(p, false);
    }
    if (c == '{' || c == '[' || c == '"' || c == '\'')
        return parse_flow(p);
    if (c == '|' || c == '>')
        return literal(p, indent);
    hal_buf_clear(&p->buf);
    for (;;) {
        take_plain_line(p, false, false);
        trim_end(p);
        char *before = p->at;
        if (p->st || next_line(p) <= indent) {
            p->at = before;
            break;
        }
        put(p, " ", 1);
    }
    return text_node(p, false);
}

static char *parse_key(parser *p)
{
    hal_buf_clear(&p->buf);
    if (*p->at == '"' || *p->at == '\'') {
        if (!take_quoted(p))
            return NULL;
        skip_blanks(p);
    } else {
        take_plain_line(p, false, true);
        trim_end(p);
    }
    if (!more(p) || *p->at != ':') {
        fail(p, "a key without \":\"");
        return NULL;
    }
    p->at++;
    return keep(p);
}

static hal_yaml *parse_block(parser *p, int indent)
{
    if (++p->depth > DEPTH_MAX)
        return fail(p, "nested too deep");
    bool list = *p->at == '-' && is_break(peek(p, 1));
    hal_yaml *node = new_node(p, list ? HAL_YAML_LIST : HAL_YAML_MAP);
    hal_yaml **tail = node ? &node->first : NULL;
    while (node && !p->st) {
        hal_yaml *entry = NULL;
        char *key = NULL;
        if (list) {
            *p->at++ = ' ';
            char *item = p->at;
            skip_blanks(p);
            bool inside = more(p) && *p->at != '\n' && !strchr("{[\"'|>!&#", *p->at);
            char *colon = p->at; /* a map that begins behind the dash */
            while (inside && colon < p->end && *colon != '\n' &&
                   !(*colon == ':' && (colon + 1 == p->end || is_break(colon[1]))))
                colon++;
            bool map = inside && colon < p->end && *colon == ':';
            bool dash = inside && *p->at == '-' && is_break(peek(p, 1));
            int column = indent + 1 + (int)(p->at - item);
            entry = map || dash ? parse_block(p, column) : parse_value(p, indent);
        } else {
            key = parse_key(p);
            entry = key ? parse_value(p, indent) : NULL;
        }
        if (!entry) {
            hal_free(key);
            return NULL;
        }
        entry->key = key;
        *tail = entry;
        tail = &entry->next;
        char *before = p->at;
        int column = next_line(p);
        bool dash = column >= 0 && *p->at == '-' && is_break(peek(p, 1));
        if (column > indent)
            return fail(p, "a line that is indented too far");
        if (column < indent || dash != list) {
            p->at = before;
            p->depth--;
            return node;
        }
    }
    return NULL;
}

hal_yaml *hal_yaml_parse(hal_slice text, hal_err *err)
{
    parser p = {.err = err};
    hal_buf_init(&p.buf, TEXT_MAX);
    p.text = text.size_bytes ? hal_strndup(text.data, text.size_bytes) : hal_strdup("");
    if (!p.text) {
        hal_err_nomem(err, text.size_bytes);
        return NULL;
    }
    p.at = p.text;
    p.end = p.text + text.size_bytes;
    int column = next_line(&p);
    if (column == 0 && p.end - p.at >= 3 && !memcmp(p.at, "---", 3) && is_break(peek(&p, 3))) {
        p.at += 3;
        column = next_line(&p);
    }
    hal_yaml *root = column < 0 ? new_node(&p, HAL_YAML_MAP) : parse_block(&p, column);
    if (root && next_line(&p) >= 0)
        root = fail(&p, "a line that belongs to nothing");
    if (root && root != p.nodes) { /* the root goes first, so that it frees all */
        hal_yaml *newest = p.nodes;
        hal_yaml **link = &newest;
        while (*link != root)
            link = &(*link)->older;
        *link = root->older;
        root->older = newest;
    }
    hal_buf_clear(&p.buf);
    hal_free(p.text);
    if (!root) {
        hal_yaml_free(p.nodes);
        if (!p.st)
            hal_err_nomem(err, sizeof *root);
    }
    return root;
}

void hal_yaml_free(hal_yaml *root)
{
    while (root) {
        hal_yaml *older = root->older;
        hal_free((char *)root->key);
        if (root->kind == HAL_YAML_TEXT)
            hal_free((char *)root->text);
        hal_free(root);
        root = older;
    }
}

const hal_yaml *hal_yaml_get(const hal_yaml *map, const char *key)
{
    for (const hal_yaml *n = map ? map->first : NULL; n; n = n->next) {
        if (n->key && !strcmp(n->key, key))
            return n;
        if (map->kind == HAL_YAML_LIST && n->kind == HAL_YAML_MAP && n->first && n->first->key &&
            !strcmp(n->first->key, key))
            return n->first;
    }
    return NULL;
}

const char *hal_yaml_text(const hal_yaml *map, const char *key)
{
    const hal_yaml *n = hal_yaml_get(map, key);
    bool null = !n || n->kind != HAL_YAML_TEXT ||
                (!n->quoted && (!*n->text || !strcmp(n->text, "null") || !strcmp(n->text, "~")));
    return null ? NULL : n->text;
}
