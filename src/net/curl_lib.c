/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/curl_lib.h"

#include "base/library.h"

#include <pthread.h>
#include <stdio.h>

static hal_curl curl;
static hal_crypto crypto;
static char curl_why[256], crypto_why[256];

static void load_curl(void)
{
    const hal_symbol symbols[] = {
        {"curl_global_init", &curl.global_init},
        {"curl_easy_init", &curl.easy_init},
        {"curl_easy_cleanup", &curl.easy_cleanup},
        {"curl_easy_setopt", &curl.easy_setopt},
        {"curl_easy_getinfo", &curl.easy_getinfo},
        {"curl_easy_pause", &curl.easy_pause},
        {"curl_easy_strerror", &curl.easy_strerror},
        {"curl_multi_init", &curl.multi_init},
        {"curl_multi_cleanup", &curl.multi_cleanup},
        {"curl_multi_setopt", &curl.multi_setopt},
        {"curl_multi_add_handle", &curl.multi_add_handle},
        {"curl_multi_remove_handle", &curl.multi_remove_handle},
        {"curl_multi_socket_action", &curl.multi_socket_action},
        {"curl_multi_info_read", &curl.multi_info_read},
        {"curl_multi_strerror", &curl.multi_strerror},
        {"curl_slist_append", &curl.slist_append},
        {"curl_slist_free_all", &curl.slist_free_all},
        {"curl_url", &curl.url},
        {"curl_url_dup", &curl.url_dup},
        {"curl_url_cleanup", &curl.url_cleanup},
        {"curl_url_set", &curl.url_set},
        {"curl_url_get", &curl.url_get},
        {"curl_url_strerror", &curl.url_strerror},
        {"curl_free", &curl.free},
        {0},
    };
    hal_library_load("libcurl.so.4", symbols, curl_why, sizeof curl_why);
    if (!curl_why[0] && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        snprintf(curl_why, sizeof curl_why, "libcurl cannot be initialised");
}

static void load_crypto(void)
{
    const hal_symbol symbols[] = {
        {"EVP_MD_CTX_new", &crypto.ctx_new},   {"EVP_MD_CTX_free", &crypto.ctx_free},
        {"EVP_MD_fetch", &crypto.fetch},       {"EVP_md5", &crypto.md5},
        {"EVP_DigestInit_ex", &crypto.init},   {"EVP_DigestUpdate", &crypto.update},
        {"EVP_DigestFinal_ex", &crypto.final}, {0},
    };
    hal_library_load("libcrypto.so.3", symbols, crypto_why, sizeof crypto_why);
    if (!crypto_why[0] && !(crypto.sha256 = crypto.fetch(NULL, "SHA256", NULL)))
        snprintf(crypto_why, sizeof crypto_why, "libcrypto has no SHA-256");
}

static hal_tls tls;
static char tls_why[256];

static void load_tls(void)
{
    const hal_symbol symbols[] = {
        {"SSL_peek", &tls.peek}, {"SSL_get0_alpn_selected", &tls.alpn}, {0}};
    hal_library_load("libssl.so.3", symbols, tls_why, sizeof tls_why);
}

const hal_tls *hal_tls_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_tls);
    return tls_why[0] ? NULL : &tls;
}

const hal_curl *hal_curl_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_curl);
    if (!curl_why[0])
        return &curl;
    hal_err_set(err, HAL_E_IO, "the network library is missing: %s; install package libcurl4",
                curl_why);
    return NULL;
}

const hal_crypto *hal_crypto_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_crypto);
    if (!crypto_why[0])
        return &crypto;
    hal_err_set(err, HAL_E_IO, "the checksum library is missing: %s; install package libssl3",
                crypto_why);
    return NULL;
}
