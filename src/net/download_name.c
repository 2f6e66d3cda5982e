/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of whole files: given by the strand of their folder to all that wait for one. */
#include "net/download_impl.h"

#include "base/alloc.h"

#include <stdio.h>

enum { FOLDERS_MAX = 1024 };

typedef struct naming {
    hal_loop *loop;
    hal_outlet *outlet;
    hal_download *list;
} naming;

static void run_naming(void *ctx)
{
    hal_download_name_files(((naming *)ctx)->list);
}

static void named(hal_download *d)
{
    d->n_work--;
    d->keep_part = !d->spoiled;
    if (d->named.status) {
        hal_download_end(d, &d->named);
        return;
    }
    d->result.bytes = d->record.bytes;
    memcpy(d->result.sha256, d->record.sha256, sizeof d->result.sha256);
    if (!d->result.warning[0] && d->why[0])
        snprintf(d->result.warning, sizeof d->result.warning, "suspicious: %s", d->why);
    else if (d->unverified && d->content != HAL_CONTENT_WHOLE)
        snprintf(d->result.warning, sizeof d->result.warning,
                 "unverified: neither the server nor the catalogue states its length");
    hal_download_end(d, NULL);
}

static void name_waiting(hal_loop *loop, hal_outlet *outlet);

static void naming_done(void *ctx)
{
    naming *n = ctx;
    for (hal_download *d = n->list, *next; d; d = next) {
        next = d->next_named;
        named(d);
    }
    n->outlet->busy = false;
    name_waiting(n->loop, n->outlet);
    hal_free(n);
}

static void name_waiting(hal_loop *loop, hal_outlet *outlet)
{
    if (outlet->busy || !outlet->first)
        return;
    hal_err err = HAL_ERR_INIT;
    hal_download *list = outlet->first;
    outlet->first = outlet->last = NULL;
    naming *n = hal_malloc(sizeof *n);
    hal_status st = n ? HAL_OK : hal_err_nomem(&err, sizeof *n);
    if (n)
        *n = (naming){loop, outlet, list};
    if (!st && loop->closing) { /* no more work is taken, and what is whole is kept */
        outlet->busy = true;
        run_naming(n);
        naming_done(n);
        return;
    }
    if (!st)
        st = hal_pool_post(loop->pool, outlet->strand, run_naming, naming_done, n, &err);
    outlet->busy = !st;
    if (!st)
        return;
    hal_free(n);
    for (hal_download *d = list, *next; d; d = next) {
        next = d->next_named;
        d->named = err;
        named(d);
    }
}

void hal_download_name(hal_download *d)
{
    d->n_work++;
    d->named = HAL_ERR_INIT;
    d->next_named = NULL;
    *(d->outlet->last ? &d->outlet->last->next_named : &d->outlet->first) = d;
    d->outlet->last = d;
    name_waiting(d->loop, d->outlet);
}

hal_outlet *hal_outlet_of(hal_loop *loop, const char *dir, hal_pool *pool, hal_err *err)
{
    int n = 0;
    for (hal_outlet *o = loop->outlets; o; o = o->next, n++)
        if (!strcmp(hal_folder_dir(o->folder), dir))
            return o;
    if (n == FOLDERS_MAX) {
        hal_err_set(err, HAL_E_BUDGET, "more than %d output folders", FOLDERS_MAX);
        return NULL;
    }
    hal_outlet *o = hal_calloc(1, sizeof *o);
    if (!o) {
        hal_err_nomem(err, sizeof *o);
        return NULL;
    }
    o->folder = hal_folder_new(dir, err);
    o->strand = o->folder ? hal_strand_new(pool, err) : NULL;
    if (!o->strand) {
        hal_folder_unref(o->folder);
        hal_free(o);
        return NULL;
    }
    o->next = loop->outlets;
    loop->outlets = o;
    return o;
}

void hal_outlets_free(hal_loop *loop)
{
    for (hal_outlet *o = loop->outlets, *next; o; o = next) {
        next = o->next;
        hal_folder_unref(o->folder);
        hal_free(o);
    }
    loop->outlets = NULL;
}
