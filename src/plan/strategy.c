/* SPDX-License-Identifier: BSD-3-Clause */
/* What a capability record allows, and why: the strategy of a plan, and its words. Never by the
 * name of a service. Tiling design, sections 2, 4.3 and 4.4. */
#include "plan/state.h"

#include <inttypes.h>
#include <stdio.h>

/* Rows without position may belong to the answer, and only a column's ranges reach them. */
static bool only_ranges_reach_all(const hal_plan *p)
{
    const hal_service *s = &p->service;
    bool may_match = s->footprints || p->all_sky;
    return may_match && s->pos_nullable && !s->null_test && s->n_alt_split > 0;
}

/* Can the user's region be asked for at all, unsplit? */
static bool region_fits(const hal_plan *p)
{
    const hal_service *s = &p->service;
    return s->takes_box || !s->takes_cone || s->radius_max_deg <= 0.0 ||
           p->region_cone.radius_deg + p->guard_deg <= s->radius_max_deg;
}

hal_status plan_choose_strategy(hal_plan *p, hal_err *err)
{
    const hal_service *s = &p->service;
    bool takes_position = s->takes_box || s->takes_cone, fits = region_fits(p);
    if (s->footprints && s->centre_columns && fits && !only_ranges_reach_all(p))
        p->strategy = PLAN_CENTRES;
    else if (!s->footprints && takes_position && !only_ranges_reach_all(p))
        p->strategy = PLAN_TILES;
    else if (s->n_alt_split > 0 && fits)
        p->strategy = PLAN_RANGES;
    else if (s->order_key && fits && (s->footprints || !takes_position))
        p->strategy = PLAN_PAGES;
    else if (takes_position)
        p->strategy = s->footprints ? PLAN_OUTLINES : PLAN_TILES;
    else
        return hal_err_set(
            err, HAL_E_USAGE,
            "the service takes neither boxes nor cones, has no column to split on and "
            "no key to page by: nothing to tile");
    return HAL_OK;
}

const char *hal_plan_form(const hal_plan *plan)
{
    static const char *const words[] = {[PLAN_CENTRES] = "ranges of the centre",
                                        [PLAN_RANGES] = "ranges of a column",
                                        [PLAN_PAGES] = "pages"};
    if (plan->strategy == PLAN_TILES || plan->strategy == PLAN_OUTLINES)
        return plan->service.takes_box ? "boxes" : "cones";
    return words[plan->strategy];
}

static const char *tiles_text(const hal_plan *p)
{
    return p->service.takes_box
               ? "boxes on the sky, because ranges of the position columns ask for "
                 "nothing beside the tile"
               : "circles round boxes on the sky, because the service takes "
                 "circles only; about 1.6 times the rows come";
}

enum { COLUMNS_TEXT_MAX = HAL_PLAN_COLUMNS * (HAL_PLAN_NAME_MAX + 8) };

/* "t_min, then obsid": in the order in which they are cut. */
static const char *columns_text(const hal_plan *p, char text[COLUMNS_TEXT_MAX])
{
    size_t n = 0;
    for (size_t c = 1; c <= p->service.n_alt_split; c++)
        n += (size_t)snprintf(text + n, COLUMNS_TEXT_MAX - n, "%s%s", c > 1 ? ", then " : "",
                              hal_plan_column_name(p, (int)c));
    return text;
}

static hal_status explain_strategy(const hal_plan *p, hal_buf *out, hal_err *err)
{
    char columns[COLUMNS_TEXT_MAX];
    switch (p->strategy) {
    case PLAN_TILES:
        return hal_buf_printf(out, err, "split: %s; each row belongs to the tile of its position\n",
                              tiles_text(p));
    case PLAN_CENTRES:
        return hal_buf_printf(out, err,
                              "split: the region unchanged in every request and ranges on the "
                              "columns of the centre, because rows match by their outline\n");
    case PLAN_RANGES:
        return hal_buf_printf(
            out, err, "split: the region unchanged in every request and ranges of %s, because %s\n",
            columns_text(p, columns),
            only_ranges_reach_all(p) ? "rows without position cannot be asked for by themselves"
            : p->service.footprints  ? "rows match by their outline and no centre takes ranges"
                                     : "the service takes no position");
    case PLAN_PAGES:
        return hal_buf_printf(out, err,
                              "split: pages in the order of the key, one after another, because "
                              "nothing else divides the rows\n");
    case PLAN_OUTLINES:
        break;
    }
    return hal_buf_printf(out, err,
                          "split: %s; a row comes with every tile that its outline touches and is "
                          "kept once by its key, because no column takes ranges\n",
                          tiles_text(p));
}

static hal_status explain_first(const hal_plan *p, hal_buf *out, hal_err *err)
{
    const hal_service *s = &p->service;
    bool by_cells = s->histogram && (p->strategy == PLAN_TILES || p->strategy == PLAN_CENTRES);
    if (by_cells)
        return hal_buf_printf(
            out, err,
            "densities: rows counted by HEALPix cell of order %d in one request%s; by finer ones "
            "where tiles are smaller\n",
            plan_histogram_order(p),
            p->options.known_rows >= 0 ? ", if more than one answer holds" : "");
    if (p->options.known_rows >= 0)
        return hal_buf_printf(out, err, "densities: %" PRId64 " rows are known\n",
                              p->options.known_rows);
    if (s->counts && p->strategy != PLAN_PAGES)
        return hal_buf_printf(
            out, err, "densities: one count of the region, then what tiles show%s\n",
            p->strategy == PLAN_TILES ? "; counts of parts where that misleads" : "");
    return hal_buf_printf(out, err, "densities: %s\n",
                          p->strategy == PLAN_PAGES ? "not needed"
                          : p->prior.n ? "remembered ones for the first guess, then what "
                                         "tiles show"
                          : plan_cuts_sky(p)
                              ? "the region unsplit first; if that is too much, a probe, "
                                "then what tiles show"
                              : "the region unsplit first, then what ranges show");
}

static hal_status explain_rest(const hal_plan *p, hal_buf *out, hal_err *err)
{
    const hal_service *s = &p->service;
    char columns[COLUMNS_TEXT_MAX];
    bool ranges_next =
        s->n_alt_split > 0 && p->strategy != PLAN_RANGES && p->strategy != PLAN_PAGES;
    hal_status st = hal_buf_printf(out, err, "what cannot be split so: %s%s%s\n",
                                   ranges_next ? "ranges of " : "",
                                   ranges_next    ? columns_text(p, columns)
                                   : s->order_key ? "pages by key"
                                                  : "is reported, with the remedy",
                                   ranges_next && s->order_key ? ", then pages by key" : "");
    bool may_match = p->strategy == PLAN_CENTRES || (p->strategy == PLAN_TILES && p->all_sky);
    if (!st && s->pos_nullable && may_match)
        st =
            hal_buf_printf(out, err, "rows without position: %s\n",
                           s->null_test ? "asked for by themselves"
                                        : "cannot be asked for; a count says how many are missing");
    if (!st)
        st = s->cap
                 ? hal_buf_printf(out, err, "limit: %" PRIu64 " rows an answer\n", s->cap)
                 : hal_buf_printf(out, err, "limit: unknown; round numbers of rows are doubted\n");
    if (!st && s->radius_max_deg > 0.0)
        st = hal_buf_printf(out, err, "circles: of at most %g degrees\n", s->radius_max_deg);
    if (!st)
        st = hal_buf_printf(out, err, "guard: %.4g arcsec round every tile\n",
                            p->guard_deg * 3600.0);
    return st;
}

hal_status hal_plan_explain(const hal_plan *plan, hal_buf *out, hal_err *err)
{
    hal_status st = explain_strategy(plan, out, err);
    if (!st)
        st = explain_first(plan, out, err);
    return st ? st : explain_rest(plan, out, err);
}
