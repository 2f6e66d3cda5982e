/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot/view.h"

#include "sky/angle.h"

#include <math.h>

#define DEG (3.14159265358979323846 / 180.0)
#define LOCAL_MAX_DEG 45.0 /* of what is seen in a local view, from its middle */
enum { SIDE = 62, WIDTH_MAX = 776, HEIGHT_MAX = 620 };

/* --- projections, in radians on the plane, x to the east ------------------------------------- */

/* Snyder, Map Projections (USGS PP 1395), pp. 249-252: 2 t + sin 2 t = pi sin dec, by Newton; near
 * the poles, where it converges slowly, 2 t = pi - (3 pi/4 cos^2 dec)^(1/3) to begin with. */
static double mollweide_t(double dec)
{
    const double pi = 180 * DEG;
    double c = cos(dec), want = pi * sin(fabs(dec));
    if (c < 1e-9)
        return copysign(pi / 2, dec);
    double t = c < 0.3 ? pi - cbrt(6 * pi * (1 - sin(fabs(dec)))) : 2 * fabs(dec);
    for (int i = 0; i < 20; i++) {
        double step = (t + sin(t) - want) / (1 + cos(t));
        t -= step;
        if (fabs(step) < 1e-13)
            break;
    }
    return copysign(t / 2, dec);
}

static void mollweide(double dra, double dec, double *x, double *y)
{
    double t = mollweide_t(dec);
    *x = sqrt(8) / (180 * DEG) * dra * cos(t);
    *y = sqrt(2) * sin(t);
}

static void stereographic(double dec0, double dra, double dec, double *x, double *y)
{
    double cos_c = sin(dec0) * sin(dec) + cos(dec0) * cos(dec) * cos(dra), k = 2 / (1 + cos_c);
    *x = k * cos(dec) * sin(dra);
    *y = k * (cos(dec0) * sin(dec) - sin(dec0) * cos(dec) * cos(dra));
}

void hal_view_page(const hal_view *v, double dra_deg, double dec_deg, double *x, double *y)
{
    double east, north;
    if (v->all_sky)
        mollweide(dra_deg * DEG, dec_deg * DEG, &east, &north);
    else
        stereographic(v->dec_deg * DEG, dra_deg * DEG, dec_deg * DEG, &east, &north);
    *x = v->cx - v->scale * east;
    *y = v->cy - v->scale * north;
}

bool hal_view_sky(const hal_view *v, double x, double y, double *ra_deg, double *dec_deg)
{
    double east = (v->cx - x) / v->scale, north = (v->cy - y) / v->scale, dra, dec;
    if (v->all_sky) {
        double s = north / sqrt(2), t = asin(fmax(-1, fmin(1, s)));
        dra = 180 * DEG * east / (sqrt(8) * fmax(cos(t), 1e-12));
        if (fabs(s) > 1 || fabs(dra) > 180 * DEG)
            return false;
        dec = asin(fmax(-1, fmin(1, (2 * t + sin(2 * t)) / (180 * DEG))));
    } else {
        double rho = hypot(east, north), c = 2 * atan(rho / 2), dec0 = v->dec_deg * DEG;
        double ratio = rho > 0 ? sin(c) / rho : 1;
        dec = asin(fmax(-1, fmin(1, cos(c) * sin(dec0) + north * ratio * cos(dec0))));
        dra = atan2(east * ratio, cos(dec0) * cos(c) - north * ratio * sin(dec0));
    }
    *ra_deg = fmod(v->ra_deg + dra / DEG + 720, 360);
    *dec_deg = dec / DEG;
    return true;
}

double hal_view_offset(const hal_view *v, double ra_deg)
{
    double d = fmod(ra_deg - v->ra_deg, 360);
    return d < -180 ? d + 360 : d >= 180 ? d - 360 : d;
}

/* --- tiles ------------------------------------------------------------------------------------ */

typedef struct pen {
    const hal_view *view;
    hal_view_point point;
    void *ctx;
    bool begun;
} pen;

static void go(pen *p, double dra, double dec)
{
    double x, y;
    hal_view_page(p->view, dra, dec, &x, &y);
    p->point(p->ctx, x, y, !p->begun);
    p->begun = true;
}

/* From the first place to just before the second, along a parallel or a meridian; the steps leave
 * less than 0.3 page units between line and curve. */
static void walk(pen *p, double dra1, double dec1, double dra2, double dec2)
{
    double length = fmax(fabs(dra2 - dra1), fabs(dec2 - dec1)), x1, y1, x2, y2;
    bool straight = dra1 != dra2 && (p->view->all_sky || fabs(dec1) == 90);
    int n = straight ? 1 : (int)ceil(length / 5);
    if (!p->view->all_sky && !straight) {
        hal_view_page(p->view, dra1, dec1, &x1, &y1);
        hal_view_page(p->view, dra2, dec2, &x2, &y2);
        n += (int)(fmin(hypot(x2 - x1, y2 - y1), HAL_VIEW_WIDTH) / 20);
    }
    for (int i = 0; i < n; i++)
        go(p, dra1 + (dra2 - dra1) * i / n, dec1 + (dec2 - dec1) * i / n);
}

static void piece(pen *p, double west, double east, double south, double north)
{
    p->begun = false;
    walk(p, west, south, east, south);
    walk(p, east, south, east, north);
    walk(p, east, north, west, north);
    walk(p, west, north, west, south);
}

void hal_view_tile(const hal_view *v, const hal_tile *t, hal_view_point point, void *ctx)
{
    pen p = {v, point, ctx, false};
    double south = hal_tick_deg(t->dec_lo), north = hal_tick_deg(t->dec_hi);
    if (!v->all_sky && t->width == HAL_TICKS_CIRCLE) {
        double edges[] = {south, north};
        for (int i = 0; i < 2; i++) {
            p.begun = false;
            if (fabs(edges[i]) < 90)
                walk(&p, 0, edges[i], 360, edges[i]);
        }
        return;
    }
    if (!v->all_sky) {
        double west = hal_view_offset(v, hal_tick_deg(t->ra));
        piece(&p, west, west + hal_tick_deg(t->width), south, north);
        return;
    }
    /* Ticks east of the rim of the map; what goes past it comes in again on the other side. */
    int64_t rim = ((int64_t)v->ra_deg - 180) * HAL_TICKS_PER_DEG;
    int64_t west = ((t->ra - rim) % HAL_TICKS_CIRCLE + HAL_TICKS_CIRCLE) % HAL_TICKS_CIRCLE;
    if (t->width == HAL_TICKS_CIRCLE)
        west = 0;
    int64_t east = west + t->width;
    piece(&p, hal_tick_deg(west) - 180,
          hal_tick_deg(east < HAL_TICKS_CIRCLE ? east : HAL_TICKS_CIRCLE) - 180, south, north);
    if (east > HAL_TICKS_CIRCLE)
        piece(&p, -180, hal_tick_deg(east - HAL_TICKS_CIRCLE) - 180, south, north);
}

/* --- the view --------------------------------------------------------------------------------- */

static void widen(void *ctx, double x, double y, bool start)
{
    (void)start;
    hal_view *v = ctx;
    v->left = fmin(v->left, x);
    v->right = fmax(v->right, x);
    v->top = fmin(v->top, y);
    v->bottom = fmax(v->bottom, y);
}

static bool is_local(const hal_plot_tile *tiles, size_t n, hal_cone middle)
{
    for (size_t i = 0; i < n; i++) {
        hal_cone c = hal_tile_cone(&tiles[i].tile);
        double far = hal_separation_deg(c.ra_deg, c.dec_deg, middle.ra_deg, middle.dec_deg);
        if (far + c.radius_deg > LOCAL_MAX_DEG)
            return false;
    }
    return true;
}

hal_view hal_view_of(const hal_plot *plot)
{
    hal_cone middle = hal_region_cone(plot->region);
    hal_plot_tile own = {.tile = hal_region_tile(plot->region)};
    const hal_plot_tile *tiles = plot->n_tiles > 0 ? plot->tiles : &own;
    size_t n = plot->n_tiles > 0 ? plot->n_tiles : 1;
    if (!is_local(tiles, n, middle)) {
        double scale = WIDTH_MAX / sqrt(32), height = WIDTH_MAX / 2.0;
        double ra = fmod(30 * round(middle.ra_deg / 30), 360);
        return (hal_view){.all_sky = true,
                          .ra_deg = middle.radius_deg < 90 ? ra : 0,
                          .scale = scale,
                          .cx = SIDE + WIDTH_MAX / 2.0,
                          .cy = HAL_VIEW_TOP + height / 2,
                          .left = SIDE,
                          .top = HAL_VIEW_TOP,
                          .right = SIDE + WIDTH_MAX,
                          .bottom = HAL_VIEW_TOP + height};
    }
    hal_view v = {.ra_deg = middle.ra_deg,
                  .dec_deg = middle.dec_deg,
                  .scale = 1,
                  .left = INFINITY,
                  .top = INFINITY,
                  .right = -INFINITY,
                  .bottom = -INFINITY};
    for (size_t i = 0; i < n; i++)
        hal_view_tile(&v, &tiles[i].tile, widen, &v);
    double rim = 0.04 * fmax(v.right - v.left, v.bottom - v.top);
    double width = v.right - v.left + 2 * rim, height = v.bottom - v.top + 2 * rim;
    double x = (v.left + v.right) / 2, y = (v.top + v.bottom) / 2;
    v.scale = fmin(WIDTH_MAX / width, HEIGHT_MAX / height);
    /* No narrower or lower than what the labels of a few lines need. */
    width = fmax(width * v.scale, HEIGHT_MAX / 3.0);
    height = fmax(height * v.scale, HEIGHT_MAX / 3.0);
    v.left = SIDE + (WIDTH_MAX - width) / 2;
    v.right = v.left + width;
    v.top = HAL_VIEW_TOP;
    v.bottom = v.top + height;
    v.cx = v.left + width / 2 - x * v.scale;
    v.cy = v.top + height / 2 - y * v.scale;
    return v;
}
