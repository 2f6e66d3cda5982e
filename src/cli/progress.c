/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/progress.h"

#include "cli/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double TERMINAL_S = 0.1, LINES_S = 2;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_begin(progress *p, bool quiet, bool json)
{
    *p = (progress){.style = json                    ? PROGRESS_JSON
                             : quiet                 ? PROGRESS_QUIET
                             : isatty(STDERR_FILENO) ? PROGRESS_TERMINAL
                                                     : PROGRESS_LINES};
    p->started_s = p->stage_started_s = now_s();
    p->shown_s = -LINES_S;
}

void progress_clear(progress *p)
{
    if (p->on_screen)
        fputs("\r\033[K", stderr);
    p->on_screen = false;
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
}

static void show(progress *p)
{
    if (p->style == PROGRESS_TERMINAL) {
        fprintf(stderr, "\r%.*s\033[K", columns(), p->line);
        fflush(stderr);
        p->on_screen = true;
    } else {
        fprintf(stderr, "%s\n", p->line);
    }
    p->line[0] = '\0';
    p->shown_s = now_s();
}

void progress_tick(progress *p)
{
    double pause_s = p->style == PROGRESS_TERMINAL ? TERMINAL_S : LINES_S;
    if (p->line[0] && now_s() - p->shown_s >= pause_s)
        show(p);
}

static void add(progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(progress *p, const char *fmt, ...)
{
    size_t n = strlen(p->line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->line + n, sizeof p->line - n, fmt, args);
    va_end(args);
}

/* "123 B", "45.6 MB": decimal multiples. */
static void add_bytes(progress *p, double bytes, const char *end)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t i = 0;
    for (; bytes >= 1000 && i < 4; i++)
        bytes /= 1000;
    add(p, "  %.*f %s%s", i > 0, bytes, units[i], end);
}

static void compose(progress *p, const char *json)
{
    char unit[32];
    double done = json_number(json, "done", -1), known = json_number(json, "known", -1);
    double rows = json_number(json, "rows", -1), bytes = json_number(json, "bytes", -1);
    double stage_s = now_s() - p->stage_started_s;
    json_text(json, "unit", unit, sizeof unit);
    snprintf(p->line, sizeof p->line, "%s", p->stage);
    if (done >= 0 && known >= 0)
        add(p, "  %.0f/%.0f %s", done, known, unit);
    else if (done >= 0)
        add(p, "  %.0f %s", done, unit);
    if (rows >= 0)
        add(p, "  %.0f rows", rows);
    if (bytes >= 0)
        add_bytes(p, bytes, "");
    if (bytes >= 0 && stage_s > 0.5)
        add_bytes(p, bytes / stage_s, "/s");
    add(p, "  %.1f s", now_s() - p->started_s);
}

static void on_progress(progress *p, const char *json)
{
    char stage[sizeof p->stage];
    json_text(json, "stage", stage, sizeof stage);
    bool changed = strcmp(stage, p->stage) != 0;
    if (changed) {
        if (p->line[0] && p->stage[0])
            show(p); /* how the last stage ended */
        if (p->style == PROGRESS_TERMINAL && p->on_screen) {
            fputc('\n', stderr);
            p->on_screen = false;
        }
        snprintf(p->stage, sizeof p->stage, "%s", stage);
        p->stage_started_s = now_s();
    }
    compose(p, json);
    if (changed)
        show(p);
    else
        progress_tick(p);
}

static void on_log(progress *p, const char *json)
{
    char level[16], text[8192];
    json_text(json, "level", level, sizeof level);
    json_text(json, "text", text, sizeof text);
    bool serious = !strcmp(level, "warning") || !strcmp(level, "error");
    if (!strcmp(level, "debug") || (p->style == PROGRESS_QUIET && !serious))
        return;
    for (char *c = text; *c; c++) /* nothing may steer the terminal */
        if (((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f)
            *c = '?';
        else if ((unsigned char)*c == 0xc2 && (unsigned char)c[1] - 0x80u < 0x20) /* C1 */
            c[1] = (char)0xbf;
    if (p->line[0] && p->style == PROGRESS_LINES)
        show(p);
    progress_clear(p);
    fprintf(stderr, "%s%s%s\n", serious ? level : "", serious ? ": " : "", text);
}

void progress_event(void *ctx, const char *kind, const char *json)
{
    progress *p = ctx;
    if (p->style == PROGRESS_JSON)
        fprintf(stderr, "{\"event\":\"%s\",\"data\":%s}\n", kind, json);
    else if (!strcmp(kind, "log"))
        on_log(p, json);
    else if (!strcmp(kind, "progress") && p->style != PROGRESS_QUIET)
        on_progress(p, json);
}
