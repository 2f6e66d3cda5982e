/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this folder share: the host, its tasks and their waits. Not for other folders.
 */
#ifndef HAL_HOST_INTERNAL_H
#define HAL_HOST_INTERNAL_H

#include "host/await.h"
#include "host/host.h"

#include <stdatomic.h>

typedef struct hal_task hal_task;
typedef struct hal_group hal_group;
typedef struct setting setting;

/* The extra space of every Lua thread points to one of these: a task's own thread to the task's,
 * all others (main, generators) to the host's. */
typedef struct hal_owner {
    hal_host *host;
    hal_task *task; /* NULL: not a task's own thread */
} hal_owner;

struct hal_await {
    hal_task *task;
    void (*cancel)(void *ctx);
    void *ctx;
    lua_KFunction k;
    lua_KContext kctx;
    bool armed; /* hal_await_done has not been called yet */
};

/* The children of one all{} or map(): they end together. A userdata, kept alive by its children. */
struct hal_group {
    hal_task *owner;
    size_t n_live;
    int error_ref;     /* first failure, in the registry */
    hal_await *waiter; /* of the owner, once all children are started */
};

typedef enum task_state {
    TASK_READY,    /* in the ready queue */
    TASK_RUNNING,  /* on the C stack */
    TASK_WAITING,  /* for hal_await_done */
    TASK_CLOSING,  /* cancelled; waits for its children before its coroutine is closed */
    TASK_DRAINING, /* its function has ended; waits for its children */
    TASK_ENDED
} task_state;

/* Lua resumes at most LUAI_MAXCCALLS (200) coroutines inside each other. */
enum { GENERATORS_MAX = 200 };

struct hal_task {
    hal_owner owner;
    lua_State *co; /* user value 1; after the end its stack holds the results or the error */
    task_state state;
    bool ok;           /* ended with results */
    bool cancelled;    /* asked to end */
    int n_args;        /* for the first resume */
    int n_raised;      /* times the hook raised a final error in this task */
    int self_ref;      /* the userdata in the registry while it lives */
    int failure_ref;   /* error of a child nobody joined: the task cannot end well any more */
    bool failure_told; /* it was raised at a wait */
    hal_await wait;
    hal_timer *timer;
    hal_await *joiner;
    hal_task *next_ready;
    hal_task *parent, *next_sibling, *first_child;
    hal_group *group; /* NULL: spawned into the parent's own scope */
    size_t n_children;
    /* Generators that are suspended because this task waits, innermost first. */
    lua_State *generators[GENERATORS_MAX];
    int n_generators;
};

struct hal_host {
    hal_owner main;
    lua_State *L;
    hal_loop *loop;
    /* limits */
    hal_host_config config;
    size_t used_bytes, soft_bytes, hard_bytes;
    bool no_memory; /* that, not a limit, refused the last allocation that failed */
    int64_t cpu_max_ns, cpu_used_ns, cpu_entered_ns;
    int n_entered; /* calls of hal_limits_enter that were not left yet */
    atomic_bool interrupted;
    bool is_closing; /* <close> handlers of a cancelled task run: let them */
    int close_depth;
    /* tasks */
    hal_task *running, *root;
    int root_ref; /* of the root's userdata once it has ended */
    bool deadlocked;
    hal_timer *wall; /* of the declared time of the whole run */
    bool late;       /* it is over */
    bool broken;     /* memory ran out inside the scheduler: only hal_host_free is left */
    hal_task *ready_head, *ready_tail;
    size_t n_live;
    int n_pinned; /* resumes on the C stack whose caller cannot yield */
    /* the host program */
    hal_event_fn on_event;
    void *event_ctx;
    hal_output_fn on_output;
    void *output_ctx;
    setting *settings;
    char *permitted; /* hosts, one a line; NULL: any */
};

/* limits.c */
void *hal_limits_alloc(void *ud, void *p, size_t old_bytes, size_t new_bytes);
/* The limits of the configuration, as before any declaration. */
void hal_limits_reset(hal_host *host);
void hal_limits_arm(hal_host *host, lua_State *L);
/* Lua code begins and stops to run: only this time is charged. May nest. */
void hal_limits_enter(hal_host *host);
void hal_limits_leave(hal_host *host);

/* task.c */
void hal_task_make_ready(hal_task *task);
void hal_task_cancel(hal_task *task);
/* Raises what a child failed with. */
int hal_task_raise_failure(lua_State *L, hal_task *task);
/* Resumes every task that is ready now. */
void hal_task_run_ready(hal_host *host);
/* Pops a function and its arguments, pushes the task's userdata. `group` NULL or the userdata at
 * `i_group`. Raises out of memory. */
hal_task *hal_task_push(lua_State *L, hal_task *parent, int i_group, int n_args);

/* The value that a waiting primitive yields. */
void *hal_await_sentinel(void);
bool hal_await_is_sentinel(lua_State *L, int index);

/* error.c */
void hal_error_register(lua_State *L);

/* coroutine.c: replaces resume, wrap, yield, close of the library table at the top. */
void hal_coroutine_replace(lua_State *L);

#endif
