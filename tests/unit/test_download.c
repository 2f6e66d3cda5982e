/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/download.h"

#include "support/download_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

static void a_file_arrives_identical_and_nothing_else_stays(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){.expect_bytes = FILE_BYTES, .expect_sha256 = content_sha},
                  raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_int_equal(g.result.bytes, FILE_BYTES);
    assert_string_equal(g.result.sha256, content_sha);
    assert_int_equal(g.result.tries, 1);
    assert_false(g.result.skipped);
    assert_whole("a/b.fits");
    assert_nothing_left_but("b.fits");
    stop_archive(server, &a);
}

static void a_second_run_asks_for_nothing(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_true(g.result.skipped);
    assert_string_equal(g.result.sha256, content_sha);
    assert_int_equal(raw_server_requests(server), 1);
    stop_archive(server, &a);
}

static void verify_fetches_a_file_again_whose_bytes_rotted(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    struct stat s;
    assert_int_equal(stat(path_of("a/b.fits"), &s), 0);
    int fd = open(path_of("a/b.fits"), O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 1000), 1);
    struct timespec times[2] = {s.st_atim, s.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    got g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_false(g.result.skipped);
    assert_whole("a/b.fits");
    g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_true(g.result.skipped);
    assert_int_equal(raw_server_requests(server), 3); /* the last by HEAD */
    stop_archive(server, &a);
}

static void D8_verify_fetches_a_file_again_that_changed_on_the_server(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    got g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_true(g.result.skipped);
    assert_string_equal(g.result.warning, "");
    assert_int_equal(raw_server_requests(server), 2);
    a.etag = "ETag: \"v2\"\r\n";
    g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_false(g.result.skipped);
    assert_int_equal(raw_server_requests(server), 4);
    assert_whole("a/b.fits");
    g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_true(g.result.skipped);
    g = fetch((hal_download_request){.verify = true, .expect_sha256 = content_sha},
              raw_server_port(server));
    assert_true(g.result.skipped);
    assert_int_equal(raw_server_requests(server), 5);
    stop_archive(server, &a);
}

static void D8_a_whole_file_stays_when_the_server_cannot_be_asked(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    stop_archive(server, &a);
    raw_reply gone = {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP};
    server = raw_server_start(&gone, 1);
    got g = fetch((hal_download_request){.verify = true}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_true(g.result.skipped);
    assert_non_null(strstr(g.result.warning, "does not say whether the file changed"));
    assert_int_equal(raw_server_requests(server), 1);
    assert_whole("a/b.fits");
    raw_server_stop(server);
}

static void a_part_is_noted_without_its_address(void **state)
{
    (void)state;
    archive a = {.cut_until = 5, .cut_bytes = 50000};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_NETWORK);
    char note[512] = "";
    FILE *f = fopen(path_of("a/.b.fits.part.info"), "r");
    assert_non_null(f);
    assert_true(fread(note, 1, sizeof note - 1, f) > 100);
    fclose(f);
    assert_null(strstr(note, "http")); /* which may hold a secret */
    a.cut_until = 0;
    g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_true(g.result.wire_bytes < FILE_BYTES); /* it went on */
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_touched_file_is_known_by_its_digest(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path_of("a/b.fits"), times, 0), 0);
    assert_true(fetch((hal_download_request){0}, raw_server_port(server)).result.skipped);
    assert_int_equal(raw_server_requests(server), 1);
    stop_archive(server, &a);
}

static void a_foreign_file_is_overwritten_only_when_asked(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    write_file("a/b.fits", "mine", 4);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_non_null(strstr(g.result.err.text, "a/b.fits"));
    assert_non_null(strstr(g.result.err.text, "replace"));
    assert_int_equal(raw_server_requests(server), 0);
    g = fetch((hal_download_request){.replace = true}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_file_of_another_source_is_not_taken_for_this_one(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    got g = fetch((hal_download_request){.source = "mast:B/b.fits"}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    for (int i = 0; i < 4; i++) {
        static const char *const parts[] = {"a/b.fits", "mast:A/b.fits", "mast:B/b.fits",
                                            "replace"};
        assert_non_null(strstr(g.result.err.text, parts[i]));
    }
    assert_int_equal(raw_server_requests(server), 1);
    g = fetch((hal_download_request){.source = "mast:B/b.fits", .replace = true},
              raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_false(g.result.skipped);
    assert_int_equal(raw_server_requests(server), 2);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void another_size_in_the_catalogue_is_fetched_again_once(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){.expect_bytes = FILE_BYTES}, raw_server_port(server));
    assert_int_equal(raw_server_requests(server), 1);
    got g = fetch((hal_download_request){.expect_bytes = 123}, raw_server_port(server));
    assert_false(g.result.skipped);
    assert_true(g.result.size_mismatch_accepted);
    assert_int_equal(raw_server_requests(server), 3);
    g = fetch((hal_download_request){.expect_bytes = 123}, raw_server_port(server));
    assert_true(g.result.skipped);
    assert_int_equal(raw_server_requests(server), 3);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_foreign_file_with_the_expected_digest_is_taken_over(void **state)
{
    (void)state;
    write_file("a/b.fits", content, FILE_BYTES);
    got g = fetch((hal_download_request){.expect_sha256 = content_sha}, 1);
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_true(g.result.skipped);
}

static void a_cut_file_goes_on_where_it_stopped(void **state)
{
    (void)state;
    archive a = {.cut_until = 2, .cut_bytes = 100000};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_int_equal(g.result.tries, 3);
    assert_string_equal(g.result.sha256, content_sha);
    assert_whole("a/b.fits");
    assert_non_null(strstr(raw_server_request(server, 1), "Range: bytes=100000-\r\n"));
    assert_non_null(strstr(raw_server_request(server, 1), "If-Range: \"v1\"\r\n"));
    assert_non_null(strstr(raw_server_request(server, 2), "Range: bytes=200000-\r\n"));
    stop_archive(server, &a);
}

static void a_later_run_goes_on_where_an_earlier_one_failed(void **state)
{
    (void)state;
    archive a = {.cut_until = 5, .cut_bytes = 50000};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_NETWORK);
    assert_false(exists("a/b.fits"));
    assert_true(exists("a/.b.fits.part"));
    g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_int_equal(g.result.tries, 1);
    assert_non_null(strstr(raw_server_request(server, 5), "Range: bytes=250000-\r\n"));
    assert_whole("a/b.fits");
    assert_nothing_left_but("b.fits");
    stop_archive(server, &a);
}

static void without_a_strong_etag_it_begins_at_zero(void **state)
{
    (void)state;
    archive a = {.cut_until = 1, .cut_bytes = 100000, .etag = "ETag: W/\"v1\"\r\n"};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_null(strstr(raw_server_request(server, 1), "Range:"));
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_half_file_of_unknown_origin_is_never_used(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    write_file("a/.b.fits.part", "garbage garbage", 15);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_null(strstr(raw_server_request(server, 0), "Range:"));
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void another_range_than_asked_for_means_from_zero(void **state)
{
    (void)state;
    archive a = {.cut_until = 1, .cut_bytes = 100000, .wrong_range_until = 2};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_int_equal(raw_server_requests(server), 3);
    assert_null(strstr(raw_server_request(server, 2), "Range:"));
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_whole_answer_to_a_range_request_replaces_the_part(void **state)
{
    (void)state;
    archive a = {.cut_until = 1, .cut_bytes = 100000, .ignores_range = true};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_non_null(strstr(raw_server_request(server, 1), "Range: bytes=100000-"));
    assert_string_equal(g.result.sha256, content_sha);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_refused_range_means_from_zero(void **state)
{
    (void)state;
    archive a = {.cut_until = 1, .cut_bytes = 100000, .answers_416 = true};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_int_equal(raw_server_requests(server), 3);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_wrong_digest_is_tried_twice_more_and_never_kept(void **state)
{
    (void)state;
    archive a = {.damaged_until = 64};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){.expect_sha256 = content_sha}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_INTEGRITY);
    assert_int_equal(raw_server_requests(server), 3);
    assert_false(exists("a/b.fits"));
    assert_false(exists("a/.b.fits.part"));
    a.damaged_until = 4;
    g = fetch((hal_download_request){.expect_sha256 = content_sha}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_int_equal(raw_server_requests(server), 5);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_stale_catalogue_size_is_accepted_when_the_server_says_so_twice(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){.expect_bytes = 1234}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_true(g.result.size_mismatch_accepted);
    assert_non_null(strstr(g.result.warning, "1234"));
    assert_int_equal(raw_server_requests(server), 2);
    stop_archive(server, &a);
}

static void without_a_server_length_the_catalogue_size_decides(void **state)
{
    (void)state;
    archive a = {.no_length = true};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){.expect_bytes = 1234}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_INTEGRITY);
    assert_false(exists("a/b.fits"));
    g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_string_equal(g.result.warning, ""); /* FITS says itself where it ends */
    stop_archive(server, &a);
}

static void a_file_with_another_start_than_its_kind_is_never_there(void **state)
{
    (void)state;
    raw_reply text = {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nno image", 0, RAW_CLOSE};
    raw_reply short_one = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nSI", 0, RAW_CLOSE};
    raw_reply replies[] = {text, short_one, short_one, short_one};
    raw_server *server = raw_server_start(replies, 4);
    got g = fetch((hal_download_request){.starts = "SIMPLE  ="}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_PROTOCOL);
    assert_non_null(strstr(g.result.err.text, "it begins: no ima"));
    g = fetch((hal_download_request){.starts = "SIMPLE  ="}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_PROTOCOL);
    assert_non_null(strstr(g.result.err.text, "2 bytes came, too few"));
    assert_nothing_left_but("none");
    raw_server_stop(server);
    archive a = {0};
    char start[8] = {0};
    memcpy(start, content, sizeof start - 1);
    server = serve_archive(&a);
    g = fetch((hal_download_request){.starts = start}, raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_page_about_maintenance_is_no_file(void **state)
{
    (void)state;
    archive a = {.instead = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!DOCTYPE html><html>"
                            "<title>Down for maintenance</title></html>",
                 .instead_until = 64};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_PROTOCOL);
    assert_non_null(strstr(g.result.err.text, "Down for maintenance"));
    assert_int_equal(raw_server_requests(server), 3);
    assert_false(exists("a/b.fits"));
    a.instead_until = 4;
    g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_whole("a/b.fits");
    stop_archive(server, &a);
}

static void a_missing_file_leaves_nothing(void **state)
{
    (void)state;
    archive a = {.instead = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno such product",
                 .instead_until = 64};
    raw_server *server = serve_archive(&a);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_NOT_FOUND);
    assert_non_null(strstr(g.result.err.text, "no such product"));
    assert_nothing_left_but("");
    stop_archive(server, &a);
}

static void a_crash_before_the_rename_is_finished_by_the_next_run(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    char part[256];
    snprintf(part, sizeof part, "%s", path_of("a/.b.fits.part"));
    assert_int_equal(rename(path_of("a/b.fits"), part), 0);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_OK);
    assert_int_equal(raw_server_requests(server), 1);
    assert_whole("a/b.fits");
    assert_nothing_left_but("b.fits");
    stop_archive(server, &a);
}

static void a_torn_record_is_passed_over_and_later_ones_count(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    fetch((hal_download_request){0}, raw_server_port(server));
    struct stat s;
    char state_file[256];
    snprintf(state_file, sizeof state_file, "%s", path_of(".halyard/files"));
    assert_int_equal(stat(state_file, &s), 0);
    assert_int_equal(truncate(state_file, s.st_size - 3), 0);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO); /* not known any more, so not ours */
    fetch((hal_download_request){.path = "a/c.fits"}, raw_server_port(server));
    g = fetch((hal_download_request){.path = "a/c.fits"}, raw_server_port(server));
    assert_true(g.result.skipped);
    stop_archive(server, &a);
}

static void links_inside_the_folder_lead_nowhere(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    assert_int_equal(symlink("/tmp", path_of("a")), 0);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_int_equal(raw_server_requests(server), 0);
    unlink(path_of("a"));
    mkdir(path_of("a"), 0777);
    assert_int_equal(symlink("/etc/hostname", path_of("a/b.fits")), 0);
    g = fetch((hal_download_request){.replace = true}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_int_equal(raw_server_requests(server), 0);
    stop_archive(server, &a);
}

static void paths_that_leave_the_folder_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "/etc/x", "../x", "a/../x", "a//x",          "a/",
                                      ".hidden", "a/.x",   "a\\b", "a/b\nc", ".halyard/files"};
    hal_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_download_request r = {.url = "http://127.0.0.1:1/", .dir = dir, .path = bad[i]};
        assert_null(hal_download_start(loop, &r, on_done, NULL, &err));
        assert_int_equal(err.status, HAL_E_USAGE);
    }
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
}

static void a_missing_folder_is_named_before_any_request(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    remove_below(dir);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_non_null(strstr(g.result.err.text, dir));
    assert_int_equal(raw_server_requests(server), 0);
    stop_archive(server, &a);
}

static void two_downloads_never_share_a_part(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    mkdir(path_of("a"), 0777);
    int fd = open(path_of("a/.b.fits.part"), O_RDWR | O_CREAT, 0666);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_int_equal(raw_server_requests(server), 0);
    close(fd);
    stop_archive(server, &a);
}

static void cancelling_keeps_what_can_be_resumed(void **state)
{
    (void)state;
    char head[200], *reply = malloc(FILE_BYTES + 200);
    int n =
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: %d\r\n\r\n",
                 2 * FILE_BYTES);
    memcpy(reply, head, (size_t)n);
    memcpy(reply + n, content, FILE_BYTES);
    raw_server *server = raw_server_start(REPLIES({reply, (size_t)n + FILE_BYTES, RAW_HOLD}));
    hal_loop *loop = new_loop();
    got g;
    begin(loop, &g, (hal_download_request){0}, raw_server_port(server));
    while (hal_loop_stats(loop).wire_bytes < FILE_BYTES)
        assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
    hal_download_cancel(g.d);
    assert_int_equal(g.n_done, 0);
    run_until(loop, &g.n_done, 0);
    assert_int_equal(g.result.err.status, HAL_E_CANCELLED);
    assert_false(hal_loop_is_busy(loop));
    assert_true(exists("a/.b.fits.part"));
    assert_false(exists("a/b.fits"));

    begin(loop, &g, (hal_download_request){.path = "c"}, raw_server_port(server));
    hal_loop_free(loop); /* ends it, and says so */
    assert_int_equal(g.n_done, 1);
    assert_int_equal(g.result.err.status, HAL_E_CANCELLED);
    raw_server_stop(server);
    free(reply);
}

static void the_same_product_twice_is_fetched_once(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    hal_loop *loop = new_loop();
    got g[3];
    for (int i = 0; i < 3; i++)
        begin(loop, &g[i], (hal_download_request){0}, raw_server_port(server));
    for (int i = 0; i < 3; i++) {
        run_until(loop, &g[i].n_done, 0);
        assert_int_equal(g[i].result.err.status, HAL_OK);
        assert_string_equal(g[i].result.sha256, content_sha);
        assert_int_equal(g[i].result.skipped, i > 0);
    }
    hal_loop_free(loop);
    assert_int_equal(raw_server_requests(server), 1);
    stop_archive(server, &a);
}

static void what_a_file_was_asked_for_with_is_not_told_of_the_next(void **state)
{
    (void)state;
    archive a = {.cut_until = 1, .cut_bytes = 100000};
    raw_server *server = serve_archive(&a);
    hal_loop *loop = new_loop();
    const char *const paths[] = {"a/b.fits", "a/c.fits"};
    for (int i = 0; i < 2; i++) {
        got g;
        begin(loop, &g, (hal_download_request){.path = paths[i], .source = paths[i]},
              raw_server_port(server));
        run_until(loop, &g.n_done, 500);
        assert_string_equal(g.result.err.text, "");
        assert_whole(paths[i]);
    }
    hal_loop_free(loop);
    assert_int_equal(raw_server_requests(server), 3);
    assert_non_null(strstr(raw_server_request(server, 1), "Range: bytes=100000-\r\n"));
    assert_null(strstr(raw_server_request(server, 2), "Range:"));
    assert_string_equal(raw_server_request(server, 2), raw_server_request(server, 0));
    stop_archive(server, &a);
}

static void a_waiting_download_takes_over_when_the_first_is_cancelled(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    hal_loop *loop = new_loop();
    got g[4];
    for (int i = 0; i < 4; i++)
        begin(loop, &g[i], (hal_download_request){0}, raw_server_port(server));
    hal_download_cancel(g[0].d);
    hal_download_cancel(g[1].d);
    for (int i = 0; i < 4; i++)
        run_until(loop, &g[i].n_done, 0);
    assert_int_equal(g[0].result.err.status, HAL_E_CANCELLED);
    assert_int_equal(g[1].result.err.status, HAL_E_CANCELLED);
    assert_int_equal(g[2].result.err.status, HAL_OK);
    assert_true(g[3].result.skipped);
    assert_whole("a/b.fits");
    hal_loop_free(loop);
    stop_archive(server, &a);
}

/* A limit on the size of files stands for a full disk: write fails after some bytes. */
static void a_full_disk_keeps_the_part_and_a_later_run_goes_on(void **state)
{
    (void)state;
    archive a = {0};
    raw_server *server = serve_archive(&a);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){100000, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    got g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_non_null(strstr(g.result.err.text, "make room and run again"));
    assert_false(exists("a/b.fits"));
    assert_true(exists("a/.b.fits.part"));
    g = fetch((hal_download_request){0}, raw_server_port(server));
    assert_string_equal(g.result.err.text, "");
    assert_non_null(strstr(raw_server_request(server, 1), "Range: bytes=100000-"));
    assert_whole("a/b.fits");
    assert_nothing_left_but("b.fits");
    stop_archive(server, &a);
}

static got fetch_small(hal_download_request r)
{
    hal_loop *loop = new_loop();
    got g = {0};
    assert_non_null(hal_download_start(loop, &r, on_done, &g, NULL));
    run_until(loop, &g.n_done, 0);
    hal_loop_free(loop);
    return g;
}

static long size_of(const char *name)
{
    struct stat s;
    return stat(path_of(name), &s) ? -1 : (long)s.st_size;
}

static void running_out_of_memory_leaves_no_half_file(void **state)
{
    (void)state;
    raw_reply small = {"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\nhello", 0,
                       RAW_KEEP};
    raw_server *server = raw_server_start(&small, 1);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/f", raw_server_port(server));
    hal_download_request r = {.url = url, .dir = dir, .path = "a/f", .expect_bytes = 5};
    size_t n = 0, n_made;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        got g = {0};
        hal_loop *loop = hal_loop_new(&test_clock, &err);
        if (loop)
            hal_loop_guard(loop, NULL, true, NULL);
        hal_download *d = loop ? hal_download_start(loop, &r, on_done, &g, &err) : NULL;
        if (d) {
            run_until(loop, &g.n_done, 0);
            err = g.result.err;
        }
        hal_loop_free(loop);
        n_made = hal_alloc_fail_at(0);
        assert_true(err.status == HAL_E_NOMEM || err.status == HAL_OK);
        assert_true(err.status == HAL_E_NOMEM || exists("a/f"));
        if (err.status) /* and the next run makes it good */
            assert_int_equal(fetch_small(r).result.err.status, HAL_OK);
        assert_int_equal(size_of("a/f"), 5);
        assert_nothing_left_but("f");
        unlink(path_of("a/f"));
    } while (n_made >= n);
    assert_true(n > 15);
    raw_server_stop(server);
}

/* Properties of every name: security model 7.1. */
int main(void)
{
    make_content();
    const struct CMUnitTest tests[] = {
        IN_DIR(a_file_arrives_identical_and_nothing_else_stays),
        IN_DIR(a_second_run_asks_for_nothing),
        IN_DIR(verify_fetches_a_file_again_whose_bytes_rotted),
        IN_DIR(a_part_is_noted_without_its_address),
        IN_DIR(D8_verify_fetches_a_file_again_that_changed_on_the_server),
        IN_DIR(D8_a_whole_file_stays_when_the_server_cannot_be_asked),
        IN_DIR(a_touched_file_is_known_by_its_digest),
        IN_DIR(a_foreign_file_is_overwritten_only_when_asked),
        IN_DIR(a_file_of_another_source_is_not_taken_for_this_one),
        IN_DIR(another_size_in_the_catalogue_is_fetched_again_once),
        IN_DIR(a_foreign_file_with_the_expected_digest_is_taken_over),
        IN_DIR(a_cut_file_goes_on_where_it_stopped),
        IN_DIR(a_later_run_goes_on_where_an_earlier_one_failed),
        IN_DIR(without_a_strong_etag_it_begins_at_zero),
        IN_DIR(a_half_file_of_unknown_origin_is_never_used),
        IN_DIR(another_range_than_asked_for_means_from_zero),
        IN_DIR(a_whole_answer_to_a_range_request_replaces_the_part),
        IN_DIR(a_refused_range_means_from_zero),
        IN_DIR(a_wrong_digest_is_tried_twice_more_and_never_kept),
        IN_DIR(a_stale_catalogue_size_is_accepted_when_the_server_says_so_twice),
        IN_DIR(without_a_server_length_the_catalogue_size_decides),
        IN_DIR(a_file_with_another_start_than_its_kind_is_never_there),
        IN_DIR(a_page_about_maintenance_is_no_file),
        IN_DIR(a_missing_file_leaves_nothing),
        IN_DIR(a_crash_before_the_rename_is_finished_by_the_next_run),
        IN_DIR(a_torn_record_is_passed_over_and_later_ones_count),
        IN_DIR(links_inside_the_folder_lead_nowhere),
        IN_DIR(paths_that_leave_the_folder_are_refused),
        IN_DIR(a_missing_folder_is_named_before_any_request),
        IN_DIR(two_downloads_never_share_a_part),
        IN_DIR(cancelling_keeps_what_can_be_resumed),
        IN_DIR(the_same_product_twice_is_fetched_once),
        IN_DIR(what_a_file_was_asked_for_with_is_not_told_of_the_next),
        IN_DIR(a_waiting_download_takes_over_when_the_first_is_cancelled),
        IN_DIR(a_full_disk_keeps_the_part_and_a_later_run_goes_on),
        IN_DIR(running_out_of_memory_leaves_no_half_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
