/* SPDX-License-Identifier: BSD-3-Clause */
/* The YAML that ECSV headers are made of: block and flow collections, plain, quoted, literal and
 * folded texts over several lines, comments; tags and anchors are passed over, an alias is the text
 * "*name". Not YAML in general: no documents, directives or complex keys. Private to this folder.
 */
#ifndef HAL_DATA_YAML_H
#define HAL_DATA_YAML_H

#include "base/slice.h"
#include "base/status.h"

typedef enum hal_yaml_kind { HAL_YAML_TEXT, HAL_YAML_LIST, HAL_YAML_MAP } hal_yaml_kind;

typedef struct hal_yaml {
    hal_yaml_kind kind;
    bool quoted;
    const char *key;  /* of an entry of a map; else NULL */
    const char *text; /* HAL_YAML_TEXT; else "" */
    struct hal_yaml *first, *next;
    struct hal_yaml *older; /* all nodes of a document, for the end */
} hal_yaml;

/** The root node. Fails with HAL_E_INTEGRITY naming the line, HAL_E_BUDGET (depth 64). */
hal_yaml *hal_yaml_parse(hal_slice text, hal_err *err);
/** All nodes of the document of this root. */
void hal_yaml_free(hal_yaml *root);
/** The entry of a map (or of a list of maps, "!!omap"); NULL when absent. */
const hal_yaml *hal_yaml_get(const hal_yaml *map, const char *key);
/** The text of an entry, NULL when absent or null. */
const char *hal_yaml_text(const hal_yaml *map, const char *key);

#endif
