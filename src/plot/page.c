/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot/page.h"

#include "base/alloc.h"
#include "plot/colour.h"
#include "plot/outline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MARKS_MAX = 256, LABELLED_TILES_MAX = 120, TITLE_MAX = 400 };

static const hal_colour white = {1, 1, 1}, ink = {0.13, 0.13, 0.13}, unknown = {0.82, 0.82, 0.82},
                        border = {0.45, 0.45, 0.45}, red = {0.85, 0.05, 0.1};

typedef struct rect {
    double x, y, width, height;
} rect;

typedef struct page {
    const hal_cairo *c;
    cairo_t *cr;
    const hal_view *view;
    const hal_plot *plot;
    bool has_scale;
    hal_scale scale;
    bool has_outline;
    size_t n_missing, n_unknown, n_empty;
    rect mark[MARKS_MAX]; /* where labels are */
    size_t n_mark;
} page;

/* --- pens ------------------------------------------------------------------------------------- */

static void ink_of(const page *p, hal_colour colour, double alpha)
{
    if (alpha < 1)
        p->c->set_source_rgba(p->cr, colour.r, colour.g, colour.b, alpha);
    else
        p->c->set_source_rgb(p->cr, colour.r, colour.g, colour.b);
}

static void stroke(const page *p, hal_colour colour, double width)
{
    ink_of(p, colour, 1);
    p->c->set_line_width(p->cr, width);
    p->c->stroke(p->cr);
}

/* The border of the region, also visible in grey on tiles of any colour. */
static void stroke_on_white(const page *p)
{
    ink_of(p, white, 1);
    p->c->set_line_width(p->cr, 3.2);
    p->c->stroke_preserve(p->cr);
    stroke(p, red, 1.6);
}

static void draw_line(void *ctx, double x, double y, bool start)
{
    const page *p = ctx;
    if (start)
        p->c->move_to(p->cr, x, y);
    else
        p->c->line_to(p->cr, x, y);
}

static void draw_ring(void *ctx, double x, double y, bool start)
{
    const page *p = ctx;
    if (start)
        p->c->close_path(p->cr);
    draw_line(ctx, x, y, start);
}

static void frame_path(const page *p)
{
    const hal_view *v = p->view;
    p->c->new_path(p->cr);
    if (!v->all_sky) {
        p->c->rectangle(p->cr, v->left, v->top, v->right - v->left, v->bottom - v->top);
        return;
    }
    p->c->save(p->cr);
    p->c->translate(p->cr, v->cx, v->cy);
    p->c->scale(p->cr, (v->right - v->left) / 2, (v->bottom - v->top) / 2);
    p->c->arc(p->cr, 0, 0, 1, 0, 2 * 3.14159265358979323846);
    p->c->restore(p->cr);
    p->c->close_path(p->cr);
}

/* --- text ------------------------------------------------------------------------------------- */

static double text_width(const page *p, const char *text)
{
    cairo_text_extents_t e;
    p->c->text_extents(p->cr, text, &e);
    return e.x_advance;
}

/* Two fonts only: an SVG holds the glyphs of each. */
static void font(const page *p, double size, bool bold)
{
    p->c->select_font_face(p->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    p->c->set_font_size(p->cr, size);
}

static void put(const page *p, double x, double y, const char *text, hal_colour colour)
{
    ink_of(p, colour, 1);
    p->c->move_to(p->cr, x, y);
    p->c->show_text(p->cr, text);
}

/* A line from the left side of the page, cut with "..." where it is longer than the page. */
static void put_line(const page *p, double y, const char *text)
{
    char cut[TITLE_MAX];
    snprintf(cut, sizeof cut, "%s", text ? text : "");
    size_t n = strlen(cut);
    bool whole = !text || n == strlen(text);
    while (n > 4 && (!whole || text_width(p, cut) > HAL_VIEW_WIDTH - 2 * 40)) {
        n--;
        while (n > 4 && ((unsigned char)cut[n] & 0xc0) == 0x80)
            n--;
        memcpy(cut + n, "", 1);
        if (n + 4 < sizeof cut)
            snprintf(cut + n, sizeof cut - n, "...");
        whole = true;
    }
    put(p, 40, y, cut, ink);
}

/* A label whose middle is at (x, y), on a pale ground with `ground`; left out where it would cover
 * another. */
static void label(page *p, double x, double y, const char *text, hal_colour colour, bool ground)
{
    cairo_text_extents_t e;
    p->c->text_extents(p->cr, text, &e);
    rect r = {x - e.x_advance / 2 - 3, y - e.height / 2 - 3, e.x_advance + 6, e.height + 6};
    for (size_t i = 0; i < p->n_mark; i++) {
        const rect *m = &p->mark[i];
        if (r.x < m->x + m->width && m->x < r.x + r.width && r.y < m->y + m->height &&
            m->y < r.y + r.height)
            return;
    }
    if (p->n_mark == MARKS_MAX)
        return;
    p->mark[p->n_mark++] = r;
    if (ground) {
        ink_of(p, white, 0.7);
        p->c->rectangle(p->cr, r.x, r.y, r.width, r.height);
        p->c->fill(p->cr);
    }
    put(p, x - e.x_advance / 2, y - e.y_bearing - e.height / 2, text, colour);
}

/* 950, 12.3k, 4.56M */
static void short_number(char *out, size_t size, double n)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (n >= 999.5 && unit < 4) {
        n /= 1000;
        unit++;
    }
    int decimals = unit == 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
    snprintf(out, size, "%.*f%s", decimals, n, units[unit]);
}

/* --- tiles ------------------------------------------------------------------------------------ */

static hal_status find_scale(page *p, hal_err *err)
{
    size_t n = p->plot->n_tiles;
    double *values = hal_malloc((n + 1) * sizeof *values);
    if (!values)
        return hal_err_nomem(err, (n + 1) * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        const hal_plot_tile *t = &p->plot->tiles[i];
        values[i] = t->missing ? 0 : t->density_deg2;
        p->n_missing += t->missing;
        p->n_unknown += !t->missing && t->density_deg2 < 0;
        p->n_empty += !t->missing && t->density_deg2 == 0;
    }
    p->has_scale = hal_scale_of(&p->scale, values, n);
    hal_free(values);
    return HAL_OK;
}

enum { FILL_MISSING = -3, FILL_UNKNOWN = -2, FILL_EMPTY = -1 };

static int fill_of(const page *p, const hal_plot_tile *t)
{
    if (t->missing)
        return FILL_MISSING;
    return t->density_deg2 < 0 ? FILL_UNKNOWN : hal_scale_level(&p->scale, t->density_deg2);
}

static hal_colour fill_colour(int fill)
{
    return fill >= 0 ? hal_colour_of(fill) : fill == FILL_UNKNOWN ? unknown : white;
}

/* The line between tiles: dark on light ones, light on dark ones. */
static hal_colour line_colour(int fill)
{
    return fill > HAL_COLOUR_LEVELS / 3 ? (hal_colour){0.85, 0.85, 0.85}
                                        : (hal_colour){0.3, 0.3, 0.3};
}

static double tile_line(const page *p)
{
    double area = (p->view->right - p->view->left) * (p->view->bottom - p->view->top);
    double side = sqrt(area / (double)(p->plot->n_tiles + 1));
    return fmax(0.12, fmin(0.8, side / 40));
}

/* Tiles of one colour are one path: Cairo leaves no pale seams between them. */
static void draw_tiles(page *p)
{
    const hal_plot *plot = p->plot;
    p->c->set_fill_rule(p->cr, CAIRO_FILL_RULE_EVEN_ODD);
    for (int fill = FILL_MISSING; fill < HAL_COLOUR_LEVELS; fill++) {
        bool any = false;
        p->c->new_path(p->cr);
        for (size_t i = 0; i < plot->n_tiles; i++)
            if (fill_of(p, &plot->tiles[i]) == fill) {
                hal_view_tile(p->view, &plot->tiles[i].tile, draw_ring, p);
                p->c->close_path(p->cr);
                any = true;
            }
        if (!any)
            continue;
        ink_of(p, fill_colour(fill), 1);
        p->c->fill_preserve(p->cr);
        stroke(p, line_colour(fill), tile_line(p));
    }
}

static void hatch(const page *p, double left, double top, double right, double bottom)
{
    const double gap = 6;
    double height = bottom - top;
    for (double x = floor((left - height) / gap) * gap; x < right; x += gap) {
        p->c->move_to(p->cr, x, bottom);
        p->c->line_to(p->cr, x + height, top);
    }
    stroke(p, ink, 1.1);
}

static void draw_missing(page *p)
{
    const hal_view *v = p->view;
    for (int pass = 0; pass < 2; pass++) {
        p->c->new_path(p->cr);
        for (size_t i = 0; i < p->plot->n_tiles; i++)
            if (p->plot->tiles[i].missing) {
                hal_view_tile(v, &p->plot->tiles[i].tile, draw_ring, p);
                p->c->close_path(p->cr);
            }
        if (pass == 1) {
            stroke(p, ink, 1.2);
            break;
        }
        p->c->save(p->cr);
        p->c->clip(p->cr);
        hatch(p, v->left, v->top, v->right, v->bottom);
        p->c->restore(p->cr);
    }
}

/* Page position of the middle of a tile; its size there; false where it goes past the rim. */
static bool tile_middle(const page *p, const hal_tile *t, double *x, double *y, double *width,
                        double *height)
{
    double ra, dec, x1, y1, x2, y2, half = hal_tick_deg(t->width) / 2;
    hal_tile_centre(t, &ra, &dec);
    double dra = t->width == HAL_TICKS_CIRCLE ? 0 : hal_view_offset(p->view, ra);
    if (p->view->all_sky && fabs(dra) + half > 180)
        return false;
    hal_view_page(p->view, dra, dec, x, y);
    double side = fmin(half, 60); /* beyond, the other side of a pole is nearer */
    hal_view_page(p->view, dra - side, dec, &x1, &y1);
    hal_view_page(p->view, dra + side, dec, &x2, &y2);
    *width = hypot(x2 - x1, y2 - y1);
    hal_view_page(p->view, dra, hal_tick_deg(t->dec_lo), &x1, &y1);
    hal_view_page(p->view, dra, hal_tick_deg(t->dec_hi), &x2, &y2);
    *height = hypot(x2 - x1, y2 - y1);
    return true;
}

/* How many rows, in the tiles that have room for it. */
static void label_tiles(page *p)
{
    for (size_t i = 0; i < p->plot->n_tiles && p->plot->n_tiles <= LABELLED_TILES_MAX; i++) {
        const hal_plot_tile *t = &p->plot->tiles[i];
        char text[32];
        double x, y, width, height;
        if (t->missing || t->rows < 0 || !tile_middle(p, &t->tile, &x, &y, &width, &height))
            continue;
        short_number(text, sizeof text, t->rows);
        if (fmin(width, height) < 18 || fmax(width, height) < text_width(p, text) + 6)
            continue;
        int fill = fill_of(p, t);
        label(p, x, y, text, fill > HAL_COLOUR_LEVELS / 3 ? white : ink, false);
    }
}

/* --- graticule -------------------------------------------------------------------------------- */

static double nice_step(double least)
{
    static const double steps[] = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                                   0.02,   0.05,   0.1,    0.2,   0.5,   1,     2,
                                   5,      10,     15,     30,    45,    60,    90};
    size_t i = 0;
    while (i + 1 < sizeof steps / sizeof *steps && steps[i] < least)
        i++;
    return steps[i];
}

static void degrees_text(char *out, size_t size, double value, double step, bool sign)
{
    int decimals = step >= 0.999 ? 0 : (int)ceil(-log10(step) - 1e-9);
    bool plus = sign && value > step / 2;
    snprintf(out, size, "%s%.*f\u00b0", plus ? "+" : "", decimals,
             fabs(value) < step / 2 ? 0.0 : value);
}

static void draw_all_sky_lines(page *p, bool labels)
{
    const hal_view *v = p->view;
    char text[32];
    double x, y;
    for (int dec = -60; dec <= 60; dec += 30) {
        hal_view_page(v, 180, dec, &x, &y);
        if (labels) {
            degrees_text(text, sizeof text, dec, 1, true);
            label(p, x - 10 - text_width(p, text) / 2, y, text, ink, false);
            continue;
        }
        p->c->move_to(p->cr, x, y);
        hal_view_page(v, -180, dec, &x, &y);
        p->c->line_to(p->cr, x, y);
    }
    for (int dra = -150; dra <= 150; dra += 30) {
        if (labels) {
            hal_view_page(v, dra, 0, &x, &y);
            degrees_text(text, sizeof text, fmod(v->ra_deg + dra + 360, 360), 1, false);
            label(p, x, y, text, ink, true);
            continue;
        }
        for (int dec = -90; dec <= 90; dec += 3) {
            hal_view_page(v, dra, dec, &x, &y);
            draw_line(p, x, y, dec == -90);
        }
    }
}

/* What a local map shows: ranges of dec and of degrees east of the middle, from its frame. */
typedef struct ranges {
    double dec_lo, dec_hi, dra_lo, dra_hi;
} ranges;

static ranges seen(const hal_view *v)
{
    enum { N = 60 };
    ranges r = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int j = 0; j <= N; j++)
        for (int i = 0; i <= N; i++) {
            double ra, dec;
            (void)hal_view_sky(v, v->left + (v->right - v->left) * i / N,
                               v->top + (v->bottom - v->top) * j / N, &ra, &dec);
            double dra = hal_view_offset(v, ra);
            r = (ranges){fmin(r.dec_lo, dec), fmax(r.dec_hi, dec), fmin(r.dra_lo, dra),
                         fmax(r.dra_hi, dra)};
        }
    for (int pole = -90; pole <= 90; pole += 180) {
        double x, y;
        if (fabs(pole - v->dec_deg) > 89)
            continue;
        hal_view_page(v, 0, pole, &x, &y);
        if (x < v->left || x > v->right || y < v->top || y > v->bottom)
            continue;
        r.dec_lo = fmin(r.dec_lo, pole);
        r.dec_hi = fmax(r.dec_hi, pole);
        r.dra_lo = -180;
        r.dra_hi = 179.999;
    }
    return r;
}

/* One line of the graticule, along ra or dec; with `text` only its label: where it leaves the frame
 * at the bottom (ra) or on the left (dec), else at the other side, else on the line itself. */
static void local_line(page *p, bool meridian, double value, double from, double to,
                       const char *text)
{
    enum { N = 72 };
    const hal_view *v = p->view;
    double x0 = 0, y0 = 0, far_x = NAN, far_y = NAN;
    for (int i = 0; i <= N; i++) {
        double along = from + (to - from) * i / N, x, y;
        hal_view_page(v, meridian ? value : along, meridian ? along : value, &x, &y);
        if (!text) {
            draw_line(p, x, y, i == 0);
        } else if (i > 0) {
            double a = meridian ? y0 : x0, b = meridian ? y : x;
            double near = meridian ? v->bottom : v->left, off = meridian ? v->top : v->right;
            for (int side = 0; side < 2; side++) {
                double edge = side ? off : near;
                if ((a < edge) == (b < edge))
                    continue;
                double t = (edge - a) / (b - a), cx = x0 + t * (x - x0), cy = y0 + t * (y - y0);
                if (meridian ? cx < v->left || cx > v->right : cy < v->top || cy > v->bottom)
                    continue;
                if (side) {
                    far_x = cx;
                    far_y = cy;
                } else {
                    double half = text_width(p, text) / 2;
                    label(p, meridian ? cx : cx - 8 - half, meridian ? cy + 13 : cy, text, ink,
                          false);
                    return;
                }
            }
        }
        x0 = x;
        y0 = y;
    }
    if (!text)
        return;
    if (!isnan(far_x)) {
        double half = text_width(p, text) / 2;
        label(p, meridian ? far_x : far_x + 8 + half, meridian ? far_y - 11 : far_y, text, ink,
              false);
        return;
    }
    double x, y;
    hal_view_page(v, meridian ? value : 0, meridian ? (from + to) / 2 : value, &x, &y);
    if (x > v->left && x < v->right && y > v->top && y < v->bottom)
        label(p, x, y, text, ink, true);
}

static void draw_local_lines(page *p, bool labels)
{
    const hal_view *v = p->view;
    ranges r = seen(v);
    double deg = 57.29577951308232, step = nice_step((v->bottom - v->top) / v->scale * deg / 6);
    double far = fmin(80, fmax(fabs(r.dec_lo), fabs(r.dec_hi)));
    double ra_step = nice_step((v->right - v->left) / v->scale * deg / 7 / cos(far / deg));
    bool pole = r.dra_hi - r.dra_lo > 359;
    if (pole)
        ra_step = 30;
    char text[32];
    for (double k = ceil(r.dec_lo / step); k * step <= r.dec_hi; k++) {
        if (fabs(k * step) > 89.9999)
            continue;
        degrees_text(text, sizeof text, k * step, step, true);
        local_line(p, false, k * step, r.dra_lo, r.dra_hi, labels ? text : NULL);
    }
    double west = v->ra_deg + r.dra_lo, east = v->ra_deg + r.dra_hi;
    for (double k = ceil(west / ra_step); k * ra_step <= east; k++) {
        double ra = fmod(k * ra_step + 720, 360);
        degrees_text(text, sizeof text, ra, ra_step, false);
        local_line(p, true, k * ra_step - v->ra_deg, r.dec_lo, r.dec_hi, labels ? text : NULL);
    }
}

static void draw_lines(page *p, bool labels)
{
    if (p->view->all_sky)
        draw_all_sky_lines(p, labels);
    else
        draw_local_lines(p, labels);
}

/* --- round the map ---------------------------------------------------------------------------- */

static void draw_bar(page *p)
{
    const double x = 62, width = 400, y = p->view->bottom + 62, height = 14;
    put(p, x, y - 8, p->plot->scale ? p->plot->scale : "", ink);
    for (int i = 0; i < HAL_COLOUR_LEVELS; i += 2) {
        double left = x + width * i / HAL_COLOUR_LEVELS;
        ink_of(p, hal_colour_of(i), 1); /* each reaches below the next: no seams */
        p->c->rectangle(p->cr, left, y, x + width - left, height);
        p->c->fill(p->cr);
    }
    p->c->rectangle(p->cr, x, y, width, height);
    stroke(p, border, 0.8);
    double span = log(p->scale.hi / p->scale.lo);
    bool only_tens = span > 2.2 * log(10);
    for (double v = hal_scale_tick(p->scale.lo, only_tens); v <= p->scale.hi * (1 + 1e-9);
         v = hal_scale_tick(v * 1.01, only_tens)) {
        double at = x + width * log(v / p->scale.lo) / span;
        p->c->move_to(p->cr, at, y + height);
        p->c->line_to(p->cr, at, y + height + 4);
        stroke(p, ink, 0.8);
        char text[32];
        if (v < 1)
            snprintf(text, sizeof text, "%g", v);
        else if (v < 1000)
            snprintf(text, sizeof text, "%.0f", v);
        else {
            static const char *const units[] = {"", "k", "M", "G", "T"};
            size_t unit = (size_t)fmin(4, floor(log10(v * 1.0001) / 3));
            snprintf(text, sizeof text, "%.0f%s", v / pow(1000, (double)unit), units[unit]);
        }
        label(p, at, y + height + 12, text, ink, false);
    }
}

static void legend_entry(page *p, double *y, int fill, const char *what, size_t n)
{
    const double x = 520, width = 26, height = 13;
    char text[96];
    p->c->rectangle(p->cr, x, *y, width, height);
    ink_of(p, fill_colour(fill), 1);
    p->c->fill_preserve(p->cr);
    if (fill == FILL_MISSING) {
        p->c->save(p->cr);
        p->c->clip(p->cr);
        hatch(p, x, *y, x + width, *y + height);
        p->c->restore(p->cr);
        p->c->rectangle(p->cr, x, *y, width, height);
    }
    stroke(p, fill == FILL_MISSING ? ink : border, 0.8);
    snprintf(text, sizeof text, "%s (%zu tile%s)", what, n, n == 1 ? "" : "s");
    put(p, x + width + 8, *y + height - 2.5, text, ink);
    *y += 19;
}

static void draw_legend(page *p)
{
    double y = p->view->bottom + 42;
    if (p->has_outline) {
        p->c->move_to(p->cr, 520, y + 6.5);
        p->c->line_to(p->cr, 546, y + 6.5);
        stroke_on_white(p);
        put(p, 554, y + 10.5, "border of the region", ink);
        y += 19;
    }
    if (p->n_missing > 0)
        legend_entry(p, &y, FILL_MISSING, "not fetched", p->n_missing);
    if (p->n_unknown > 0)
        legend_entry(p, &y, FILL_UNKNOWN, "no prediction", p->n_unknown);
    if (p->n_empty > 0)
        legend_entry(p, &y, FILL_EMPTY, "no rows", p->n_empty);
}

typedef struct outline_pen {
    page *page;
    size_t n;
} outline_pen;

static void outline_point(void *ctx, double x, double y, bool start)
{
    outline_pen *pen = ctx;
    pen->n++;
    draw_line(pen->page, x, y, start);
}

static hal_status draw_outline(page *p, hal_err *err)
{
    outline_pen pen = {p, 0};
    p->c->new_path(p->cr);
    hal_status st = hal_outline(p->view, p->plot->region, outline_point, &pen, err);
    p->has_outline = pen.n > 0;
    stroke_on_white(p);
    return st;
}

static void soft_font(const page *p)
{
    /* Text that is the same in all forms: no fitting to pixels. */
    cairo_font_options_t *o = p->c->font_options_create();
    p->c->font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    p->c->font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    p->c->font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    p->c->set_font_options(p->cr, o);
    p->c->font_options_destroy(o);
}

static hal_status draw_map(page *p, hal_err *err)
{
    frame_path(p);
    ink_of(p, (hal_colour){0.96, 0.96, 0.97}, 1);
    p->c->fill(p->cr);
    p->c->save(p->cr);
    frame_path(p);
    p->c->clip(p->cr);
    draw_tiles(p);
    if (p->n_missing > 0)
        draw_missing(p);
    p->c->new_path(p->cr);
    draw_lines(p, false);
    ink_of(p, ink, 0.35);
    p->c->set_line_width(p->cr, 0.5);
    p->c->stroke(p->cr);
    hal_status st = draw_outline(p, err);
    p->c->restore(p->cr);
    frame_path(p);
    stroke(p, ink, 1);
    return st;
}

hal_status hal_page_draw(const hal_cairo *c, cairo_t *cr, const hal_view *view,
                         const hal_plot *plot, hal_err *err)
{
    page p = {.c = c, .cr = cr, .view = view, .plot = plot};
    hal_status st = find_scale(&p, err);
    if (st)
        return st;
    c->set_source_rgb(cr, 1, 1, 1);
    c->paint(cr);
    c->set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    soft_font(&p);
    font(&p, 18, true);
    put_line(&p, 36, plot->title);
    font(&p, 12, false);
    put_line(&p, 57, plot->notes[0]);
    put_line(&p, 75, plot->notes[1]);
    st = draw_map(&p, err);
    draw_lines(&p, true);
    label_tiles(&p);
    if (p.has_scale)
        draw_bar(&p);
    draw_legend(&p);
    return st;
}
