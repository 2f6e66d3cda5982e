/* SPDX-License-Identifier: BSD-3-Clause */
/* Halyard as a library: run workflows from a program of your own. C and C++. Several runtimes may
 * live in one process, each used by one thread at a time; only hal_runtime_interrupt may be called
 * from any thread and from a signal handler.
 *
 * Text is UTF-8, borrowed for the call unless said otherwise. A function that fails returns its
 * status and leaves a one-line text in hal_runtime_error. */
#ifndef HALYARD_H
#define HALYARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define HAL_API __attribute__((visibility("default")))
#else
#define HAL_API
#endif

#define HAL_VERSION_MAJOR 0
#define HAL_VERSION_MINOR 1
#define HAL_VERSION_PATCH 0
#define HAL_VERSION "0.1.0"

/** Raised by every addition; workflows state the level they need. */
#define HAL_API_LEVEL 2

#ifndef HAL_BASE_STATUS_H /* inside the library the same list comes from base/status.def */
/** What became of a call. The value of each name never changes within a major version. */
typedef enum hal_status {
    HAL_OK,
    HAL_E_SCRIPT,     /* a workflow raised an error of its own */
    HAL_E_INTERNAL,   /* a broken invariant of ours */
    HAL_E_USAGE,      /* wrong argument, option, parameter, column name */
    HAL_E_NOT_FOUND,  /* the thing named does not exist: target, service, file */
    HAL_E_PARTIAL,    /* some items of a batch failed; the report lists them */
    HAL_E_NETWORK,    /* name, connection, TLS, reset before a complete answer */
    HAL_E_TIMEOUT,    /* a deadline passed */
    HAL_E_ARCHIVE,    /* the archive answered that it failed */
    HAL_E_PROTOCOL,   /* the answer is not what was asked for */
    HAL_E_BUSY,       /* the archive asked to wait */
    HAL_E_IO,         /* local disk, folder, lock, port */
    HAL_E_PERMISSION, /* not granted, or the archive wants credentials */
    HAL_E_INTEGRITY,  /* cut, flipped or inconsistent bytes */
    HAL_E_TRUNCATED,  /* a result that is or may be incomplete */
    HAL_E_BUDGET,     /* a budget is used up: time, memory, rows, requests, bytes */
    HAL_E_NOMEM,      /* the machine has no more memory */
    HAL_E_REPLAY,     /* the journal does not hold what was asked */
    HAL_E_CANCELLED,  /* interrupted */
    HAL_STATUS_COUNT
} hal_status;
#endif

/** "0.1.0": of the library that is loaded, which may differ from HAL_VERSION. */
HAL_API const char *hal_version(void);
/** Exit code that the command gives for a status, 0 to 130. */
HAL_API int hal_exit_code(hal_status status);

/** A named text. */
typedef struct hal_pair {
    const char *name, *value;
} hal_pair;

/** Everything is optional: {.struct_size = sizeof(hal_config)} is a complete configuration. Copied
 * by hal_runtime_new; the callbacks run inside calls on the runtime, on the caller's thread. */
typedef struct hal_config {
    size_t struct_size; /* sizeof(hal_config) */
    /** Where questions go: NULL or "mast" is the real archive, else the base URL of a stand-in.
     * A loopback URL gives permission to contact that host, and then only the hosts named here. */
    const char *archive;
    /** Base URLs of single interfaces, "mashup" or "download", before `archive`. */
    const hal_pair *bases;
    size_t n_bases;
    /** Which reading holds of what MAST's documents leave open: "wfc3-psf", "Wfc3"
     * (docs/archives/readings.md). Names and choices are checked when a workflow begins. */
    const hal_pair *readings;
    size_t n_readings;
    /** Folder that workflows write below; NULL: "NAME-out" in the working directory. */
    const char *output;
    /** Folders in which workflows are looked up by name, separated by ':'. */
    const char *workflow_path;
    size_t memory_max_bytes; /* of the scripts; 0: 256 MiB */
    int64_t cpu_max_ms;      /* compute time of the scripts; 0: 60,000 */
    bool private_net;        /* loopback and private addresses may be contacted */
    /** PEM file with certificate authorities that are trusted beside the system's; NULL: none. */
    const char *ca_file;
    /** Proxy of every request, "http://[user:password@]host:port"; NULL: none. */
    const char *proxy;
    bool proxy_from_env; /* else http_proxy and its kind are not looked at */
    /** Whoever asks to wait longer than that (Retry-After) is not waited for; 0: 900. */
    int64_t retry_after_max_s;
    bool restart; /* what interrupted runs left in the output folder is asked again */
    /** Another run in the output folder is waited for; else it is HAL_E_IO. */
    bool wait_for_folder;
    bool keep_bad; /* the bytes of a downloaded file that is damaged stay, as NAME.bad */
    bool offline;  /* no request is sent: what needs one fails with HAL_E_USAGE */
    /** What happens: kind "progress" or "log", and a JSON object as text. Fields of "progress":
     * stage, done, known, unit, rows, rows_expected, bytes, elapsed_s, each only where it is
     * known; of "log": level (debug, info, warning, error), text.
     */
    void (*on_event)(void *ctx, const char *kind, const char *json);
    /** Result text of a workflow; NULL: it is dropped. */
    void (*on_output)(void *ctx, const char *text, size_t size_bytes);
    void *ctx;
    hal_status *status; /* receives that of hal_runtime_new; NULL: not wanted */
} hal_config;

typedef struct hal_runtime hal_runtime;

/** NULL on failure; then `why` (may be NULL) receives the reason. The caller frees the runtime. */
HAL_API hal_runtime *hal_runtime_new(const hal_config *config, char *why, size_t why_size_bytes);
/** Ends what still runs and frees everything. NULL is fine. */
HAL_API void hal_runtime_free(hal_runtime *rt);

/** Runs a workflow, given by path (with a '/' or ".lua") or by name, to its end. */
HAL_API hal_status hal_runtime_run(hal_runtime *rt, const char *workflow, const hal_pair *params,
                                   size_t n_params);

/** One thing to do, for hal_runtime_start. */
typedef struct hal_job {
    size_t struct_size;   /* sizeof(hal_job) */
    const char *verb;     /* "run", "plan", "list", "help" or "check"; "verify" or "retry" */
    const char *workflow; /* path or name; NULL for "list"; of "verify" and "retry" the folder */
    /** A NULL value is a flag that is set. Of "retry": allow_host, hosts split by ','. */
    const hal_pair *params;
    size_t n_params;
    const char *format; /* of the result text: "table" (default), "json" or "csv" */
    /** Names of the host program's own options, for "did you mean" of a misspelt parameter. */
    const char *const *options;
    size_t n_options;
    /** Files to write, relative to the working directory, or NULL. One for each query that goes by
     * sky tiles: those of the second and later ones are named FILE-2.svg, FILE-3.svg ... Verb
     * "plan": what is predicted; "run": what came, also when the run fails. */
    const char *plot;     /* picture of the sky tiles: .svg, .png or .pdf */
    const char *regions;  /* the tiles as regions for DS9 */
    const char *moc;      /* the region asked as a coverage map: .fits, .json or .txt */
    const char *list_for; /* verb "run", "curl" or "aria2": downloads are not done but listed for
                           * that program, in DIR/download.sh or DIR/download.aria2 */
} hal_job;

/** Starts a job; hal_runtime_step drives it. One job at a time. */
HAL_API hal_status hal_runtime_start(hal_runtime *rt, const hal_job *job);
/** Does what can be done now, else waits at most `timeout_ms` (-1: until something happens) for
 * something to do. *running becomes false when the job has ended; then the status is the job's. */
HAL_API hal_status hal_runtime_step(hal_runtime *rt, int timeout_ms, bool *running);
/** Ends the job soon, with HAL_E_CANCELLED. Any thread, and from a signal handler. */
HAL_API void hal_runtime_interrupt(hal_runtime *rt);

/* Which table of a file of several is read, wherever a `table` is asked for: its number among the
 * tables of the file, from 1, or its name (TABLE name or ID of a VOTable, EXTNAME of FITS); what is
 * not there is HAL_E_USAGE with the list of what is. NULL: the first, of a VOTable the first of its
 * results; that there are others is then logged as a warning. */

/** What to show of a file, for hal_runtime_show. */
typedef struct hal_show {
    size_t struct_size; /* sizeof(hal_show) */
    const char *in;     /* path; "-": standard input */
    const char *from;   /* format; NULL: recognised from the bytes */
    int64_t rows;       /* how many rows to print, at most 100,000; negative: 10 */
    bool stats;         /* count of values and nulls, minimum, maximum and mean of each column */
    bool json;          /* as JSON instead of text for people */
    const char *table;  /* as above */
} hal_show;

/** Gives the columns of a table (type, unit, UCD, description) and its first rows to
 * hal_config.on_output. Reads the whole input in memory that does not grow with its rows. */
HAL_API hal_status hal_runtime_show(hal_runtime *rt, const hal_show *show);

/** A file to write in another format, for hal_runtime_convert. */
typedef struct hal_convert_job {
    size_t struct_size; /* sizeof(hal_convert_job) */
    const char *in;     /* recorded answer or table; "-": standard input */
    const char *out;    /* NULL or "-": standard output */
    const char *from;   /* a format's name; NULL or "auto": recognised from the bytes */
    const char *to;     /* a format's name; NULL: by the ending of `out`, else csv */
    const char *table;  /* as above */
} hal_convert_job;

/** Memory does not grow with the rows; where a column's type is only known at the end, the input
 * is read twice (a pipe through a temporary file in TMPDIR). What the output's format cannot
 * express is logged as warnings that name the columns, also by hal_runtime_match. A cut or damaged
 * input is HAL_E_INTEGRITY and leaves no file. */
HAL_API hal_status hal_runtime_convert(hal_runtime *rt, const hal_convert_job *job);

/** A format of files, for hal_format_get. */
typedef struct hal_format_info {
    size_t struct_size;  /* sizeof(hal_format_info), set by the caller */
    const char *name;    /* for `from` and `to` */
    const char *endings; /* of file names, ".fits .fit"; "": none tells it */
    bool is_read, is_written;
} hal_format_info;

/** Format number `i`, from 0, in the order in which inputs are recognised; the texts are static.
 * False: there is none, or struct_size is wrong. */
HAL_API bool hal_format_get(size_t i, hal_format_info *info);

/** A positional match of two files, for hal_runtime_match. */
typedef struct hal_match_job {
    size_t struct_size;             /* sizeof(hal_match_job) */
    const char *left, *right, *out; /* "-": standard input (one of the two); out NULL or "-" */
    const char *radius;             /* with its unit: "1 arcsec"; or a column of `left` with
                                     * the radius of each row: "err", "err arcsec" */
    const char *mode;               /* NULL or "best": the nearest for each left row; "symmetric":
                                     * each is the nearest of the other; "all": every pair;
                                     * "nearest": the n_nearest nearest */
    const char *ra1, *dec1;         /* position columns of `left` in degrees; NULL: found by UCD */
    const char *ra2, *dec2;         /* or name; likewise of `right` */
    const char *to;                 /* format of `out`; NULL: by its name, else csv */
    const char *radius2;            /* NULL, or a column of `right`: added to the left radius */
    uint32_t n_nearest;             /* mode nearest: 1 to 1000; 0: 1 */
    const char *how;                /* NULL or "inner"; "left": unmatched left rows stay, with
                                     * nulls; not in mode symmetric */
    /* Columns with the proper motions in mas/yr, that of RA times cos(dec), as "pmra,pmdec";
     * "auto": found by UCD or name; NULL: the positions stand still. */
    const char *pm1, *pm2;
    const char *epoch1,
        *epoch2;    /* Julian year of the positions: "2016.0", or with motions a column */
    const char *at; /* Julian year to compare at; NULL: the epoch of the side that has
                     * no motions */
    const char *table1, *table2; /* of `left` and `right`, as above */
} hal_match_job;

/** Reads two tables and writes one row per pair of rows whose positions lie within the radius:
 * columns of `left`, columns of `right` ("_2" appended where the name is taken), sep_arcsec. Rows
 * without a position match nothing; how many there are is logged as a warning. */
HAL_API hal_status hal_runtime_match(hal_runtime *rt, const hal_match_job *job);

/* The Arrow C data and C stream interface, word for word from the Arrow specification: a program
 * with definitions of its own keeps those, whichever header comes first. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/** A table to read, for hal_runtime_read. */
typedef struct hal_read_job {
    size_t struct_size; /* sizeof(hal_read_job) */
    const char *in;     /* recorded answer or table; "-": standard input */
    const char *from;   /* as in hal_convert_job */
    const char *table;  /* as above */
} hal_read_job;

/** Reads a table into memory and gives it to the caller as a stream of struct arrays of at most
 * 65,536 rows, which share that memory. What is known of a column (unit, ucd, description, ...) is
 * metadata of its schema; docs/embedding.md lists types and keys. The caller releases the stream,
 * and what was taken out of it, in any order, on any thread, also after the runtime. After a
 * failure out->release is NULL. */
HAL_API hal_status hal_runtime_read(hal_runtime *rt, const hal_read_job *job,
                                    struct ArrowArrayStream *out);
/** Writes the rows that are left in `in`, a stream of struct arrays, to `out` (NULL or "-":
 * standard output), in the format `to` or, when that is NULL, by the ending of `out`, else csv. The
 * rows are copied into memory first; the caller goes on owning the stream and releases it. A type
 * that a table cannot hold is HAL_E_USAGE with the column's name, a failure of the stream HAL_E_IO
 * with its text; neither leaves a file. Warnings as of hal_runtime_convert. */
HAL_API hal_status hal_runtime_write(hal_runtime *rt, struct ArrowArrayStream *in, const char *out,
                                     const char *to);

/** One line: what failed and what to do. "" after success; valid until the next call on `rt`. */
HAL_API const char *hal_runtime_error(const hal_runtime *rt);

#ifdef __cplusplus
}
#endif
#endif
