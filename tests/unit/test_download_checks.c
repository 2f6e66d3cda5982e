/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes is whole by its own word, or it does not get its name. */
#include "net/download.h"

#include "support/download_fixture.h"

/* The answer `head` (lines with CRLF) and a body, to every request. */
static got fetch_answer(hal_download_request r, const char *head, const char *body, size_t n,
                        int *n_requests)
{
    size_t n_head = strlen(head);
    char *bytes = malloc(n_head + 2 + n);
    memcpy(bytes, head, n_head);
    memcpy(bytes + n_head, "\r\n", 2);
    memcpy(bytes + n_head + 2, body, n);
    raw_reply reply = {bytes, n_head + 2 + n, RAW_CLOSE};
    raw_server *server = raw_server_start(&reply, 1);
    got g = fetch(r, raw_server_port(server));
    *n_requests = raw_server_requests(server);
    raw_server_stop(server);
    free(bytes);
    return g;
}

/* A body whose end only the server's close shows. */
static got fetch_endless(const char *path, const char *body, size_t n)
{
    int asked;
    return fetch_answer((hal_download_request){.path = path}, "HTTP/1.1 200 OK\r\n", body, n,
                        &asked);
}

static got fetch_sized(hal_download_request r, const char *body, size_t n, int *n_requests)
{
    char head[80];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n", n);
    return fetch_answer(r, head, body, n, n_requests);
}

static void assert_refused(const got *g, const char *path, hal_status status, const char *why)
{
    assert_int_equal(g->result.err.status, status);
    if (!strstr(g->result.err.text, why))
        fail_msg("%s", g->result.err.text);
    assert_false(exists(path));
    assert_nothing_left_but("");
}

static void assert_taken(const got *g, const char *path, const char *warning)
{
    assert_string_equal(g->result.err.text, "");
    if (!strstr(g->result.warning, warning) || !*warning != !*g->result.warning)
        fail_msg("%s", g->result.warning);
    assert_true(exists(path));
    unlink(path_of(path));
}

static void N11_a_fits_file_that_ends_inside_its_data_gets_no_name(void **state)
{
    (void)state;
    got g = fetch_endless("a/b.fits", content, FILE_BYTES - 2880);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside the data of FITS unit 1");
    g = fetch_endless("a/b.fits", content, 2880 - 80);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside a FITS header");
    g = fetch_endless("a/b.fits", content, 5);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside a FITS header");
    g = fetch_endless("a/b.fits", content, FILE_BYTES);
    assert_taken(&g, "a/b.fits", "");
}

static void D7_a_stale_size_is_no_excuse_for_half_a_file(void **state)
{
    (void)state;
    int asked;
    hal_download_request r = {.expect_bytes = FILE_BYTES};
    got g = fetch_sized(r, content, FILE_BYTES / 2, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside the data of FITS unit 1");
    g = fetch_sized(r, content, 2880 + 1, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside");
    g = fetch_sized(r, "no FITS at all", 14, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "does not begin as a FITS file");
}

static void D11_an_odd_fits_file_of_the_right_size_is_taken_with_a_warning(void **state)
{
    (void)state;
    int asked;
    got g = fetch_sized((hal_download_request){0}, "no FITS at all", 14, &asked);
    assert_taken(&g, "a/b.fits", "suspicious: it does not begin as a FITS file");
    assert_int_equal(asked, 1);
    char *more = malloc(FILE_BYTES + 7);
    memcpy(more, content, FILE_BYTES);
    memcpy(more + FILE_BYTES, "trailer", 7);
    g = fetch_sized((hal_download_request){0}, more, FILE_BYTES + 7, &asked);
    assert_taken(&g, "a/b.fits", "suspicious: something that is no block of FITS");
    free(more);
    g = fetch_sized((hal_download_request){0}, content, FILE_BYTES / 2, &asked);
    assert_taken(&g, "a/b.fits", "suspicious: it ends inside the data of FITS unit 1");
    assert_int_equal(asked, 1);
    g = fetch_sized((hal_download_request){0}, content, 2880 - 1, &asked);
    assert_taken(&g, "a/b.fits", "suspicious: it ends inside a FITS header");
    g = fetch_sized((hal_download_request){.expect_bytes = 5760}, content, 5760, &asked);
    assert_taken(&g, "a/b.fits", "suspicious: it ends inside the data");
}

static void N27_an_empty_answer_is_never_the_new_size_of_a_file(void **state)
{
    (void)state;
    int asked;
    got g = fetch_sized((hal_download_request){.expect_bytes = FILE_BYTES}, "", 0, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_PROTOCOL, "an empty file");
    assert_int_equal(asked, 2);
    g = fetch_sized((hal_download_request){0}, "", 0, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_PROTOCOL, "an empty file");
    assert_int_equal(asked, 2);
}

/* "hello" by gzip. */
static const char hello[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36"
                            "\x05\0\0\0";
enum { HELLO_BYTES = sizeof hello - 1 };

static void N11_N15_N16_gzip_without_its_right_end_gets_no_name(void **state)
{
    (void)state;
    char bytes[HELLO_BYTES];
    int asked;
    memcpy(bytes, hello, HELLO_BYTES);
    got g = fetch_endless("a/b.fits.gz", bytes, HELLO_BYTES);
    assert_taken(&g, "a/b.fits.gz", "");
    for (size_t n = 2; n < HELLO_BYTES; n++) {
        g = fetch_endless("a/b.fits.gz", bytes, n);
        assert_refused(&g, "a/b.fits.gz", HAL_E_INTEGRITY, "gzip data is cut or damaged");
    }
    bytes[HELLO_BYTES - 8] ^= 1; /* its check sum */
    hal_download_request r = {.path = "a/b.fits.gz", .expect_bytes = HELLO_BYTES};
    g = fetch_sized(r, bytes, HELLO_BYTES, &asked);
    assert_refused(&g, "a/b.fits.gz", HAL_E_INTEGRITY, "gzip data is cut or damaged");
    assert_int_equal(asked, 3);
}

static void noise_that_begins_like_gzip_is_not_taken_for_a_damaged_one(void **state)
{
    (void)state;
    static const char noise[] = "\x1f\x8b\x92\x33 of a detector";
    got g = fetch_endless("a/b.bin", noise, sizeof noise - 1);
    assert_taken(&g, "a/b.bin", "unverified");
    g = fetch_endless("a/b.gz", noise, sizeof noise - 1);
    assert_refused(&g, "a/b.gz", HAL_E_INTEGRITY, "gzip data is cut or damaged");
    g = fetch_endless("a/b.bin", hello, HELLO_BYTES - 1);
    assert_refused(&g, "a/b.bin", HAL_E_INTEGRITY, "gzip data is cut or damaged");
}

static void a_proof_of_every_byte_outweighs_what_the_file_says(void **state)
{
    (void)state;
    int asked;
    char sha256[HAL_SHA256_TEXT_SIZE];
    hash_of(hello, 20, sha256);
    hal_download_request r = {.path = "a/b.gz", .expect_sha256 = sha256};
    got g = fetch_sized(r, hello, 20, &asked);
    assert_taken(&g, "a/b.gz", "suspicious: its gzip data");
}

static void N15_N16_an_answer_that_is_packed_unasked_is_not_taken_for_the_file(void **state)
{
    (void)state;
    int asked;
    const char *packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
    got g = fetch_answer((hal_download_request){0}, packed, hello, HELLO_BYTES, &asked);
    assert_refused(&g, "a/b.fits", HAL_E_PROTOCOL, "sends it packed (gzip)");
    assert_int_equal(asked, 3);
    /* a habit of servers: the file is gzip in itself */
    hal_download_request r = {.path = "a/b.fits.gz"};
    g = fetch_answer(r, packed, hello, HELLO_BYTES, &asked);
    assert_taken(&g, "a/b.fits.gz", "");
    g = fetch_answer(r, packed, hello, HELLO_BYTES - 1, &asked);
    assert_refused(&g, "a/b.fits.gz", HAL_E_INTEGRITY, "gzip data is cut");
}

/* The least zip: no member, or one of no bytes; comments. */
static const char zip_tail[] = "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0\5\0hello";
enum { ZIP_TAIL_BYTES = sizeof zip_tail - 1 };

static void N11_a_zip_file_needs_its_directory(void **state)
{
    (void)state;
    char bytes[20000] = "PK\3\4";
    for (size_t n = 4; n < 17000; n += 4099) { /* behind few and many bytes */
        memcpy(bytes + n, zip_tail, ZIP_TAIL_BYTES);
        got g = fetch_endless("a/b.zip", bytes, n + ZIP_TAIL_BYTES);
        assert_taken(&g, "a/b.zip", "");
        g = fetch_endless("a/b.zip", bytes, n + ZIP_TAIL_BYTES - 1);
        assert_refused(&g, "a/b.zip", HAL_E_INTEGRITY, "zip directory is missing or cut");
        memset(bytes + n, 0, ZIP_TAIL_BYTES);
    }
}

static void N11_a_votable_must_be_closed(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "<VOTABLE></VOTABLE>",
        "<?xml version='1.0'?>\n<!-- a --><VOTABLE version='1.4'></VOTABLE >\n<!-- end -->\n",
        "\xef\xbb\xbf<!DOCTYPE VOTABLE><v:VOTABLE xmlns:v='u'></v:VOTABLE>",
    };
    static const char *const cut[] = {
        "<VOTABLE><RESOURCE></RESOURCE>",
        "<VOTABLE></VOTABLE",
        "<VOTABLE></VOTABLE> rest",
        "<VOTABLE><TABLE/></VOTABLE><!-- e",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        got g = fetch_endless("a/b.xml", whole[i], strlen(whole[i]));
        assert_taken(&g, "a/b.xml", "");
    }
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        got g = fetch_endless("a/b.xml", cut[i], strlen(cut[i]));
        assert_refused(&g, "a/b.xml", HAL_E_INTEGRITY, "VOTable whose end is missing");
    }
    got g = fetch_endless("a/b.xml", "<note>of a <VOTABLE></note>", 27);
    assert_taken(&g, "a/b.xml", "unverified");
}

static void N11_a_file_of_unknown_length_that_says_nothing_is_flagged(void **state)
{
    (void)state;
    got g = fetch_endless("a/b.dat", "hello", 5);
    assert_taken(&g, "a/b.dat", "unverified");
    g = fetch_endless("a/b.fits", "hello", 5);
    assert_taken(&g, "a/b.fits", "suspicious");
}

static void D6_bad_bytes_stay_only_when_asked_for(void **state)
{
    (void)state;
    int asked;
    char bad[6] = "";
    hal_download_request r = {.path = "a/b.dat", .expect_sha256 = content_sha};
    got g = fetch_sized(r, "wrong", 5, &asked);
    assert_refused(&g, "a/b.dat", HAL_E_INTEGRITY, "SHA-256 is");
    r.keep_bad = true;
    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        g = fetch_sized(r, i ? "false" : "wrong", 5, &asked);
        assert_int_equal(g.result.err.status, HAL_E_INTEGRITY);
        assert_nothing_left_but("b.dat.bad");
        FILE *f = fopen(path_of("a/b.dat.bad"), "r");
        assert_int_equal(fread(bad, 1, 5, f), 5);
        fclose(f);
        assert_string_equal(bad, i ? "false" : "wrong");
    }
    /* the server's word against the catalogue's, once: the last piece is kept, too */
    unlink(path_of("a/b.dat.bad"));
    hal_download_request sized = {.path = "a/b.dat", .expect_bytes = 3, .keep_bad = true};
    g = fetch_answer(sized, "HTTP/1.1 200 OK\r\n", "wrong", 5, &asked);
    assert_int_equal(g.result.err.status, HAL_E_INTEGRITY);
    assert_int_equal(asked, 3);
    assert_nothing_left_but("b.dat.bad");
}

static void a_digest_that_the_server_states_must_hold(void **state)
{
    (void)state;
    int asked;
    hal_download_request r = {.path = "a/b.dat"};
    const char *head = "HTTP/1.1 200 OK\r\n"
                       "Repr-Digest: md5=:XUFAKrxLKna5cZ2REBfFkg==:, "
                       "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";
    got g = fetch_answer(r, head, "hello", 5, &asked);
    assert_taken(&g, "a/b.dat", ""); /* its length is of no matter then */
    g = fetch_answer(r, head, "hallo", 5, &asked);
    assert_refused(&g, "a/b.dat", HAL_E_INTEGRITY, "the server says 2cf24dba");
    assert_int_equal(asked, 3);
}

/* D6: with a resumed part, too; a sum that is no sum says nothing. */
static void an_md5_that_the_server_states_must_hold(void **state)
{
    (void)state;
    int asked;
    hal_download_request r = {.path = "a/b.dat"};
    static const char *const heads[] = {
        "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n",
        "Digest: SHA=abc, MD5=XUFAKrxLKna5cZ2REBfFkg==\r\n",
        "Repr-Digest: md5=:XUFAKrxLKna5cZ2REBfFkg==:\r\n",
        "Digest: sha-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char head[200];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s", heads[i]);
        got g = fetch_answer(r, head, "hello", 5, &asked);
        assert_taken(&g, "a/b.dat", "");
        g = fetch_answer(r, head, "hallo", 5, &asked);
        assert_refused(&g, "a/b.dat", HAL_E_INTEGRITY,
                       i < 3 ? "the server says 5d41402abc4b2a76b9719d911017c592"
                             : "the server says 2cf24dba");
        assert_int_equal(asked, 3);
    }
    static const char *const junk[] = {
        "Content-MD5: XUFAKrxLKna5cZ2REBfFkg=\r\n", "Content-MD5: XUFAKrxLKna5cZ2REBfFkh==\r\n",
        "Content-MD5: 5d41402abc4b2a76b9719d91\r\n", "Digest: md5=:XUFAKrxLKna5cZ2REBfFkg==:\r\n",
        "Repr-Digest: md5=XUFAKrxLKna5cZ2REBfFkg==\r\n"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        char head[200];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s", junk[i]);
        got g = fetch_answer(r, head, "hallo", 5, &asked);
        assert_taken(&g, "a/b.dat", "unverified");
    }
}

/* Headers of every kind of unit: what their data has to be. */
static void the_length_of_a_fits_unit_follows_its_header(void **state)
{
    (void)state;
    static const struct {
        const char *cards[8];
        size_t n_data;
    } cases[] = {
        {{"BITPIX  = 8", "NAXIS   = 0"}, 0},
        {{"BITPIX  = -32", "NAXIS   = 2", "NAXIS1  = 20", "NAXIS2  = 50"}, 4000},
        {{"BITPIX  = 16", "NAXIS   = 3", "NAXIS1  = 0", "NAXIS2  = 10", "NAXIS3  = 10",
          "GROUPS  =                    T", "PCOUNT  = 5", "GCOUNT  = 20"},
         4200},
        {{"BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 100", "PCOUNT  = 3000",
          "GCOUNT  = 1"},
         3800},
        {{"BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 0"}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static char bytes[2880 * 6];
        memset(bytes, ' ', sizeof bytes);
        memcpy(bytes, "SIMPLE  =                    T", 30);
        int n = 1;
        for (; n <= 8 && cases[i].cards[n - 1]; n++)
            memcpy(bytes + 80 * n, cases[i].cards[n - 1], strlen(cases[i].cards[n - 1]));
        memcpy(bytes + 80 * n, "END", 3);
        size_t whole = 2880 + (cases[i].n_data + 2879) / 2880 * 2880;
        memcpy(bytes + whole, "XTENSION= 'IMAGE   '", 20);
        memcpy(bytes + whole + 80, "BITPIX  = 8", 11);
        memcpy(bytes + whole + 160, "NAXIS   = 0", 11);
        memcpy(bytes + whole + 240, "END", 3);
        got g = fetch_endless("a/b.fits", bytes, whole + 2880);
        assert_taken(&g, "a/b.fits", "");
        if (!cases[i].n_data)
            continue;
        g = fetch_endless("a/b.fits", bytes, 2880 + cases[i].n_data - 1);
        assert_refused(&g, "a/b.fits", HAL_E_INTEGRITY, "ends inside the data of FITS unit 1");
        g = fetch_endless("a/b.fits", bytes, 2880 + cases[i].n_data);
        assert_taken(&g, "a/b.fits", "suspicious: its last FITS block is not filled up");
    }
}

int main(void)
{
    make_content();
    const struct CMUnitTest tests[] = {
        IN_DIR(N11_a_fits_file_that_ends_inside_its_data_gets_no_name),
        IN_DIR(D7_a_stale_size_is_no_excuse_for_half_a_file),
        IN_DIR(D11_an_odd_fits_file_of_the_right_size_is_taken_with_a_warning),
        IN_DIR(N27_an_empty_answer_is_never_the_new_size_of_a_file),
        IN_DIR(N11_N15_N16_gzip_without_its_right_end_gets_no_name),
        IN_DIR(noise_that_begins_like_gzip_is_not_taken_for_a_damaged_one),
        IN_DIR(a_proof_of_every_byte_outweighs_what_the_file_says),
        IN_DIR(N15_N16_an_answer_that_is_packed_unasked_is_not_taken_for_the_file),
        IN_DIR(N11_a_zip_file_needs_its_directory),
        IN_DIR(N11_a_votable_must_be_closed),
        IN_DIR(N11_a_file_of_unknown_length_that_says_nothing_is_flagged),
        IN_DIR(D6_bad_bytes_stay_only_when_asked_for),
        IN_DIR(a_digest_that_the_server_states_must_hold),
        IN_DIR(an_md5_that_the_server_states_must_hold),
        IN_DIR(the_length_of_a_fits_unit_follows_its_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
