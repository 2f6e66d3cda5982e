/* SPDX-License-Identifier: BSD-3-Clause */
/* An output folder: held by descriptor, entered component by component without following links, so
 * that nothing is ever written outside it; and its state file `.halyard/files`, which says what was
 * put there whole. Blocking calls for worker threads; each locks what it shares. */
#ifndef HAL_NET_FOLDER_H
#define HAL_NET_FOLDER_H

#include "net/file_index.h"

typedef struct hal_folder hal_folder;

enum { HAL_PATH_MAX_BYTES = 2000, HAL_COMPONENT_MAX_BYTES = 240, HAL_SOURCE_MAX_BYTES = 4000 };

/** Touches no disk yet. NULL and HAL_E_NOMEM. */
hal_folder *hal_folder_new(const char *dir, hal_err *err);
void hal_folder_ref(hal_folder *folder);
void hal_folder_unref(hal_folder *folder);
const char *hal_folder_dir(const hal_folder *folder);

/** Relative, no empty, ".", ".." or hidden component, no control character. HAL_E_USAGE. */
hal_status hal_folder_check_path(const char *path, hal_err *err) HAL_MUST_CHECK;

/** Opens the folder and reads its state, once. HAL_E_IO names the folder. */
hal_status hal_folder_open(hal_folder *folder, hal_err *err) HAL_MUST_CHECK;

/** Descriptor of the folder that holds `path` (made when missing); caller closes it. `*name` points
 * to the last component inside `path`. */
hal_status hal_folder_enter(hal_folder *folder, const char *path, int *parent_fd, const char **name,
                            hal_err *err) HAL_MUST_CHECK;

/** The same for one of many: files of a folder that are open at the same time share its descriptor,
 * which hal_folder_leave gives back. */
typedef struct hal_parent {
    struct hal_parent *next;
    int fd, refs;
    char path[]; /* "" or "a/b/" */
} hal_parent;
hal_status hal_folder_enter_shared(hal_folder *folder, const char *path, hal_parent **parent,
                                   const char **name, hal_err *err) HAL_MUST_CHECK;
void hal_folder_leave(hal_folder *folder, hal_parent *parent);

/** The latest line of `path`. */
bool hal_folder_find_line(hal_folder *folder, const char *path, hal_file_line *out);
/** HAL_E_IO, naming both sources and the file, when `path` has a record of another source. */
hal_status hal_folder_check_source(hal_folder *folder, const char *path, const char *source,
                                   hal_err *err) HAL_MUST_CHECK;
/** Appends a record; hal_folder_save forces what was appended to the disk. `source`: what the file
 * is a copy of, at most HAL_SOURCE_MAX_BYTES without control characters. */
hal_status hal_folder_record(hal_folder *folder, const char *path, const hal_file_record *record,
                             const char *source, const char *etag, hal_err *err) HAL_MUST_CHECK;
hal_status hal_folder_save(hal_folder *folder, hal_err *err) HAL_MUST_CHECK;

typedef enum hal_entry_kind { HAL_ENTRY_NONE, HAL_ENTRY_FILE, HAL_ENTRY_OTHER } hal_entry_kind;
typedef struct hal_entry {
    hal_entry_kind kind;
    uint64_t bytes;
    int64_t mtime_ns;
} hal_entry;
/** What `name` is, links not followed. */
hal_status hal_entry_look(int parent_fd, const char *name, hal_entry *out,
                          hal_err *err) HAL_MUST_CHECK;
hal_status hal_entry_of_fd(int fd, hal_entry *out, hal_err *err) HAL_MUST_CHECK;
/** Opens or creates the regular file `name` for this process alone, and says what it is; HAL_E_IO
 * when another one holds it. */
hal_status hal_entry_open_alone(int parent_fd, const char *name, int *fd, hal_entry *out,
                                hal_err *err) HAL_MUST_CHECK;
/** Renames within the folder; hal_entry_save forces the folder to the disk. An existing `to` is
 * kept and HAL_E_IO returned unless `replace`. */
hal_status hal_entry_rename(int parent_fd, const char *from, const char *to, bool replace,
                            hal_err *err) HAL_MUST_CHECK;
hal_status hal_entry_save(int parent_fd, hal_err *err) HAL_MUST_CHECK;

#endif
