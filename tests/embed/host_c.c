/* SPDX-License-Identifier: BSD-3-Clause */
/* A host program in C: several runtimes, stepping, interrupt from another thread. */
#include <halyard.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_failed;
#define CHECK(cond) check((cond), #cond, __LINE__)
static void check(bool ok, const char *what, int line)
{
    if (!ok) {
        printf("line %d: %s\n", line, what);
        n_failed++;
    }
}

typedef struct seen {
    char text[4096];
    size_t n;
    int n_events;
} seen;

static void on_output(void *ctx, const char *text, size_t size_bytes)
{
    seen *s = ctx;
    if (size_bytes < sizeof s->text - s->n) {
        memcpy(s->text + s->n, text, size_bytes);
        s->n += size_bytes;
    }
}

static void on_event(void *ctx, const char *kind, const char *json)
{
    seen *s = ctx;
    s->n_events++;
    CHECK(!strcmp(kind, "log") || !strcmp(kind, "progress"));
    CHECK(json[0] == '{');
}

static const char *workflow(const char *name)
{
    static char path[4][1024];
    static int i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/tests/cli/workflows/%s.lua", getenv("HALYARD_SOURCE"),
             name);
    return path[i];
}

static hal_runtime *new_runtime(seen *s, const char *output)
{
    hal_config config = {.struct_size = sizeof config,
                         .output = output,
                         .on_event = on_event,
                         .on_output = on_output,
                         .ctx = s};
    char why[256];
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    CHECK(rt != NULL);
    CHECK(why[0] == '\0');
    return rt;
}

static void a_workflow_runs_and_gives_its_result(void)
{
    seen s = {0};
    hal_runtime *rt = new_runtime(&s, "out-one");
    const hal_pair who = {"who", "C"};
    CHECK(hal_runtime_run(rt, workflow("hello"), &who, 1) == HAL_OK);
    CHECK(!strcmp(hal_runtime_error(rt), ""));
    CHECK(strstr(s.text, "hello C") != NULL);
    CHECK(s.n_events > 0);
    CHECK(hal_runtime_run(rt, workflow("hello"), NULL, 0) == HAL_OK);
    CHECK(strstr(s.text, "hello world") != NULL);
    hal_runtime_free(rt);
}

static void two_runtimes_step_side_by_side(void)
{
    seen s[2] = {{{0}, 0, 0}, {{0}, 0, 0}};
    hal_runtime *rt[2] = {new_runtime(&s[0], "out-a"), new_runtime(&s[1], "out-b")};
    const hal_pair params[2][2] = {{{"who", "first"}, {"wait", "0.02"}},
                                   {{"who", "second"}, {"wait", "0.01"}}};
    bool running[2] = {true, true};
    for (int i = 0; i < 2; i++) {
        hal_job job = {.struct_size = sizeof job,
                       .verb = "run",
                       .workflow = workflow("hello"),
                       .params = params[i],
                       .n_params = 2};
        CHECK(hal_runtime_start(rt[i], &job) == HAL_OK);
        CHECK(hal_runtime_start(rt[i], &job) == HAL_E_USAGE);
    }
    while (running[0] || running[1])
        for (int i = 0; i < 2; i++)
            if (running[i])
                CHECK(hal_runtime_step(rt[i], 1, &running[i]) == HAL_OK);
    CHECK(strstr(s[0].text, "hello first") && !strstr(s[0].text, "second"));
    CHECK(strstr(s[1].text, "hello second") && !strstr(s[1].text, "first"));
    hal_runtime_free(rt[0]);
    hal_runtime_free(rt[1]);
}

static void *interrupt(void *rt)
{
    hal_runtime_interrupt(rt);
    return NULL;
}

/* `busy` "true": the script computes inside pcall and never waits. */
static void another_thread_interrupts(const char *busy)
{
    seen s = {0};
    hal_runtime *rt = new_runtime(&s, "out-interrupt");
    const hal_pair param = {"busy", busy};
    hal_job job = {.struct_size = sizeof job,
                   .verb = "run",
                   .workflow = workflow("sleeper"),
                   .params = &param,
                   .n_params = 1};
    CHECK(hal_runtime_start(rt, &job) == HAL_OK);
    pthread_t thread;
    bool running = true;
    hal_status st = HAL_OK;
    bool started = pthread_create(&thread, NULL, interrupt, rt) == 0;
    CHECK(started);
    while (started && running)
        st = hal_runtime_step(rt, -1, &running);
    pthread_join(thread, NULL);
    CHECK(st == HAL_E_CANCELLED);
    CHECK(hal_exit_code(st) == 130);
    char recorded[1024];
    snprintf(recorded, sizeof recorded, "%s/data/mashup/caom.json", getenv("HALYARD_SHARED"));
    hal_convert_job convert = {.struct_size = sizeof convert, .in = recorded, .out = "out.csv"};
    CHECK(hal_runtime_convert(rt, &convert) == HAL_OK);
    CHECK(hal_runtime_run(rt, workflow("hello"), NULL, 0) == HAL_OK);
    hal_runtime_free(rt);
}

static void a_runtime_can_be_freed_while_it_runs(void)
{
    seen s = {0};
    hal_runtime *rt = new_runtime(&s, "out-freed");
    hal_job job = {.struct_size = sizeof job, .verb = "run", .workflow = workflow("sleeper")};
    CHECK(hal_runtime_start(rt, &job) == HAL_OK);
    bool running = false;
    CHECK(hal_runtime_step(rt, 0, &running) == HAL_OK);
    CHECK(running);
    hal_runtime_free(rt);
    hal_runtime_free(NULL);
}

/* Every format has a name and is read or written; some file is told by its ending. */
static void formats_are_listed(void)
{
    hal_format_info f = {.struct_size = sizeof f};
    size_t n = 0, n_read = 0, n_written = 0;
    bool fits = false;
    for (; hal_format_get(n, &f); n++) {
        CHECK(f.name[0] && (f.is_read || f.is_written));
        n_read += f.is_read;
        n_written += f.is_written;
        fits = fits || (!strcmp(f.name, "fits") && strstr(f.endings, ".fits") != NULL);
    }
    CHECK(fits && n_read < n && n_written < n);
    CHECK(!hal_format_get(0, NULL));
    f.struct_size--;
    CHECK(!hal_format_get(0, &f));
}

static void failures_have_a_status_and_one_line(void)
{
    seen s = {0};
    hal_runtime *rt = new_runtime(&s, "out-failures");
    CHECK(hal_runtime_run(rt, "no/such.lua", NULL, 0) == HAL_E_NOT_FOUND);
    CHECK(strstr(hal_runtime_error(rt), "no/such.lua") != NULL);
    const hal_pair wrong = {"whom", "x"};
    CHECK(hal_runtime_run(rt, workflow("hello"), &wrong, 1) == HAL_E_USAGE);
    CHECK(strstr(hal_runtime_error(rt), "whom") && !strchr(hal_runtime_error(rt), '\n'));
    CHECK(hal_runtime_run(rt, workflow("broken"), NULL, 0) == HAL_E_SCRIPT);
    CHECK(strstr(hal_runtime_error(rt), "no luck today") != NULL);
    hal_convert_job convert = {.struct_size = sizeof convert, .in = "no-such-file"};
    CHECK(hal_runtime_convert(rt, &convert) == HAL_E_NOT_FOUND);
    convert.struct_size--;
    CHECK(hal_runtime_convert(rt, &convert) == HAL_E_USAGE);
    bool running = true;
    CHECK(hal_runtime_step(rt, 0, &running) == HAL_E_USAGE && !running);
    hal_runtime_free(rt);

    char why[256];
    hal_config config = {.struct_size = 1};
    CHECK(hal_runtime_new(&config, why, sizeof why) == NULL && why[0]);
    config = (hal_config){.struct_size = sizeof config, .archive = "not a URL"};
    CHECK(hal_runtime_new(&config, why, sizeof why) == NULL && strstr(why, "not a URL"));
}

int main(void)
{
    CHECK(!strcmp(hal_version(), HAL_VERSION));
    a_workflow_runs_and_gives_its_result();
    two_runtimes_step_side_by_side();
    another_thread_interrupts("false");
    another_thread_interrupts("true");
    a_runtime_can_be_freed_while_it_runs();
    formats_are_listed();
    failures_have_a_status_and_one_line();
    return n_failed == 0 ? 0 : 1;
}
