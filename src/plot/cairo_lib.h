/* SPDX-License-Identifier: BSD-3-Clause */
/* Cairo as a table of functions, loaded when the first picture is made. Only its headers are used
 * to build. Private to this folder. */
#ifndef HAL_PLOT_CAIRO_LIB_H
#define HAL_PLOT_CAIRO_LIB_H

#include "base/status.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>

#define HAL_CAIRO_FUNCTIONS(X)                                                                     \
    X(arc)                                                                                         \
    X(clip)                                                                                        \
    X(close_path)                                                                                  \
    X(create)                                                                                      \
    X(destroy)                                                                                     \
    X(fill)                                                                                        \
    X(fill_preserve)                                                                               \
    X(font_options_create)                                                                         \
    X(font_options_destroy)                                                                        \
    X(font_options_set_antialias)                                                                  \
    X(font_options_set_hint_metrics)                                                               \
    X(font_options_set_hint_style)                                                                 \
    X(image_surface_create)                                                                        \
    X(line_to)                                                                                     \
    X(move_to)                                                                                     \
    X(new_path)                                                                                    \
    X(paint)                                                                                       \
    X(pdf_surface_create_for_stream)                                                               \
    X(pdf_surface_set_metadata)                                                                    \
    X(rectangle)                                                                                   \
    X(restore)                                                                                     \
    X(save)                                                                                        \
    X(scale)                                                                                       \
    X(select_font_face)                                                                            \
    X(set_fill_rule)                                                                               \
    X(set_font_options)                                                                            \
    X(set_font_size)                                                                               \
    X(set_line_join)                                                                               \
    X(set_line_width)                                                                              \
    X(set_source_rgb)                                                                              \
    X(set_source_rgba)                                                                             \
    X(show_text)                                                                                   \
    X(status)                                                                                      \
    X(status_to_string)                                                                            \
    X(stroke)                                                                                      \
    X(stroke_preserve)                                                                             \
    X(surface_destroy)                                                                             \
    X(surface_finish)                                                                              \
    X(surface_status)                                                                              \
    X(surface_write_to_png_stream)                                                                 \
    X(svg_surface_create_for_stream)                                                               \
    X(text_extents)                                                                                \
    X(translate)

typedef struct hal_cairo {
#define X(name) __typeof__(&cairo_##name) name;
    HAL_CAIRO_FUNCTIONS(X)
#undef X
} hal_cairo;

/** NULL and HAL_E_IO naming the package when the library is missing. */
const hal_cairo *hal_cairo_load(hal_err *err);

#endif
