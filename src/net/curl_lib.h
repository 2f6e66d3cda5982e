/* SPDX-License-Identifier: BSD-3-Clause */
/* libcurl and libcrypto as tables of functions, loaded at first use: linking them would cost every
 * start of the program 3.4 ms and 6.5 MiB, network or not. Only their headers are used to build. */
#ifndef HAL_NET_CURL_LIB_H
#define HAL_NET_CURL_LIB_H

#include "base/status.h"

#include <curl/curl.h>
#include <openssl/types.h>

typedef struct hal_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *easy);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    CURLcode (*easy_pause)(CURL *easy, int mask);
    const char *(*easy_strerror)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_socket_action)(CURLM *multi, curl_socket_t fd, int events, int *n_running);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *n_left);
    const char *(*multi_strerror)(CURLMcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLU *(*url)(void);
    CURLU *(*url_dup)(const CURLU *url);
    void (*url_cleanup)(CURLU *url);
    CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
    CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **text, unsigned flags);
    const char *(*url_strerror)(CURLUcode code);
    void (*free)(void *text);
} hal_curl;

typedef struct hal_crypto {
    EVP_MD_CTX *(*ctx_new)(void);
    void (*ctx_free)(EVP_MD_CTX *ctx);
    const EVP_MD *(*md5)(void);
    EVP_MD *(*fetch)(OSSL_LIB_CTX *library, const char *name, const char *properties);
    const EVP_MD *sha256; /* fetched: a digest begun with EVP_sha256() looks for it each time */
    int (*init)(EVP_MD_CTX *ctx, const EVP_MD *type, ENGINE *engine);
    int (*update)(EVP_MD_CTX *ctx, const void *bytes, size_t n);
    int (*final)(EVP_MD_CTX *ctx, unsigned char *digest, unsigned *n);
} hal_crypto;

typedef struct hal_tls {
    int (*peek)(SSL *ssl, void *bytes, int n);
    void (*alpn)(const SSL *ssl, const unsigned char **name, unsigned *n);
} hal_tls;
/** That which libcurl uses; NULL when it uses another. */
const hal_tls *hal_tls_load(void);

/** The loaded library, alive until the process ends; any thread. NULL and `err` (HAL_E_IO, naming
 * the package to install) when it cannot be loaded. */
const hal_curl *hal_curl_load(hal_err *err);
const hal_crypto *hal_crypto_load(hal_err *err);

#endif
