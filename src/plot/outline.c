/* SPDX-License-Identifier: BSD-3-Clause */
/* Marching squares: in each cell of the grid whose corners differ the border goes from side to
 * side; where on a side is found by bisection. The crossings are then linked to lines. */
#include "plot/outline.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

#define STEP 2.0      /* page units between places of the grid */
#define TOLERANCE 0.1 /* page units that a line may leave out */
enum { BISECTIONS = 7, SKIP_MAX = 200, OFF = 2 };

typedef struct crossing {
    double x, y;
    int32_t link[2]; /* -1: none */
    bool told;
} crossing;

typedef struct grid {
    const hal_view *view;
    const hal_region *region;
    int n_x, n_y;
    crossing *found;
    size_t n_found, cap;
    unsigned char *at[2];      /* of two rows: 0 outside, 1 inside, OFF: not on the sky */
    int32_t *level[2], *erect; /* crossings on the sides of the row of cells; -1: none */
    double *ra, *dec;
} grid;

static double grid_x(const grid *g, int i)
{
    return g->view->left + STEP * i;
}

static double grid_y(const grid *g, int j)
{
    return g->view->top + STEP * j;
}

static bool is_inside(const grid *g, double x, double y)
{
    double ra, dec;
    return hal_view_sky(g->view, x, y, &ra, &dec) && hal_region_contains(g->region, ra, dec);
}

static void fill_row(grid *g, int j, unsigned char *at)
{
    for (int i = 0; i < g->n_x; i++) {
        at[i] = 1;
        if (!hal_view_sky(g->view, grid_x(g, i), grid_y(g, j), &g->ra[i], &g->dec[i]))
            g->ra[i] = g->dec[i] = NAN;
    }
    hal_region_contains_array(g->region, g->ra, g->dec, (size_t)g->n_x, at);
    for (int i = 0; i < g->n_x; i++)
        if (isnan(g->ra[i]))
            at[i] = OFF;
}

/* -1: the side has no crossing; -2: no memory. */
static int32_t cross(grid *g, unsigned char a, unsigned char b, double x1, double y1, double x2,
                     double y2)
{
    if (a == OFF || b == OFF || a == b)
        return -1;
    if (g->n_found == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 1024;
        crossing *more = hal_realloc(g->found, cap * sizeof *more);
        if (!more)
            return -2;
        g->found = more;
        g->cap = cap;
    }
    for (int k = 0; k < BISECTIONS; k++) {
        double x = (x1 + x2) / 2, y = (y1 + y2) / 2;
        bool first = is_inside(g, x, y) == (a == 1);
        *(first ? &x1 : &x2) = x;
        *(first ? &y1 : &y2) = y;
    }
    g->found[g->n_found] = (crossing){(x1 + x2) / 2, (y1 + y2) / 2, {-1, -1}, false};
    return (int32_t)g->n_found++;
}

static void join(grid *g, int32_t a, int32_t b)
{
    crossing *p = &g->found[a], *q = &g->found[b];
    p->link[p->link[0] >= 0] = b;
    q->link[q->link[0] >= 0] = a;
}

/* Links the crossings of one cell; with all four, those round the corners that differ from the
 * middle of the cell. */
static void link_cell(grid *g, int i, int j)
{
    int32_t side[4] = {g->level[0][i], g->erect[i + 1], g->level[1][i], g->erect[i]}, on[4];
    int n = 0;
    for (int k = 0; k < 4; k++)
        if (side[k] >= 0)
            on[n++] = side[k];
    if (n == 2) {
        join(g, on[0], on[1]);
    } else if (n == 4) {
        bool middle = is_inside(g, grid_x(g, i) + STEP / 2, grid_y(g, j) + STEP / 2);
        bool as_first = middle == (g->at[0][i] == 1); /* the upper left corner is not cut off */
        join(g, side[0], as_first ? side[1] : side[3]);
        join(g, side[2], as_first ? side[3] : side[1]);
    }
}

static bool scan_row(grid *g, int j)
{
    for (int i = 0; i < g->n_x; i++) {
        double x = grid_x(g, i), y = grid_y(g, j);
        g->level[1][i] =
            i + 1 < g->n_x ? cross(g, g->at[1][i], g->at[1][i + 1], x, y + STEP, x + STEP, y + STEP)
                           : -1;
        g->erect[i] = cross(g, g->at[0][i], g->at[1][i], x, y, x, y + STEP);
        if (g->level[1][i] == -2 || g->erect[i] == -2)
            return false;
    }
    for (int i = 0; i + 1 < g->n_x; i++)
        link_cell(g, i, j);
    return true;
}

static bool scan(grid *g)
{
    fill_row(g, 0, g->at[0]);
    for (int i = 0; i + 1 < g->n_x; i++) {
        double x = grid_x(g, i), y = grid_y(g, 0);
        g->level[0][i] = cross(g, g->at[0][i], g->at[0][i + 1], x, y, x + STEP, y);
        if (g->level[0][i] == -2)
            return false;
    }
    for (int j = 0; j + 1 < g->n_y; j++) {
        fill_row(g, j + 1, g->at[1]);
        if (!scan_row(g, j))
            return false;
        unsigned char *at = g->at[0];
        int32_t *level = g->level[0];
        g->at[0] = g->at[1];
        g->level[0] = g->level[1];
        g->at[1] = at;
        g->level[1] = level;
    }
    return true;
}

/* Is each of the crossings line[from + 1 .. to - 1] near the straight line between the ends? */
static bool is_straight(const grid *g, const int32_t *line, size_t from, size_t to)
{
    const crossing *a = &g->found[line[from]], *b = &g->found[line[to]];
    double dx = b->x - a->x, dy = b->y - a->y, length = hypot(dx, dy);
    for (size_t k = from + 1; k < to; k++) {
        const crossing *c = &g->found[line[k]];
        double off = length > 0 ? ((c->x - a->x) * dy - (c->y - a->y) * dx) / length
                                : hypot(c->x - a->x, c->y - a->y);
        if (fabs(off) > TOLERANCE)
            return false;
    }
    return true;
}

static void tell(grid *g, int32_t first, int32_t *line, hal_view_point point, void *ctx)
{
    size_t n = 0;
    int32_t now = first;
    while (now >= 0 && !g->found[now].told) {
        crossing *c = &g->found[now];
        c->told = true;
        line[n++] = now;
        now = c->link[0] >= 0 && !g->found[c->link[0]].told ? c->link[0] : c->link[1];
    }
    if (n > 2 && (g->found[line[n - 1]].link[0] == first || g->found[line[n - 1]].link[1] == first))
        line[n++] = first;
    point(ctx, g->found[first].x, g->found[first].y, true);
    for (size_t at = 0; at + 1 < n;) {
        size_t to = at + 1;
        while (to + 1 < n && to - at < SKIP_MAX && is_straight(g, line, at, to + 1))
            to++;
        point(ctx, g->found[line[to]].x, g->found[line[to]].y, false);
        at = to;
    }
}

hal_status hal_outline(const hal_view *v, const hal_region *r, hal_view_point point, void *ctx,
                       hal_err *err)
{
    grid g = {.view = v,
              .region = r,
              .n_x = (int)ceil((v->right - v->left) / STEP) + 1,
              .n_y = (int)ceil((v->bottom - v->top) / STEP) + 1};
    size_t n = (size_t)g.n_x, each = 2 * sizeof(double) + 3 * sizeof(int32_t) + 2;
    char *memory = hal_malloc(n * each);
    int32_t *line = NULL;
    hal_status st = HAL_OK;
    if (!memory)
        return hal_err_nomem(err, n * each);
    g.ra = (double *)(void *)memory;
    g.dec = g.ra + n;
    g.level[0] = (int32_t *)(g.dec + n);
    g.level[1] = g.level[0] + n;
    g.erect = g.level[1] + n;
    g.at[0] = (unsigned char *)(g.erect + n);
    g.at[1] = g.at[0] + n;
    if (!scan(&g) || !(line = hal_malloc((g.n_found + 2) * sizeof *line))) {
        st = hal_err_nomem(err, g.n_found * sizeof *g.found);
        goto out;
    }
    for (int pass = 0; pass < 2; pass++) /* open lines from an end of theirs, then the closed */
        for (size_t i = 0; i < g.n_found; i++)
            if (!g.found[i].told && (pass == 1 || g.found[i].link[1] < 0))
                tell(&g, (int32_t)i, line, point, ctx);
out:
    hal_free(line);
    hal_free(g.found);
    hal_free(memory);
    return st;
}
