/* SPDX-License-Identifier: BSD-3-Clause */
/* One waiting operation of a primitive: a job on a worker or an exchange. Its memory is on the
 * heap, owned by a userdata on the primitive's stack until the operation runs; collected while it
 * runs, it is cancelled and frees itself when it ends. */
#ifndef HAL_BIND_OP_H
#define HAL_BIND_OP_H

#include "host/await.h"

typedef struct hal_op hal_op;
struct hal_op {
    /* Set by the primitive; all may be NULL except `push`. */
    void (*clear)(hal_op *op);  /* frees what the operation owns, not `op`; loop thread */
    void (*cancel)(hal_op *op); /* asks it to end soon; loop thread; it still ends by hal_op_done */
    void (*run)(hal_op *op);    /* the job of hal_op_run: worker thread; failure goes into `err` */
    void (*ended)(hal_op *op);  /* loop thread, also when nobody waits any more */
    /** Success: pushes the results, returns their number; may raise. */
    int (*push)(lua_State *L, hal_op *op);
    hal_err err; /* HAL_OK: success */
    /** Adds fields to the error object on top of the stack. */
    void (*decorate)(lua_State *L, hal_op *op);
    /* Private. */
    hal_await *await;
    hal_op **slot; /* NULL: the userdata is gone */
    bool running;
};

/** Pushes a userdata, closed with the primitive, that owns a zeroed operation of `size_bytes`
 * (which begins with hal_op); raises when out of memory. */
void *hal_op_new(lua_State *L, size_t size_bytes);
/** Last call of a primitive (`return hal_op_wait(...)`): starts the operation by `start`, waits for
 * hal_op_done, then raises op->err or returns what `push` pushes. */
typedef hal_status (*hal_op_start)(hal_op *op, hal_loop *loop, hal_err *err);
int hal_op_wait(lua_State *L, hal_op *op, hal_op_start start);
/** A `start` that puts op->run on a worker. */
hal_status hal_op_post(hal_op *op, hal_loop *loop, hal_err *err);
/** hal_op_wait with hal_op_post. */
int hal_op_run(lua_State *L, hal_op *op);
/** The same for `large` work; small work is done at once, also where waiting is impossible. */
int hal_op_run_sized(lua_State *L, hal_op *op, bool large);
/** The operation has ended. Loop thread; `op` may be gone afterwards. */
void hal_op_done(hal_op *op);

#endif
