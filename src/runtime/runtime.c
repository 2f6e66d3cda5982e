/* SPDX-License-Identifier: BSD-3-Clause */
/* The public interface: creates loop and host, hands jobs to halyard.workflow, says who may be
 * contacted. */
#include "base/status.h"

#include "halyard.h"

#include "runtime/convert.h"
#include "runtime/match.h"
#include "runtime/show.h"

#include "base/alloc.h"
#include "bind/bind.h"
#include "data/arrow.h"
#include "host/host.h"
#include "net/exchange.h"

#include <lauxlib.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOSTS_MAX = 32, HOST_NAME_MAX_BYTES = 256, NAME_MAX_BYTES = 64, STREAM_ROWS = 65536 };

struct hal_runtime {
    hal_clock clock;
    hal_loop *loop;
    hal_host *host;
    hal_err err;
    atomic_bool interrupted;                    /* for what runs outside the host */
    char hosts[HOSTS_MAX][HOST_NAME_MAX_BYTES]; /* of the archive */
    size_t n_hosts;
    bool no_others; /* may be contacted: the archive is on this machine */
};

const char *hal_version(void)
{
    return HAL_VERSION_TEXT;
}

int hal_exit_code(hal_status status)
{
    return hal_status_exit_code(status);
}

_Static_assert(sizeof(HAL_VERSION) == sizeof(HAL_VERSION_TEXT), "halyard.h and the build differ");

const char *hal_runtime_error(const hal_runtime *rt)
{
    return rt->err.text;
}

/* Who may be contacted */

/* The host of "http://host:port/..." in lower case, without brackets. */
static hal_status url_host(char *out, size_t size, const char *url, hal_err *err)
{
    const char *host = strstr(url, "://");
    bool http = !strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8);
    size_t n = 0;
    if (host && http) {
        host += 3;
        if (*host == '[')
            host++;
        n = strcspn(host, host[-1] == '[' ? "]" : ":/?#");
    }
    if (n == 0 || n >= size || memchr(host, '@', n))
        return hal_err_set(err, HAL_E_USAGE,
                           "archive %s is not a URL; write mast, practice or http(s)://host[:port]",
                           url);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + ('a' - 'A') : host[i]);
    out[n] = '\0';
    return HAL_OK;
}

static bool is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "::1");
}

static bool is_archive(const hal_runtime *rt, const char *host, hal_err *why)
{
    const char *bare = host + (*host == '[');
    size_t n = strcspn(bare, "]");
    for (size_t i = 0; i < rt->n_hosts; i++)
        if (strlen(rt->hosts[i]) == n && !strncasecmp(rt->hosts[i], bare, n))
            return true;
    hal_err_set(why, HAL_E_PERMISSION,
                "%s is not the archive of this run; name it with --base if it may be contacted",
                host);
    return false;
}

static bool may_contact(void *ctx, const char *host, int port, hal_err *why)
{
    const hal_runtime *rt = ctx;
    return (!rt->no_others || is_archive(rt, host, why)) &&
           hal_host_permits(rt->host, host, port, why);
}

static hal_status add_base(hal_runtime *rt, const char *setting, const char *url, bool *loopback,
                           hal_err *err)
{
    hal_status st = hal_host_set(rt->host, setting, url, err);
    if (st)
        return st;
    if (rt->n_hosts == HOSTS_MAX)
        return hal_err_set(err, HAL_E_USAGE, "more than %d archive URLs", HOSTS_MAX);
    st = url_host(rt->hosts[rt->n_hosts], HOST_NAME_MAX_BYTES, url, err);
    if (!st && is_loopback(rt->hosts[rt->n_hosts]))
        *loopback = true;
    rt->n_hosts += !st;
    return st;
}

/* Those of halyard.archive.door, each with a base URL of its own. */
static const char *const interfaces[] = {
    "mashup",  "download", "missions",  "auth", "cutouts",  "tap",     "sia2",  "catalogs", "exo",
    "classic", "gsss",     "ps1images", "hla",  "resolver", "casjobs", "cloud", "sesame"};
enum { INTERFACES = sizeof interfaces / sizeof *interfaces };

static hal_status check_interface(const char *name, hal_err *err)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < INTERFACES; i++) {
        if (!strcmp(name, interfaces[i]))
            return HAL_OK;
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", interfaces[i]);
    }
    return hal_err_set(err, HAL_E_USAGE,
                       "there is no interface '%s'; those with a base URL of their own are %s",
                       name, list);
}

static hal_status set_archive(hal_runtime *rt, const hal_config *config, hal_err *err)
{
    bool loopback = false;
    hal_status st = HAL_OK;
    if (config->archive && strcmp(config->archive, "mast") != 0)
        st = add_base(rt, "archive", config->archive, &loopback, err);
    for (size_t i = 0; i < config->n_bases && !st; i++) {
        const char *name = config->bases[i].name;
        char setting[NAME_MAX_BYTES];
        st = check_interface(name, err);
        if (st)
            return st;
        snprintf(setting, sizeof setting, "archive.%s", name);
        st = add_base(rt, setting, config->bases[i].value, &loopback, err);
    }
    rt->no_others = loopback && !config->private_net;
    hal_loop_guard(rt->loop, may_contact, loopback || config->private_net, rt);
    return st;
}

static hal_status set_readings(hal_runtime *rt, const hal_config *config, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < config->n_readings && !st; i++) {
        char setting[NAME_MAX_BYTES];
        snprintf(setting, sizeof setting, "reading.%s", config->readings[i].name);
        st = hal_host_set(rt->host, setting, config->readings[i].value, err);
    }
    return st;
}

/* Life */

static int preload(lua_State *L)
{
    hal_bind_preload(L);
    return 0;
}

static hal_status open_runtime(hal_runtime *rt, const hal_config *config, hal_err *err)
{
    rt->loop = hal_loop_new(&rt->clock, err);
    if (!rt->loop)
        return err->status;
    hal_net_options net = {.ca_file = config->ca_file,
                           .proxy = config->proxy,
                           .proxy_from_env = config->proxy_from_env};
    if (hal_loop_set_network(rt->loop, &net, err))
        return err->status;
    hal_loop_set_waits(rt->loop,
                       &(hal_waits){.retry_after_max_ms = config->retry_after_max_s * 1000});
    hal_host_config limits = {.memory_max_bytes = config->memory_max_bytes,
                              .cpu_max_ms = config->cpu_max_ms};
    rt->host = hal_host_new(rt->loop, &limits, err);
    if (!rt->host)
        return err->status;
    lua_State *L = hal_host_state(rt->host);
    lua_pushcfunction(L, preload);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        hal_error_from_lua(L, -1, err);
        return err->status;
    }
    hal_host_on_event(rt->host, config->on_event, config->ctx);
    hal_host_on_output(rt->host, config->on_output, config->ctx);
    if (hal_loop_has_proxy(rt->loop))
        hal_host_log(rt->host, "info",
                     "requests go through a proxy: addresses are checked by their names only");
    hal_status st = set_archive(rt, config, err);
    if (!st)
        st = set_readings(rt, config, err);
    if (!st)
        st = hal_host_set(rt->host, "output", config->output, err);
    if (!st)
        st = hal_host_set(rt->host, "workflow_path", config->workflow_path, err);
    if (!st)
        st = hal_host_set(rt->host, "restart", config->restart ? "yes" : NULL, err);
    if (!st)
        st = hal_host_set(rt->host, "wait_for_folder", config->wait_for_folder ? "yes" : NULL, err);
    if (!st)
        st = hal_host_set(rt->host, "keep_bad", config->keep_bad ? "yes" : NULL, err);
    if (!st)
        st = hal_host_set(rt->host, "offline", config->offline ? "yes" : NULL, err);
    return st;
}

hal_runtime *hal_runtime_new(const hal_config *config, char *why, size_t why_size_bytes)
{
    hal_err err = HAL_ERR_INIT;
    hal_runtime *rt = NULL;
    if (!config || config->struct_size != sizeof *config)
        hal_err_set(&err, HAL_E_USAGE, "hal_config.struct_size must be sizeof(hal_config)");
    else if (config->retry_after_max_s < 0 || config->retry_after_max_s > 10000000)
        hal_err_set(&err, HAL_E_USAGE, "hal_config.retry_after_max_s must be 0 to 1e7");
    else if (!(rt = hal_calloc(1, sizeof *rt)))
        hal_err_nomem(&err, sizeof *rt);
    if (rt) {
        rt->err = HAL_ERR_INIT;
        atomic_init(&rt->interrupted, false);
        rt->clock = hal_clock_system();
        if (open_runtime(rt, config, &err)) {
            hal_runtime_free(rt);
            rt = NULL;
        }
    }
    if (config && config->struct_size == sizeof *config && config->status)
        *config->status = err.status;
    if (why && why_size_bytes > 0)
        snprintf(why, why_size_bytes, "%s", err.text);
    return rt;
}

void hal_runtime_free(hal_runtime *rt)
{
    if (!rt)
        return;
    hal_host_free(rt->host);
    hal_loop_free(rt->loop);
    hal_free(rt);
}

/* Jobs */

static void set_text(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

/* (job) -> main, verb, arguments */
static int push_call(lua_State *L)
{
    const hal_job *job = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "halyard.workflow");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "main");
    lua_pushstring(L, job->verb);
    lua_newtable(L);
    set_text(L, "workflow", job->workflow);
    set_text(L, "format", job->format);
    set_text(L, "plot", job->plot);
    set_text(L, "regions", job->regions);
    set_text(L, "moc", job->moc);
    set_text(L, "export", job->list_for);
    set_text(L, "output", hal_host_setting(hal_host_of(L), "output"));
    lua_newtable(L);
    for (size_t i = 0; i < job->n_params; i++) {
        if (job->params[i].value)
            lua_pushstring(L, job->params[i].value);
        else
            lua_pushboolean(L, true);
        lua_setfield(L, -2, job->params[i].name);
    }
    lua_setfield(L, -2, "params");
    lua_newtable(L);
    for (size_t i = 0; i < job->n_options; i++) {
        lua_pushstring(L, job->options[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "options");
    return 3;
}

hal_status hal_runtime_start(hal_runtime *rt, const hal_job *job)
{
    rt->err = HAL_ERR_INIT;
    if (!job || job->struct_size != sizeof *job || !job->verb)
        return hal_err_set(&rt->err, HAL_E_USAGE,
                           "hal_job.struct_size must be sizeof(hal_job), "
                           "its verb must be set");
    lua_State *L = hal_host_state(rt->host);
    lua_pushcfunction(L, push_call);
    lua_pushlightuserdata(L, (void *)job);
    if (lua_pcall(L, 1, 3, 0) != LUA_OK) {
        hal_error_from_lua(L, -1, &rt->err);
        lua_settop(L, 0);
        return rt->err.status;
    }
    return hal_host_start(rt->host, L, 2, &rt->err);
}

hal_status hal_runtime_step(hal_runtime *rt, int timeout_ms, bool *running)
{
    rt->err = HAL_ERR_INIT;
    hal_status st = hal_host_step(rt->host, timeout_ms, running, &rt->err);
    if (!*running) {
        lua_settop(hal_host_state(rt->host), 0);
        if (st) /* an interrupt may come between a lock and the variable that closes it */
            lua_gc(hal_host_state(rt->host), LUA_GCCOLLECT);
        atomic_store(&rt->interrupted, false);
    }
    return st;
}

hal_status hal_runtime_run(hal_runtime *rt, const char *workflow, const hal_pair *params,
                           size_t n_params)
{
    hal_job job = {.struct_size = sizeof job,
                   .verb = "run",
                   .workflow = workflow,
                   .params = params,
                   .n_params = n_params};
    hal_status st = hal_runtime_start(rt, &job);
    bool running = !st;
    while (running)
        st = hal_runtime_step(rt, -1, &running);
    return st;
}

void hal_runtime_interrupt(hal_runtime *rt)
{
    atomic_store(&rt->interrupted, true);
    hal_host_interrupt(rt->host);
}

/* Jobs on files, watched */

enum { PROGRESS_NS = HAL_NS_PER_MS * 200 };

typedef struct watcher {
    hal_host *host;
    int64_t next_ns; /* when progress is due */
} watcher;

static void on_warning(void *ctx, const char *text)
{
    hal_host_log(((watcher *)ctx)->host, "warning", text);
}

static void on_read(void *ctx, const char *label, uint64_t bytes, uint64_t size_bytes)
{
    watcher *w = ctx;
    hal_clock clock = hal_clock_system();
    int64_t now_ns = hal_clock_now_ns(&clock);
    if (now_ns < w->next_ns)
        return;
    w->next_ns = now_ns + PROGRESS_NS;
    const char *slash = strrchr(label, '/');
    char stage[96];
    snprintf(stage, sizeof stage, "reading %.80s", slash ? slash + 1 : label);
    hal_host_progress(w->host, stage, bytes, size_bytes);
}

/* The first second passes without a word. */
static hal_file_watch watch_files(hal_runtime *rt, watcher *w)
{
    hal_clock clock = hal_clock_system();
    *w = (watcher){rt->host, hal_clock_now_ns(&clock) + 5 * PROGRESS_NS};
    return (hal_file_watch){.stop = &rt->interrupted, .say = on_warning, .read = on_read, .ctx = w};
}

bool hal_format_get(size_t i, hal_format_info *info)
{
    hal_format f = hal_format_number(i);
    if (f == HAL_FORMAT_AUTO || !info || info->struct_size != sizeof *info)
        return false;
    info->name = hal_format_name(f);
    info->endings = hal_format_endings(f);
    info->is_read = hal_format_is_read(f);
    info->is_written = hal_format_is_written(f);
    return true;
}

hal_status hal_runtime_convert(hal_runtime *rt, const hal_convert_job *job)
{
    rt->err = HAL_ERR_INIT;
    if (!job || job->struct_size != sizeof *job)
        return hal_err_set(&rt->err, HAL_E_USAGE,
                           "hal_convert_job.struct_size must be sizeof(hal_convert_job)");
    watcher w;
    hal_file_watch watch = watch_files(rt, &w);
    hal_status st = hal_convert(job, &watch, &rt->err);
    atomic_store(&rt->interrupted, false);
    return st;
}

hal_status hal_runtime_read(hal_runtime *rt, const hal_read_job *job, struct ArrowArrayStream *out)
{
    rt->err = HAL_ERR_INIT;
    if (out)
        *out = (struct ArrowArrayStream){0};
    if (!job || job->struct_size != sizeof *job || !job->in || !out)
        return hal_err_set(&rt->err, HAL_E_USAGE,
                           "hal_runtime_read takes a file and a stream, and "
                           "hal_read_job.struct_size must be sizeof(hal_read_job)");
    watcher w;
    hal_file_watch watch = watch_files(rt, &w);
    hal_file_input in = {.path = job->in, .table = job->table, .choice = "--table N"};
    hal_table *t = NULL;
    hal_status st = hal_file_format_read(&in.from, job->from, &rt->err);
    if (!st)
        st = hal_file_read(&t, &in, &watch, &rt->err);
    if (!st)
        st = hal_arrow_export_stream(t, STREAM_ROWS, out, &rt->err);
    hal_table_unref(t);
    atomic_store(&rt->interrupted, false);
    return st;
}

hal_status hal_runtime_write(hal_runtime *rt, struct ArrowArrayStream *in, const char *out,
                             const char *to)
{
    rt->err = HAL_ERR_INIT;
    if (!in || !in->release)
        return hal_err_set(&rt->err, HAL_E_USAGE,
                           "hal_runtime_write takes a stream that is not released");
    watcher w;
    hal_file_watch watch = watch_files(rt, &w);
    hal_format format;
    hal_table *t = NULL;
    hal_status st = hal_file_format(&format, out, to, &rt->err);
    if (!st && !(t = hal_arrow_import_stream(in, &rt->err)))
        st = rt->err.status;
    if (!st)
        st = hal_file_write(t, out, format, &watch, &rt->err);
    hal_table_unref(t);
    atomic_store(&rt->interrupted, false);
    return st;
}

hal_status hal_runtime_show(hal_runtime *rt, const hal_show *show)
{
    rt->err = HAL_ERR_INIT;
    if (!show || show->struct_size != sizeof *show)
        return hal_err_set(&rt->err, HAL_E_USAGE, "hal_show.struct_size must be sizeof(hal_show)");
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    watcher w;
    hal_file_watch watch = watch_files(rt, &w);
    hal_status st = hal_show_file(&text, show, &watch, &rt->err);
    if (!st)
        hal_host_output(rt->host, text.data, text.size_bytes);
    hal_buf_clear(&text);
    atomic_store(&rt->interrupted, false);
    return st;
}

static void warn_placeless(hal_runtime *rt, const char *file, uint64_t n, uint64_t n_rows)
{
    if (n == 0)
        return;
    char text[256];
    snprintf(text, sizeof text, "%.128s: %llu of %llu rows have no position and match nothing",
             file, (unsigned long long)n, (unsigned long long)n_rows);
    hal_host_log(rt->host, "warning", text);
}

hal_status hal_runtime_match(hal_runtime *rt, const hal_match_job *job)
{
    rt->err = HAL_ERR_INIT;
    if (!job || job->struct_size != sizeof *job)
        return hal_err_set(&rt->err, HAL_E_USAGE,
                           "hal_match_job.struct_size must be sizeof(hal_match_job)");
    hal_pairing_account account;
    watcher w;
    hal_file_watch watch = watch_files(rt, &w);
    hal_status st = hal_match_files(job, &account, &watch, &rt->err);
    atomic_store(&rt->interrupted, false);
    if (!st) {
        warn_placeless(rt, job->left, account.n_left_placeless, account.n_left);
        warn_placeless(rt, job->right, account.n_right_placeless, account.n_right);
    }
    return st;
}
