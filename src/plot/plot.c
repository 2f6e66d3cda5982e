/* SPDX-License-Identifier: BSD-3-Clause */
/* From a page to the bytes of a file. */
#include "plot/plot.h"

#include "plot/page.h"

#include <string.h>
#include <strings.h>

hal_status hal_plot_form_of_path(hal_plot_form *out, const char *path, hal_err *err)
{
    static const char *const endings[] = {
        [HAL_PLOT_SVG] = ".svg", [HAL_PLOT_PNG] = ".png", [HAL_PLOT_PDF] = ".pdf"};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i <= HAL_PLOT_PDF; i++)
        if (!strcasecmp(dot, endings[i])) {
            *out = (hal_plot_form)i;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "a picture is drawn as .svg, .png or .pdf, by the ending of its name: %s "
                       "has none of them",
                       path);
}

typedef struct sink {
    hal_buf *out;
    hal_err *err;
    hal_status st;
} sink;

static cairo_status_t take(void *ctx, const unsigned char *bytes, unsigned n)
{
    sink *s = ctx;
    if (!s->st)
        s->st = hal_buf_append(s->out, bytes, n, s->err);
    return s->st ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

/* Cairo 1.16 names the page after the number of surfaces that the process has had:
 * <g id="surface12">. Takes the number away. */
static void forget_number(hal_buf *svg)
{
    static const char name[] = "<g id=\"surface";
    char *at = svg->size_bytes > 0 ? strstr(svg->data, name) : NULL;
    if (!at)
        return;
    at += sizeof name - 1;
    size_t digits = strspn(at, "0123456789");
    memmove(at, at + digits, svg->size_bytes - (size_t)(at - svg->data) - digits + 1);
    svg->size_bytes -= digits;
}

/* Cairo writes six decimals; two are 0.01 page units, and half of the file. */
static void cut_decimals(hal_buf *svg)
{
    enum { DECIMALS = 2 };
    char *to = svg->data;
    int after_point = -1;
    for (size_t i = 0; i < svg->size_bytes; i++) {
        char c = svg->data[i];
        bool digit = c >= '0' && c <= '9';
        after_point = c == '.' ? 0 : digit && after_point >= 0 ? after_point + 1 : -1;
        if (after_point <= DECIMALS)
            *to++ = c;
    }
    svg->size_bytes = (size_t)(to - svg->data);
    *to = '\0';
}

hal_status hal_plot_draw(const hal_plot *plot, hal_plot_form form, hal_buf *out, hal_err *err)
{
    const hal_cairo *c = hal_cairo_load(err);
    if (!c)
        return HAL_E_IO;
    hal_view view = hal_view_of(plot);
    double height = view.bottom + HAL_PAGE_BELOW;
    sink s = {out, err, HAL_OK};
    cairo_surface_t *surface =
        form == HAL_PLOT_SVG ? c->svg_surface_create_for_stream(take, &s, HAL_VIEW_WIDTH, height)
        : form == HAL_PLOT_PDF
            ? c->pdf_surface_create_for_stream(take, &s, HAL_VIEW_WIDTH, height)
            : c->image_surface_create(CAIRO_FORMAT_RGB24, HAL_PLOT_PIXELS * HAL_VIEW_WIDTH,
                                      (int)(HAL_PLOT_PIXELS * height));
    cairo_t *cr = c->create(surface);
    if (form == HAL_PLOT_PNG)
        c->scale(cr, HAL_PLOT_PIXELS, HAL_PLOT_PIXELS);
    if (form == HAL_PLOT_PDF) /* else it is now */
        c->pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
    hal_status st = hal_page_draw(c, cr, &view, plot, err);
    cairo_status_t trouble = c->status(cr);
    c->destroy(cr);
    if (!st && !trouble && form == HAL_PLOT_PNG)
        trouble = c->surface_write_to_png_stream(surface, take, &s);
    c->surface_finish(surface);
    trouble = trouble ? trouble : c->surface_status(surface);
    c->surface_destroy(surface);
    st = st ? st : s.st;
    if (!st && trouble)
        return hal_err_set(err, trouble == CAIRO_STATUS_NO_MEMORY ? HAL_E_NOMEM : HAL_E_IO,
                           "the picture cannot be drawn: %s", c->status_to_string(trouble));
    if (!st && form == HAL_PLOT_SVG) {
        forget_number(out);
        cut_decimals(out);
    }
    return st;
}
