/* SPDX-License-Identifier: BSD-3-Clause */
/* Unions, intersections and complements. Signed distances of members combine: the least is that of
 * a union, the greatest that of an intersection, the negative that of a complement. A union finds
 * the members near a place in a tree of circles. */
#include "sky/region_shape.h"

#include "base/alloc.h"
#include "sky/angle.h"

typedef struct set {
    hal_region base;
    hal_captree tree; /* of a union */
    size_t n;
    hal_region *member[];
} set;

static const hal_region_class union_class, intersection_class, complement_class;

/* --- union ----------------------------------------------------------------------------------- */

typedef struct query {
    const set *s;
    const hal_place *p;
    const hal_cell *cell;
    const hal_tile *tile;
    double margin_deg;
    bool some;
    size_t but; /* a member */
} query;

static bool member_has(void *ctx, size_t i)
{
    const query *q = ctx;
    const hal_region *m = q->s->member[i];
    return m->class->has(m, q->p);
}

static bool union_has(const hal_region *r, const hal_place *p)
{
    const set *s = (const set *)r;
    return hal_captree_find(&s->tree, p->at, 0, member_has, &(query){.s = s, .p = p});
}

static double member_away(void *ctx, size_t i)
{
    const query *q = ctx;
    const hal_region *m = q->s->member[i];
    return m->class->away_deg(m, q->p) * HAL_RAD_PER_DEG;
}

static double union_away(const hal_region *r, const hal_place *p)
{
    const set *s = (const set *)r;
    query q = {.s = s, .p = p};
    return hal_captree_least(&s->tree, p->at, member_away, &q) * HAL_DEG_PER_RAD;
}

static bool member_holds_cell(void *ctx, size_t i)
{
    query *q = ctx;
    hal_moc_share share = hal_region_share(q->s->member[i], q->cell);
    q->some = q->some || share != HAL_MOC_NONE;
    return share == HAL_MOC_WHOLE;
}

static hal_moc_share union_share(const hal_region *r, const hal_cell *c)
{
    const set *s = (const set *)r;
    query q = {.s = s, .cell = c};
    double reach = c->radius_deg * HAL_RAD_PER_DEG;
    if (hal_captree_find(&s->tree, c->centre.at, reach, member_holds_cell, &q))
        return HAL_MOC_WHOLE;
    return q.some ? HAL_MOC_SOME : HAL_MOC_NONE;
}

static bool member_may_touch(void *ctx, size_t i)
{
    const query *q = ctx;
    return hal_region_may_touch(q->s->member[i], q->tile, q->margin_deg);
}

static bool union_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    const set *s = (const set *)r;
    hal_cone c = hal_tile_cone(t);
    query q = {.s = s, .tile = t, .margin_deg = margin_deg};
    double reach = (c.radius_deg + margin_deg + 1e-9) * HAL_RAD_PER_DEG;
    hal_vector at = hal_vector_at(c.ra_deg, c.dec_deg);
    /* The circle round a strip holds many members that are not near it: those near its middle
     * first. */
    double side_deg =
        fmin(hal_tick_deg(t->dec_hi - t->dec_lo), hal_tick_deg(t->width) * hal_cos_dec(c.dec_deg));
    return hal_captree_find(&s->tree, at, side_deg / 2 * HAL_RAD_PER_DEG, member_may_touch, &q) ||
           hal_captree_find(&s->tree, at, reach, member_may_touch, &q);
}

size_t hal_region_parts(const hal_region *const *r, const hal_region *const **parts)
{
    const set *s = (const set *)*r;
    bool is_union = (*r)->class == &union_class;
    *parts = is_union ? (const hal_region *const *)s->member : r;
    return is_union ? s->n : 1;
}

/* --- intersection ---------------------------------------------------------------------------- */

static bool intersection_has(const hal_region *r, const hal_place *p)
{
    const set *s = (const set *)r;
    for (size_t i = 0; i < s->n; i++)
        if (!s->member[i]->class->has(s->member[i], p))
            return false;
    return true;
}

static double intersection_away(const hal_region *r, const hal_place *p)
{
    const set *s = (const set *)r;
    double most = -INFINITY;
    for (size_t i = 0; i < s->n; i++)
        most = fmax(most, s->member[i]->class->away_deg(s->member[i], p));
    return most;
}

static hal_moc_share intersection_share(const hal_region *r, const hal_cell *c)
{
    const set *s = (const set *)r;
    hal_moc_share least = HAL_MOC_WHOLE;
    for (size_t i = 0; i < s->n && least != HAL_MOC_NONE; i++) {
        hal_moc_share share = hal_region_share(s->member[i], c);
        least = share < least ? share : least;
    }
    return least;
}

static bool intersection_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    const set *s = (const set *)r;
    for (size_t i = 0; i < s->n; i++)
        if (!hal_region_may_touch(s->member[i], t, margin_deg))
            return false;
    return true;
}

/* --- complement ------------------------------------------------------------------------------ */

static const hal_region *inner_of(const hal_region *r)
{
    return ((const set *)r)->member[0];
}

static bool complement_has(const hal_region *r, const hal_place *p)
{
    return !inner_of(r)->class->has(inner_of(r), p);
}

static double complement_away(const hal_region *r, const hal_place *p)
{
    return -inner_of(r)->class->away_deg(inner_of(r), p);
}

static hal_moc_share complement_share(const hal_region *r, const hal_cell *c)
{
    hal_moc_share share = hal_region_share(inner_of(r), c);
    return share == HAL_MOC_SOME ? share : share == HAL_MOC_NONE ? HAL_MOC_WHOLE : HAL_MOC_NONE;
}

static double complement_area(const hal_region *r, size_t straddling_max, double *error_sr)
{
    return 4 * HAL_PI - hal_region_area_on(inner_of(r), straddling_max, error_sr);
}

/* --- area of a union ------------------------------------------------------------------------- */

static bool is_another(void *ctx, size_t i)
{
    return i != ((const query *)ctx)->but;
}

static set *make_set(const hal_region_class *class, hal_region *const *members, size_t n,
                     hal_err *err);

/* Members that touch no other one add up; the others are measured together. */
static double union_area(const hal_region *r, size_t straddling_max, double *error_sr)
{
    const set *s = (const set *)r;
    hal_region **rest = hal_malloc(s->n * sizeof(hal_region *));
    size_t n_rest = 0;
    double area = 0;
    if (!rest)
        return hal_region_measure(r, straddling_max, error_sr);
    for (size_t i = 0; i < s->n; i++) {
        hal_cap cap = hal_cap_of_cone(s->member[i]->cone);
        double error;
        if (hal_captree_find(&s->tree, cap.at, cap.radius_rad, is_another, &(query){.but = i})) {
            rest[n_rest++] = s->member[i];
        } else {
            area += hal_region_area_on(s->member[i], straddling_max, &error);
            *error_sr += error;
        }
    }
    set *others = n_rest && n_rest < s->n ? make_set(&union_class, rest, n_rest, NULL) : NULL;
    hal_free(rest);
    if (n_rest && !others) { /* all of them, or no memory to part them */
        *error_sr = 0;
        return hal_region_measure(r, straddling_max, error_sr);
    }
    if (others) {
        double error = 0;
        area += hal_region_measure(&others->base, straddling_max, &error);
        *error_sr += error;
        hal_region_unref(&others->base);
    }
    return area;
}

/* --- text and memory ------------------------------------------------------------------------- */

static hal_status set_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    const set *s = (const set *)r;
    hal_status st = hal_buf_puts(out,
                                 r->class == &union_class          ? "UNION ("
                                 : r->class == &intersection_class ? "INTERSECTION ("
                                                                   : "NOT (",
                                 err);
    for (size_t i = 0; i < s->n && !st; i++) {
        st = i ? hal_buf_puts(out, " ", err) : HAL_OK;
        if (!st)
            st = s->member[i]->class->format(s->member[i], out, err);
    }
    return st ? st : hal_buf_puts(out, ")", err);
}

static void set_clear(hal_region *r)
{
    set *s = (set *)r;
    hal_captree_clear(&s->tree);
    for (size_t i = 0; i < s->n; i++)
        hal_region_unref(s->member[i]);
}

static const hal_region_class union_class = {.needs_vector = true,
                                             .has = union_has,
                                             .away_deg = union_away,
                                             .share = union_share,
                                             .may_touch = union_may_touch,
                                             .area = union_area,
                                             .format = set_format,
                                             .clear = set_clear};
static const hal_region_class intersection_class = {.needs_vector = true,
                                                    .has = intersection_has,
                                                    .away_deg = intersection_away,
                                                    .share = intersection_share,
                                                    .may_touch = intersection_may_touch,
                                                    .area = hal_region_measure,
                                                    .format = set_format,
                                                    .clear = set_clear};
static const hal_region_class complement_class = {.needs_vector = true,
                                                  .has = complement_has,
                                                  .away_deg = complement_away,
                                                  .share = complement_share,
                                                  .area = complement_area,
                                                  .format = set_format,
                                                  .clear = set_clear};

/* --- making ---------------------------------------------------------------------------------- */

/* The members themselves, not taken apart; the region's tile and cone are the caller's. */
static set *hold(const hal_region_class *class, hal_region *const *members, size_t n, hal_err *err)
{
    size_t n_leaves = 0;
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        n_leaves += members[i]->n_leaves;
        depth = members[i]->depth > depth ? members[i]->depth : depth;
        if (n_leaves > HAL_REGION_MEMBERS_MAX) {
            hal_err_set(err, HAL_E_BUDGET,
                        "a region of more than %d shapes: make a MOC of parts of it",
                        HAL_REGION_MEMBERS_MAX);
            return NULL;
        }
    }
    if (depth >= HAL_REGION_DEPTH_MAX) {
        hal_err_set(err, HAL_E_BUDGET,
                    "regions within regions, more than %d deep: make a MOC of parts of it",
                    HAL_REGION_DEPTH_MAX);
        return NULL;
    }
    set *s = hal_region_make(class, sizeof *s + n * sizeof(hal_region *), err);
    if (!s)
        return NULL;
    for (size_t i = 0; i < n; i++)
        s->member[i] = hal_region_ref(members[i]);
    s->n = n;
    s->base.n_leaves = n_leaves;
    s->base.depth = depth + 1;
    return s;
}

static hal_status bound_union(set *s, hal_err *err)
{
    hal_cap *caps = hal_malloc(s->n * sizeof *caps);
    hal_tile *tiles = hal_malloc(s->n * sizeof *tiles);
    hal_status st =
        caps && tiles ? HAL_OK : hal_err_nomem(err, s->n * (sizeof *caps + sizeof *tiles));
    for (size_t i = 0; i < s->n && !st; i++) {
        caps[i] = hal_cap_of_cone(s->member[i]->cone);
        tiles[i] = s->member[i]->tile;
    }
    if (!st)
        st = hal_captree_init(&s->tree, caps, s->n, false, err);
    if (!st) {
        hal_cap root = hal_captree_root(&s->tree);
        s->base.tile = hal_tile_hull(tiles, s->n);
        s->base.cone = hal_cone_smaller(hal_cap_cone(&root), hal_tile_cone(&s->base.tile));
    }
    hal_free(caps);
    hal_free(tiles);
    return st;
}

/* What two tiles share, or `a` when that is nothing or two pieces. */
static hal_tile shared_tile(hal_tile a, const hal_tile *b)
{
    hal_tile t = a;
    t.dec_lo = b->dec_lo > a.dec_lo ? b->dec_lo : a.dec_lo;
    t.dec_hi = b->dec_hi < a.dec_hi ? b->dec_hi : a.dec_hi;
    if (t.dec_lo >= t.dec_hi)
        return a;
    if (b->width == HAL_TICKS_CIRCLE)
        return t;
    if (a.width == HAL_TICKS_CIRCLE) {
        t.ra = b->ra;
        t.width = b->width;
        return t;
    }
    int64_t offset = (b->ra - a.ra + HAL_TICKS_CIRCLE) % HAL_TICKS_CIRCLE;
    int64_t east = offset + b->width < a.width ? offset + b->width : a.width;
    int64_t again = offset + b->width - HAL_TICKS_CIRCLE; /* of `b`, once round */
    if (offset < a.width && again <= 0) {
        t.ra = (a.ra + offset) % HAL_TICKS_CIRCLE;
        t.width = east - offset;
    } else if (offset >= a.width && again > 0) {
        t.width = again < a.width ? again : a.width;
    }
    return t;
}

static void bound_intersection(set *s)
{
    hal_region *b = &s->base;
    b->tile = s->member[0]->tile;
    b->cone = s->member[0]->cone;
    for (size_t i = 1; i < s->n; i++) {
        b->tile = shared_tile(b->tile, &s->member[i]->tile);
        b->cone = hal_cone_smaller(b->cone, s->member[i]->cone);
    }
    b->cone = hal_cone_smaller(b->cone, hal_tile_cone(&b->tile));
}

static void bound_complement(set *s)
{
    hal_region *b = &s->base;
    hal_cone c;
    b->tile = hal_tile_all();
    b->cone = (hal_cone){0, 90, 180};
    if (!hal_region_is_circle(s->member[0], &c))
        return;
    double ra = hal_ra_canonical(c.ra_deg + 180);
    b->cone = (hal_cone){ra, -c.dec_deg, fmin(180, 180 - c.radius_deg + 1e-12)};
    b->tile = hal_tile_of_cone(b->cone);
}

static set *make_set(const hal_region_class *class, hal_region *const *members, size_t n,
                     hal_err *err)
{
    set *s = hold(class, members, n, err);
    if (s && class == &union_class && bound_union(s, err)) {
        hal_region_unref(&s->base);
        return NULL;
    }
    if (s && class == &intersection_class)
        bound_intersection(s);
    if (s && class == &complement_class)
        bound_complement(s);
    return s;
}

static hal_region *of_moc_taken(hal_moc *m, hal_err *err)
{
    hal_region *r = m ? hal_region_of_moc(m, err) : NULL;
    hal_moc_unref(m);
    return r;
}

/* In halves, so that many small maps are not merged into a large one again and again. */
static hal_moc *merge(const hal_region_class *class, hal_region *const *members, size_t n,
                      hal_err *err)
{
    if (n == 1)
        return hal_moc_ref(hal_region_get_moc(members[0]));
    hal_moc *a = merge(class, members, n / 2, err);
    hal_moc *b = a ? merge(class, members + n / 2, n - n / 2, err) : NULL;
    hal_moc *m = NULL;
    if (b)
        m = class == &union_class ? hal_moc_union(a, b, err) : hal_moc_intersection(a, b, err);
    hal_moc_unref(a);
    hal_moc_unref(b);
    return m;
}

/* Takes the complements out of the `*n` members of an intersection and puts one behind the others,
 * that of the union of what they leave out, which has an index. `*made` (NULL: there were not
 * two) is the caller's. */
static hal_status join_complements(hal_region **members, size_t *n, hal_region **made, hal_err *err)
{
    size_t n_kept = 0, n_out = 0;
    hal_region **out = hal_malloc(*n * sizeof(hal_region *));
    *made = NULL;
    if (!out)
        return hal_err_nomem(err, *n * sizeof(hal_region *));
    for (size_t i = 0; i < *n; i++)
        if (members[i]->class == &complement_class)
            out[n_out++] = ((set *)members[i])->member[0];
    if (n_out < 2) {
        hal_free(out);
        return HAL_OK;
    }
    hal_region *all = hal_region_union(out, n_out, err);
    *made = all ? hal_region_complement(all, err) : NULL;
    hal_region_unref(all);
    hal_free(out);
    if (!*made)
        return HAL_E_NOMEM;
    for (size_t i = 0; i < *n; i++)
        if (members[i]->class != &complement_class)
            members[n_kept++] = members[i];
    members[n_kept++] = *made;
    *n = n_kept;
    return HAL_OK;
}

static hal_region *join(const hal_region_class *class, hal_region *const *members, size_t n,
                        hal_err *err)
{
    size_t n_flat = 0, n_maps = 0;
    if (n == 0) {
        hal_err_set(err, HAL_E_USAGE, "a union or an intersection has at least one region");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        n_flat += members[i]->class == class ? ((const set *)members[i])->n : 1;
        n_maps += hal_region_get_moc(members[i]) != NULL;
    }
    if (n == 1)
        return hal_region_ref(members[0]);
    if (n_maps == n)
        return of_moc_taken(merge(class, members, n, err), err);
    hal_region **flat = hal_malloc(n_flat * sizeof(hal_region *));
    if (!flat) {
        (void)hal_err_nomem(err, n_flat * sizeof(hal_region *));
        return NULL;
    }
    n_flat = 0;
    for (size_t i = 0; i < n; i++) {
        const set *s = (const set *)members[i];
        if (members[i]->class != class)
            flat[n_flat++] = members[i];
        else
            for (size_t k = 0; k < s->n; k++)
                flat[n_flat++] = s->member[k];
    }
    hal_region *made = NULL, *r = NULL;
    if (class != &intersection_class || !join_complements(flat, &n_flat, &made, err))
        r = n_flat == 1 ? hal_region_ref(flat[0])
                        : (hal_region *)make_set(class, flat, n_flat, err);
    hal_region_unref(made);
    hal_free(flat);
    return r;
}

hal_region *hal_region_union(hal_region *const *members, size_t n, hal_err *err)
{
    return join(&union_class, members, n, err);
}

hal_region *hal_region_intersection(hal_region *const *members, size_t n, hal_err *err)
{
    return join(&intersection_class, members, n, err);
}

hal_region *hal_region_complement(hal_region *r, hal_err *err)
{
    if (r->class == &complement_class)
        return hal_region_ref(((set *)r)->member[0]);
    const hal_moc *m = hal_region_get_moc(r);
    if (m)
        return of_moc_taken(hal_moc_complement(m, err), err);
    set *s = make_set(&complement_class, &r, 1, err);
    return s ? &s->base : NULL;
}

hal_region *hal_region_difference(hal_region *a, hal_region *b, hal_err *err)
{
    hal_region *rest = hal_region_complement(b, err);
    hal_region *r = rest ? hal_region_intersection((hal_region *[]){a, rest}, 2, err) : NULL;
    hal_region_unref(rest);
    return r;
}
