/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/answer_words.h"

#include "data/json.h"
#include "data/reader.h"

#include <stdio.h>
#include <strings.h>

enum { PLACE_MAX = 120 };

/* --- One clean line -----------------------------------------------------------------------------
 */

typedef struct line {
    char *out;
    size_t n, size;
    bool blank, cut; /* a blank is owed; something did not fit */
} line;

static void put(line *l, const char *bytes, size_t n)
{
    if (l->n + l->blank + n >= l->size)
        l->cut = true;
    if (l->cut)
        return;
    if (l->blank && l->n)
        l->out[l->n++] = ' ';
    l->blank = false;
    memcpy(l->out + l->n, bytes, n);
    l->n += n;
}

/* The end of a cut line: "..." behind a whole character. */
static void end_line(line *l)
{
    if (l->cut && l->size > 4) {
        if (l->n > l->size - 4) {
            l->n = l->size - 4;
            while (l->n && ((unsigned char)l->out[l->n] & 0xc0) == 0x80)
                l->n--;
        }
        memcpy(l->out + l->n, "...", 3);
        l->n += 3;
    }
    l->out[l->n] = '\0';
}

/* Controls (C1 too), marks without width and those that turn the direction of writing. */
static bool is_invisible(const char *p, size_t n)
{
    const unsigned char *c = (const unsigned char *)p;
    if (n == 2)
        return c[0] == 0xc2 && c[1] < 0xa0;
    return n == 3 && c[0] == 0xe2 &&
           ((c[1] == 0x80 && ((c[2] >= 0x8b && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
            (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

static void put_text(line *l, hal_slice text)
{
    const char *p = text.data, *end = p + text.size_bytes;
    const char *wrong = p ? hal_json_wrong_utf8(p, end) : NULL;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (p == wrong) {
            put(l, "?", 1);
            wrong = hal_json_wrong_utf8(++p, end);
            continue;
        }
        if (c <= ' ' || c == 0x7f)
            l->blank = true;
        else if (!is_invisible(p, n))
            put(l, p, n);
        p += n;
    }
}

void hal_clean_line(char *out, size_t size, hal_slice text)
{
    line l = {out, 0, size, false, false};
    put_text(&l, text);
    end_line(&l);
}

/* --- Pages and XML ------------------------------------------------------------------------------
 */

static bool begins(hal_slice text, const char *word)
{
    size_t n = strlen(word);
    return text.size_bytes >= n && !strncasecmp(text.data, word, n);
}

static hal_slice behind(hal_slice text, size_t n)
{
    return (hal_slice){text.data + n, text.size_bytes - n};
}

/* From the first `word` on; empty: it is not there. */
static hal_slice find(hal_slice text, const char *word)
{
    while (text.size_bytes && !begins(text, word))
        text = behind(text, 1);
    return text;
}

static hal_slice skip_blanks(hal_slice text)
{
    while (text.size_bytes && (unsigned char)*text.data <= ' ')
        text = behind(text, 1);
    return text;
}

hal_slice hal_page_title(hal_slice page)
{
    hal_slice from = find(page, "<title");
    const char *open = from.size_bytes ? memchr(from.data, '>', from.size_bytes) : NULL;
    if (!open)
        return (hal_slice){"", 0};
    from = skip_blanks(behind(from, (size_t)(open + 1 - from.data)));
    const char *close = from.size_bytes ? memchr(from.data, '<', from.size_bytes) : NULL;
    if (!close)
        return (hal_slice){"", 0};
    while (close > from.data && (unsigned char)close[-1] <= ' ')
        close--;
    return (hal_slice){from.data, (size_t)(close - from.data)};
}

/* Text in which references stand for characters. */
static void put_decoded(line *l, hal_slice text)
{
    static const struct {
        const char *name, *is;
    } references[] = {{"&lt;", "<"},  {"&gt;", ">"},   {"&quot;", "\""}, {"&apos;", "'"},
                      {"&#39;", "'"}, {"&nbsp;", " "}, {"&amp;", "&"}};
    while (text.size_bytes) {
        const char *amp = memchr(text.data, '&', text.size_bytes);
        size_t n = amp ? (size_t)(amp - text.data) : text.size_bytes;
        put_text(l, (hal_slice){text.data, n});
        text = behind(text, n);
        size_t i = 0, n_references = sizeof references / sizeof *references;
        while (i < n_references && !begins(text, references[i].name))
            i++;
        if (i < n_references)
            put_text(l, hal_slice_of(references[i].is));
        else if (text.size_bytes)
            put_text(l, (hal_slice){text.data, 1});
        if (text.size_bytes)
            text = behind(text, i < n_references ? strlen(references[i].name) : 1);
    }
}

/* What stands between the tags, without scripts and styles. */
static void put_untagged(line *l, hal_slice text)
{
    while (text.size_bytes) {
        const char *tag = memchr(text.data, '<', text.size_bytes);
        size_t n = tag ? (size_t)(tag - text.data) : text.size_bytes;
        put_decoded(l, (hal_slice){text.data, n});
        text = behind(text, n);
        const char *end = begins(text, "<!--")        ? "-->"
                          : begins(text, "<![CDATA[") ? "["
                          : begins(text, "<script")   ? "</script>"
                          : begins(text, "<style")    ? "</style>"
                                                      : ">";
        bool cdata = *end == '[';
        text = cdata ? behind(text, 9) : find(text, end);
        if (!cdata && text.size_bytes)
            text = behind(text, strlen(end));
        l->blank = l->blank || !cdata;
    }
}

/* The root element, in `name` without its prefix; false: no root is seen. */
static bool root_of(hal_slice text, hal_slice *name)
{
    while ((text = find(text, "<")).size_bytes) {
        bool comment = begins(text, "<!--");
        if (!comment && !begins(text, "<?") && !begins(text, "<!"))
            break;
        text = find(text, comment ? "-->" : ">");
    }
    if (!text.size_bytes)
        return false;
    text = behind(text, 1);
    size_t n = 0;
    while (n < text.size_bytes && !strchr(" \t\r\n/>", text.data[n]))
        if (text.data[n++] == ':') {
            text = behind(text, n);
            n = 0;
        }
    *name = (hal_slice){text.data, n};
    return true;
}

/* False: the document does not say that it is about an error. */
static bool put_votable(line *l, hal_slice body)
{
    hal_reader *r = hal_reader_new(HAL_FORMAT_VOTABLE, NULL, NULL);
    hal_answer answer = {.status = HAL_ANSWER_COMPLETE};
    hal_table *t = NULL;
    bool read = r && !hal_reader_feed(r, body.data, body.size_bytes, NULL) &&
                !hal_reader_finish(r, &answer, &t, NULL);
    hal_reader_free(r);
    hal_table_unref(t);
    if (!read || answer.status != HAL_ANSWER_ERROR)
        return false;
    put_text(l, hal_slice_of(answer.message));
    return true;
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static bool is_one_of(hal_slice key, const char *const *words)
{
    for (; *words; words++)
        if (key.size_bytes == strlen(*words) && !strncasecmp(key.data, *words, key.size_bytes))
            return true;
    return false;
}

typedef struct json_words {
    line *l;
    bool says[HAL_JSON_DEPTH_MAX + 1], places[HAL_JSON_DEPTH_MAX + 1]; /* what a value there is */
    char place[PLACE_MAX];
    bool any;
} json_words;

/* The key counts for its value and, through arrays, for what they hold. */
static void take_key(json_words *w, int depth, hal_slice key)
{
    static const char *const words[] = {"message", "msg",   "errormessage", "error_description",
                                        "detail",  "error", "errors",       NULL};
    static const char *const places[] = {"loc", NULL}; /* of a list of rejected parameters */
    w->says[depth] = is_one_of(key, words);
    w->places[depth] = is_one_of(key, places);
}

static void take_value(json_words *w, int depth, hal_slice text, bool is_text)
{
    if (w->places[depth]) {
        size_t n = strlen(w->place);
        snprintf(w->place + n, sizeof w->place - n, "%s%.*s", n ? "." : "", (int)text.size_bytes,
                 text.data);
    } else if (w->says[depth] && is_text && text.size_bytes) {
        if (w->any)
            put(w->l, ";", 1);
        w->l->blank = w->any;
        if (w->place[0]) {
            put_text(w->l, hal_slice_of(w->place));
            put(w->l, ":", 1);
            w->l->blank = true;
        }
        w->place[0] = '\0';
        put_text(w->l, text);
        w->any = true;
    }
}

static bool put_json(line *l, hal_slice body)
{
    hal_json j;
    json_words w = {.l = l, .says = {[0] = true}};
    size_t used = 0;
    hal_json_event event = HAL_JSON_MORE;
    hal_json_init(&j, 0);
    bool good = !hal_json_feed(&j, body.data, body.size_bytes, &used, NULL);
    while (good && !hal_json_next(&j, &event, NULL) && event != HAL_JSON_MORE) {
        int depth = j.depth;
        switch (event) {
        case HAL_JSON_ARRAY:
            w.says[depth] = w.says[depth - 1];
            w.places[depth] = w.places[depth - 1];
            break;
        case HAL_JSON_OBJECT:
            w.says[depth] = w.places[depth] = false;
            break;
        case HAL_JSON_KEY:
            take_key(&w, depth, j.text);
            break;
        case HAL_JSON_STRING:
            take_value(&w, depth, j.text, true);
            break;
        case HAL_JSON_INT:
            take_value(&w, depth, j.text, false);
            break;
        default:
            break;
        }
    }
    hal_json_clear(&j);
    return w.any;
}

/* --- All kinds ----------------------------------------------------------------------------------
 */

void hal_answer_words(char *out, size_t size, hal_slice body)
{
    line l = {out, 0, size, false, false};
    if (begins(body, "\xef\xbb\xbf"))
        body = behind(body, 3);
    body = skip_blanks(body);
    char first = body.size_bytes ? *body.data : '\0';
    hal_slice root = {"", 0};
    if (first == '<' && root_of(body, &root)) {
        bool page = hal_slice_equals(root, hal_slice_of("html")) ||
                    hal_slice_equals(root, hal_slice_of("HTML"));
        hal_slice title = page ? hal_page_title(body) : (hal_slice){"", 0};
        if (title.size_bytes)
            put_decoded(&l, title);
        else if (!hal_slice_equals(root, hal_slice_of("VOTABLE")) || !put_votable(&l, body))
            put_untagged(&l, body);
    } else if (!((first == '{' || first == '[' || first == '"') && put_json(&l, body))) {
        put_text(&l, body);
    }
    end_line(&l);
}
