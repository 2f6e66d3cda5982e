/* SPDX-License-Identifier: BSD-3-Clause */
/* Expat as a table of functions, loaded at first use: a start that reads no XML does not pay for
 * it. Only its header is used to build. Private to this folder. */
#ifndef HAL_DATA_EXPAT_LIB_H
#define HAL_DATA_EXPAT_LIB_H

#include "base/status.h"

#include <expat.h>

typedef struct hal_expat {
    XML_Parser (*create)(const XML_Char *encoding, const XML_Memory_Handling_Suite *memory,
                         const XML_Char *separator);
    void (*free)(XML_Parser parser);
    void (*set_user_data)(XML_Parser parser, void *data);
    void (*set_element_handler)(XML_Parser parser, XML_StartElementHandler start,
                                XML_EndElementHandler end);
    void (*set_text_handler)(XML_Parser parser, XML_CharacterDataHandler handler);
    void (*set_cdata_handler)(XML_Parser parser, XML_StartCdataSectionHandler start,
                              XML_EndCdataSectionHandler end);
    void (*set_doctype_handler)(XML_Parser parser, XML_StartDoctypeDeclHandler handler);
    void (*set_declaration_handler)(XML_Parser parser, XML_XmlDeclHandler handler);
    void (*set_skipped_handler)(XML_Parser parser, XML_SkippedEntityHandler handler);
    enum XML_Status (*parse)(XML_Parser parser, const char *text, int n, int is_final);
    enum XML_Status (*stop)(XML_Parser parser, XML_Bool resumable);
    enum XML_Error (*error_code)(XML_Parser parser);
    const XML_LChar *(*error_string)(enum XML_Error code);
    XML_Index (*byte_index)(XML_Parser parser);
    /* From 2.6.0 on, else NULL: events come as soon as their bytes are there. */
    XML_Bool (*set_reparse_deferral)(XML_Parser parser, XML_Bool enabled);
} hal_expat;

/** NULL and HAL_E_IO naming the package when the library is missing. */
const hal_expat *hal_expat_load(hal_err *err);

#endif
