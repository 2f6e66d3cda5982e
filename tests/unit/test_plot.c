/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of tiles, by what is read back from them: pixels at places of the sky, XML, bytes. */
#include "plot/plot.h"

#include "base/alloc.h"
#include "plot/colour.h"
#include "plot/outline.h"
#include "plot/view.h"
#include "sky/angle.h"

#include <cairo.h>
#include <expat.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TILES_MAX = 12000, FILE_MAX = 64 << 20 };
#define DEG (3.14159265358979323846 / 180)

static hal_plot_tile tiles[TILES_MAX];

static hal_region *region_of(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_parse(hal_slice_of(text), &err);
    if (!r)
        fail_msg("%s", err.text);
    return r;
}

static void cut(hal_plot *p, hal_tile t, int n)
{
    hal_tile child[2];
    if (!hal_region_may_touch(p->region, &t, 0))
        return;
    if (n > 1 && hal_tile_cut(&t, 2, 1000, child)) {
        cut(p, child[0], n / 2);
        cut(p, child[1], n - n / 2);
        return;
    }
    assert_true(p->n_tiles < TILES_MAX);
    tiles[p->n_tiles] = (hal_plot_tile){t, -1, 100 * pow(1.7, (double)(p->n_tiles % 11)), false};
    p->n_tiles++;
}

/* About `n` tiles of eleven densities; the caller releases the region. */
static hal_plot plot_of(const char *region, int n)
{
    hal_plot p = {.title = "Gaia DR3: plan",
                  .notes = {region, "tiles so far: 4; rows: 61234 (counted)"},
                  .scale = "rows per square degree, as predicted",
                  .region = region_of(region),
                  .tiles = tiles};
    cut(&p, hal_region_tile(p.region), n);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_plot_measure(tiles, p.n_tiles, p.region, &err), HAL_OK);
    return p;
}

static hal_buf drawn(const hal_plot *p, hal_plot_form form)
{
    hal_buf out;
    hal_buf_init(&out, FILE_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_plot_draw(p, form, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

/* --- pixels ----------------------------------------------------------------------------------- */

static cairo_status_t give(void *ctx, unsigned char *to, unsigned n)
{
    hal_slice *left = ctx;
    if (left->size_bytes < n)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(to, left->data, n);
    left->data += n;
    left->size_bytes -= n;
    return CAIRO_STATUS_SUCCESS;
}

static cairo_surface_t *picture(const hal_plot *p)
{
    hal_buf png = drawn(p, HAL_PLOT_PNG);
    hal_slice left = hal_buf_slice(&png);
    cairo_surface_t *s = cairo_image_surface_create_from_png_stream(give, &left);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    hal_buf_clear(&png);
    return s;
}

static hal_colour pixel_at(cairo_surface_t *s, double x, double y)
{
    int i = (int)(x * HAL_PLOT_PIXELS), j = (int)(y * HAL_PLOT_PIXELS);
    assert_true(i >= 0 && i < cairo_image_surface_get_width(s));
    assert_true(j >= 0 && j < cairo_image_surface_get_height(s));
    const unsigned char *row =
        cairo_image_surface_get_data(s) + (ptrdiff_t)j * cairo_image_surface_get_stride(s);
    uint32_t v;
    memcpy(&v, row + 4 * i, 4);
    return (hal_colour){(v >> 16 & 255) / 255.0, (v >> 8 & 255) / 255.0, (v & 255) / 255.0};
}

static bool is_near(hal_colour a, hal_colour b)
{
    return fabs(a.r - b.r) < 0.02 && fabs(a.g - b.g) < 0.02 && fabs(a.b - b.b) < 0.02;
}

enum { GRID = 6 };

/* Of GRID * GRID places in the tile, how many have that colour; not in line with full degrees. */
static int pixels_of(cairo_surface_t *s, const hal_view *v, const hal_tile *t, hal_colour colour)
{
    int n = 0;
    double lo = hal_tick_deg(t->dec_lo), hi = hal_tick_deg(t->dec_hi);
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++) {
            double x, y, ra = hal_tick_deg(t->ra) + hal_tick_deg(t->width) * (i + 0.41) / GRID;
            hal_view_page(v, hal_view_offset(v, ra), lo + (hi - lo) * (j + 0.5) / GRID, &x, &y);
            n += is_near(pixel_at(s, x, y), colour);
        }
    return n;
}

static void tiles_have_their_colours(const char *region, int n)
{
    hal_plot p = plot_of(region, n);
    double density[TILES_MAX];
    for (size_t i = 0; i < p.n_tiles; i++)
        density[i] = tiles[i].density_deg2;
    hal_scale scale;
    assert_true(hal_scale_of(&scale, density, p.n_tiles));
    hal_view v = hal_view_of(&p);
    cairo_surface_t *s = picture(&p);
    for (size_t i = 0; i < p.n_tiles; i++) {
        hal_colour colour = hal_colour_of(hal_scale_level(&scale, density[i]));
        int found = pixels_of(s, &v, &tiles[i].tile, colour); /* the rest: lines and labels */
        if (found < GRID * GRID / 2)
            fail_msg("%s: tile %zu of %zu, only %d places", region, i, p.n_tiles, found);
    }
    cairo_surface_destroy(s);
    hal_region_unref(p.region);
}

static void each_place_has_the_colour_of_its_tile(void **state)
{
    (void)state;
    tiles_have_their_colours("CIRCLE 201.7 -47.5 2", 1);
    tiles_have_their_colours("CIRCLE 201.7 -47.5 2", 30);
    tiles_have_their_colours("CIRCLE 0.5 10 5", 40); /* across ra 0 */
    tiles_have_their_colours("CIRCLE 40 88 7", 30);  /* round a pole */
    tiles_have_their_colours("CIRCLE 40 -90 0.01", 12);
    tiles_have_their_colours("RANGE 350 10 -20 25", 20);
    tiles_have_their_colours("ALL", 1);
    tiles_have_their_colours("ALL", 100);
    tiles_have_their_colours("CIRCLE 180 20 60", 50); /* all-sky map turned to ra 180 */
    tiles_have_their_colours("UNION (CIRCLE 350 20 20 CIRCLE 100 -60 30)", 60);
}

static void ten_thousand_tiles_are_still_told_apart(void **state)
{
    (void)state;
    hal_plot p = plot_of("ALL", 10000);
    assert_int_equal(p.n_tiles, 10000);
    double density[TILES_MAX];
    for (size_t i = 0; i < p.n_tiles; i++)
        density[i] = tiles[i].density_deg2;
    hal_scale scale;
    assert_true(hal_scale_of(&scale, density, p.n_tiles));
    hal_view v = hal_view_of(&p);
    cairo_surface_t *s = picture(&p);
    int right = 0;
    for (size_t i = 0; i < p.n_tiles; i++) {
        double ra, dec, x, y;
        hal_tile_centre(&tiles[i].tile, &ra, &dec);
        hal_view_page(&v, hal_view_offset(&v, ra), dec, &x, &y);
        right += is_near(pixel_at(s, x, y), hal_colour_of(hal_scale_level(&scale, density[i])));
    }
    assert_true(right >
                (int)p.n_tiles * 9 / 10); /* the rest: labels, lines, the flat tiles at the poles */
    cairo_surface_destroy(s);
    hal_region_unref(p.region);
}

static void a_missing_tile_is_hatched_black_on_white(void **state)
{
    (void)state;
    const char *const regions[] = {"CIRCLE 201.7 -47.5 2", "ALL", "CIRCLE 0 90 3"};
    for (size_t k = 0; k < 3; k++) {
        hal_plot p = plot_of(regions[k], 12);
        size_t i = p.n_tiles / 2;
        tiles[i] = (hal_plot_tile){tiles[i].tile, -1, -1, true};
        hal_view v = hal_view_of(&p);
        cairo_surface_t *s = picture(&p);
        int white = 0, black = 0, grey = 0;
        double lo = hal_tick_deg(tiles[i].tile.dec_lo), hi = hal_tick_deg(tiles[i].tile.dec_hi);
        for (int a = 1; a < 100; a++)
            for (int b = 1; b < 100; b++) {
                double ra =
                    hal_tick_deg(tiles[i].tile.ra) + hal_tick_deg(tiles[i].tile.width) * a / 100;
                double x, y;
                hal_view_page(&v, hal_view_offset(&v, ra), lo + (hi - lo) * b / 100, &x, &y);
                hal_colour c = pixel_at(s, x, y);
                white += c.r + c.g + c.b > 2.9;
                black += c.r + c.g + c.b < 0.7;
                grey += fabs(c.r - c.g) < 0.03 && fabs(c.g - c.b) < 0.03;
            }
        assert_true(white > 2500 && black > 1000);
        assert_true(grey > 9000); /* but for the border of the region no colour */
        cairo_surface_destroy(s);
        hal_region_unref(p.region);
    }
}

static void tiles_without_prediction_are_grey_and_without_rows_white(void **state)
{
    (void)state;
    hal_plot p = plot_of("RANGE 10 30 -5 5", 8);
    tiles[2].density_deg2 = tiles[2].rows = -1;
    tiles[5].density_deg2 = tiles[5].rows = 0;
    hal_view v = hal_view_of(&p);
    cairo_surface_t *s = picture(&p);
    assert_true(pixels_of(s, &v, &tiles[2].tile, (hal_colour){0.82, 0.82, 0.82}) > 18);
    assert_true(pixels_of(s, &v, &tiles[5].tile, (hal_colour){1, 1, 1}) > 18);
    cairo_surface_destroy(s);
    hal_region_unref(p.region);
}

/* --- files ------------------------------------------------------------------------------------ */

static void an_svg_is_well_formed_xml(void **state)
{
    (void)state;
    hal_plot p = plot_of("CIRCLE 201.7 -47.5 2", 30);
    p.title = "a < b & \"c\" \xce\xb1 Centauri";
    tiles[3].missing = true;
    hal_buf svg = drawn(&p, HAL_PLOT_SVG);
    XML_Parser parser = XML_ParserCreate(NULL);
    assert_int_equal(XML_Parse(parser, svg.data, (int)svg.size_bytes, 1), XML_STATUS_OK);
    XML_ParserFree(parser);
    assert_non_null(strstr(svg.data, "<svg "));
    hal_buf_clear(&svg);
    hal_region_unref(p.region);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    for (int form = HAL_PLOT_SVG; form <= HAL_PLOT_PDF; form++) {
        hal_plot p = plot_of("CIRCLE 201.7 -47.5 2", 30);
        hal_buf first = drawn(&p, (hal_plot_form)form);
        hal_plot other = {.title = "another", .region = p.region};
        hal_buf between = drawn(&other, HAL_PLOT_SVG);
        hal_buf again = drawn(&p, (hal_plot_form)form);
        assert_int_equal(first.size_bytes, again.size_bytes);
        assert_memory_equal(first.data, again.data, first.size_bytes);
        hal_buf_clear(&first);
        hal_buf_clear(&between);
        hal_buf_clear(&again);
        hal_region_unref(p.region);
    }
}

static void a_pdf_has_no_date(void **state)
{
    (void)state;
    hal_plot p = plot_of("ALL", 3);
    hal_buf pdf = drawn(&p, HAL_PLOT_PDF);
    assert_memory_equal(pdf.data, "%PDF-", 5);
    for (size_t i = 0; i + 4 < pdf.size_bytes; i++)
        assert_true(memcmp(pdf.data + i, "Date", 4) != 0);
    hal_buf_clear(&pdf);
    hal_region_unref(p.region);
}

static void the_ending_chooses_the_form(void **state)
{
    (void)state;
    hal_plot_form form = HAL_PLOT_SVG;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_plot_form_of_path(&form, "a.b/plan.PNG", &err), HAL_OK);
    assert_int_equal(form, HAL_PLOT_PNG);
    assert_int_equal(hal_plot_form_of_path(&form, "plan.pdf", &err), HAL_OK);
    assert_int_equal(form, HAL_PLOT_PDF);
    assert_int_equal(hal_plot_form_of_path(&form, "plan.gif", &err), HAL_E_USAGE);
    assert_non_null(strstr(err.text, ".svg, .png or .pdf"));
    assert_int_equal(hal_plot_form_of_path(&form, "plan", &err), HAL_E_USAGE);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    hal_plot p = plot_of("CIRCLE 0.5 10 5", 12);
    for (size_t n = 1;; n++) {
        hal_buf out;
        hal_buf_init(&out, FILE_MAX);
        hal_err err = HAL_ERR_INIT;
        (void)hal_alloc_fail_at(n);
        hal_status st = hal_plot_draw(&p, HAL_PLOT_SVG, &out, &err);
        size_t made = hal_alloc_fail_at(0);
        hal_buf_clear(&out);
        if (made < n) {
            assert_int_equal(st, HAL_OK);
            break;
        }
        assert_int_equal(st, HAL_E_NOMEM);
    }
    hal_buf small;
    hal_buf_init(&small, 1000);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_plot_draw(&p, HAL_PLOT_PNG, &small, &err), HAL_E_BUDGET);
    hal_buf_clear(&small);
    hal_region_unref(p.region);
}

/* --- region files ----------------------------------------------------------------------------- */

static void check_regions(const hal_plot *p, const char *want)
{
    hal_buf out;
    hal_buf_init(&out, FILE_MAX);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_plot_regions(p, &out, &err), HAL_OK);
    char head[] = "# Region file format: DS9 version 4.1\nglobal color=green\nicrs\n";
    assert_memory_equal(hal_buf_text(&out), head, sizeof head - 1);
    assert_string_equal(hal_buf_text(&out) + sizeof head - 1, want);
    hal_buf_clear(&out);
}

static hal_tile box(double ra, double width, double lo, double hi)
{
    return (hal_tile){llround(ra * 1e7), llround(width * 1e7), llround(lo * 1e7),
                      llround(hi * 1e7)};
}

static void region_files_hold_tiles_rings_caps_and_requests(void **state)
{
    (void)state;
    hal_cone request = {10, -20, 1.5};
    hal_plot p = {.region = region_of("ALL"), .tiles = tiles, .n_tiles = 5};
    tiles[0] = (hal_plot_tile){box(359, 2, -1, 1), 12.4, 3, false};
    tiles[1] = (hal_plot_tile){box(0, 360, 80, 90), -1, -1, false};
    tiles[2] = (hal_plot_tile){box(0, 360, 70, 80), 7, 1, false};
    tiles[3] = (hal_plot_tile){box(0, 360, -90, -60), -1, -1, true};
    tiles[4] = (hal_plot_tile){box(90, 90, 60, 90), 1, 1, false};
    p.n_tiles = 4;
    p.requests = &request;
    p.n_requests = 1;
    check_regions(&p, "polygon(359.0000000,-1.0000000,1.0000000,-1.0000000,1.0000000,1.0000000,"
                      "359.0000000,1.0000000) # text={12 rows}\n"
                      "circle(0,90,10.0000000d)\n"
                      "annulus(0,90,10.0000000d,20.0000000d) # text={7 rows}\n"
                      "circle(0,-90,30.0000000d) # color=red dash=1 text={not fetched}\n"
                      "circle(10.0000000,-20.0000000,1.5000000d) # color=cyan text={request 1}\n");
    hal_region_unref(p.region);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void pages_and_sky_are_inverse(void **state)
{
    (void)state;
    const char *const regions[] = {"ALL",           "CIRCLE 180 10 70", "CIRCLE 0.1 89 3",
                                   "CIRCLE 5 0 30", "CIRCLE 300 -90 9", "CIRCLE 77 12 0.001"};
    for (size_t k = 0; k < 6; k++) {
        hal_plot p = plot_of(regions[k], 4);
        hal_view v = hal_view_of(&p);
        assert_int_equal(v.all_sky, k < 2);
        hal_cone all = {0, 0, 180}, c = v.all_sky ? all : hal_region_cone(p.region);
        for (int i = 0; i < 40; i++)
            for (int j = 1; j < 40; j++) {
                double dec = fmax(-90, fmin(90, c.dec_deg + c.radius_deg * (j - 20) / 20));
                double ra = fmod(v.ra_deg + 9 * i + 180, 360), x, y, ra2, dec2;
                hal_view_page(&v, hal_view_offset(&v, ra), dec, &x, &y);
                if (!v.all_sky && hal_separation_deg(ra, dec, v.ra_deg, v.dec_deg) > 60)
                    continue;
                if (fabs(dec) < 90 || !v.all_sky)
                    assert_true(hal_view_sky(&v, x, y, &ra2, &dec2) ||
                                (v.all_sky && i == 0)); /* on the rim itself */
                if (i > 0 && fabs(dec) < 89.9)
                    assert_true(hal_separation_deg(ra, dec, ra2, dec2) < 1e-6);
            }
        hal_region_unref(p.region);
    }
    /* Equal areas: a tile's share of the ellipse is its share of the sky. */
    hal_plot p = plot_of("ALL", 1);
    hal_view v = hal_view_of(&p);
    double x, y, radius = (v.right - v.left) / 2;
    hal_view_page(&v, 0, 30, &x, &y);
    double s = (v.cy - y) / (radius / 2), t = asin(s);
    assert_true(fabs((2 * t + sin(2 * t)) / 3.14159265358979323846 - sin(30 * DEG)) < 1e-9);
    hal_region_unref(p.region);
}

typedef struct trace {
    const hal_view *view;
    const hal_region *region;
    size_t n_lines, n_points;
    double worst; /* page units from the border */
    bool seen[36];
} trace;

static void traced(void *ctx, double x, double y, bool start)
{
    trace *t = ctx;
    double ra, dec;
    assert_true(hal_view_sky(t->view, x, y, &ra, &dec));
    hal_cone c = hal_region_cone(t->region);
    double off = fabs(hal_separation_deg(ra, dec, c.ra_deg, c.dec_deg) - c.radius_deg);
    t->worst = fmax(t->worst, off * DEG * t->view->scale);
    double mx, my;
    hal_view_page(t->view, hal_view_offset(t->view, c.ra_deg), c.dec_deg, &mx, &my);
    t->seen[(int)((atan2(y - my, x - mx) / DEG + 180) / 10) % 36] = true;
    t->n_lines += start;
    t->n_points++;
}

static void outlines_follow_the_border(void **state)
{
    (void)state;
    const char *const circles[] = {"CIRCLE 201.7 -47.5 2", "CIRCLE 0.5 10 5", "CIRCLE 40 88 7",
                                   "CIRCLE 350 20 50"};
    for (size_t k = 0; k < 4; k++) {
        hal_plot p = plot_of(circles[k], 1);
        hal_view v = hal_view_of(&p);
        trace t = {.view = &v, .region = p.region};
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_outline(&v, p.region, traced, &t, &err), HAL_OK);
        assert_int_equal(t.n_lines, 1);
        assert_true(t.worst < 0.5); /* of all sky: page units are not the same everywhere */
        assert_true(t.n_points > 40 && t.n_points < 400);
        for (int i = 0; i < 36; i++)
            assert_true(t.seen[i]);
        hal_region_unref(p.region);
    }
}

static void count_point(void *ctx, double x, double y, bool start)
{
    (void)x;
    (void)y;
    *(size_t *)ctx += start;
}

static void outlines_of_sets_and_maps_have_all_their_lines(void **state)
{
    (void)state;
    static const struct {
        const char *region;
        size_t lines;
    } cases[] = {{"ALL", 0},
                 {"DIFFERENCE (CIRCLE 10 10 5 CIRCLE 10 10 2)", 2},
                 {"UNION (CIRCLE 10 10 1 CIRCLE 14 10 1 CIRCLE 10 14 1)", 3},
                 {"NOT (CIRCLE 50 50 10)", 1},
                 {"MOC 3/100 102", 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hal_plot p = plot_of(cases[k].region, 1);
        hal_view v = hal_view_of(&p);
        size_t lines = 0;
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_outline(&v, p.region, count_point, &lines, &err), HAL_OK);
        assert_int_equal(lines, cases[k].lines);
        hal_region_unref(p.region);
    }
}

static void rows_and_densities_go_by_the_area_inside_the_region(void **state)
{
    (void)state;
    hal_plot p = plot_of("CIRCLE 100 60 3", 20);
    double rows = 0, area = hal_region_area_sr(p.region) / DEG / DEG;
    for (size_t i = 0; i < p.n_tiles; i++) {
        tiles[i].density_deg2 = 500;
        tiles[i].rows = -1;
    }
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_plot_measure(tiles, p.n_tiles, p.region, &err), HAL_OK);
    for (size_t i = 0; i < p.n_tiles; i++) {
        rows += tiles[i].rows;
        tiles[i].density_deg2 = -1;
    }
    assert_true(fabs(rows / (500 * area) - 1) < 0.01);
    assert_int_equal(hal_plot_measure(tiles, p.n_tiles, p.region, &err), HAL_OK);
    for (size_t i = 0; i < p.n_tiles; i++)
        assert_true(fabs(tiles[i].density_deg2 - 500) < 1e-6);
    hal_region_unref(p.region);
}

static void scales_hold_all_values_between_round_numbers(void **state)
{
    (void)state;
    hal_scale s;
    double values[] = {-1, 0, 130, 7000};
    assert_true(hal_scale_of(&s, values, 4));
    assert_true(fabs(s.lo - 100) < 1e-9 && fabs(s.hi - 10000) < 1e-6);
    assert_int_equal(hal_scale_level(&s, 100), 0);
    assert_int_equal(hal_scale_level(&s, 1e9), HAL_COLOUR_LEVELS - 1);
    assert_int_equal(hal_scale_level(&s, 0), -1);
    values[2] = values[3] = 50;
    assert_true(hal_scale_of(&s, values, 4));
    assert_true(s.lo < 50 && s.hi > 50);
    assert_false(hal_scale_of(&s, values, 2));
    double before = 2;
    for (int i = 0; i < HAL_COLOUR_LEVELS; i++) { /* darker at each step, also in grey */
        hal_colour c = hal_colour_of(i);
        double grey = 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
        assert_true(grey < before);
        before = grey;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_has_the_colour_of_its_tile),
        cmocka_unit_test(ten_thousand_tiles_are_still_told_apart),
        cmocka_unit_test(a_missing_tile_is_hatched_black_on_white),
        cmocka_unit_test(tiles_without_prediction_are_grey_and_without_rows_white),
        cmocka_unit_test(an_svg_is_well_formed_xml),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(a_pdf_has_no_date),
        cmocka_unit_test(the_ending_chooses_the_form),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(region_files_hold_tiles_rings_caps_and_requests),
        cmocka_unit_test(pages_and_sky_are_inverse),
        cmocka_unit_test(outlines_follow_the_border),
        cmocka_unit_test(outlines_of_sets_and_maps_have_all_their_lines),
        cmocka_unit_test(rows_and_densities_go_by_the_area_inside_the_region),
        cmocka_unit_test(scales_hold_all_values_between_round_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
