# SPDX-License-Identifier: BSD-3-Clause
"""The engine below the practice archive's protocols, from outside: routes, headers, bodies,
streamed statements, faults, and that a slow statement holds nobody up."""
import http.client
import json
import threading
import time
import unittest
import urllib.parse

import practice

BOUNDARY = "xyzzy"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


def request(base, method, path, body=None, headers=None):
    """One exchange: status, headers (list), body."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=300)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def ask(base, query, **more):
    """The archive's answer to a statement: status, body."""
    form = urllib.parse.urlencode({"query": query, **more})
    status, _, body = request(base, "POST", "/practice/sql", form,
                              {"Content-Type": "application/x-www-form-urlencoded"})
    return status, body


def multipart(fields, files):
    """A multipart/form-data body."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode()
             for name, value in fields.items()]
    parts += [f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
              f"Content-Type: {kind}\r\n\r\n".encode() + value
              for name, (filename, kind, value) in files.items()]
    mark = f"--{BOUNDARY}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


FORM_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


class Engine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = practice.archive()
        cls.base = cls.running.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None, None, None)

    def echo(self, method, path, body=None, headers=None):
        status, _, answer = request(self.base, method, "/practice/echo/" + path, body, headers)
        self.assertEqual(status, 200)
        return json.loads(answer)

    def test_a_prefix_hands_over_the_rest_of_the_path(self):
        got = self.echo("GET", "a%20b/c?x=1&x=2&y=%C3%A9+z")
        self.assertEqual(got["rest"], "a b/c")
        self.assertEqual(got["path"], "/practice/echo/a b/c")
        self.assertEqual(got["arguments"], [["x", "1"], ["x", "2"], ["y", "é z"]])

    def test_unknown_paths_are_404(self):
        for path in ("/practice/echo", "/practice/sql/", "/practice/other", "/nothing"):
            self.assertEqual(request(self.base, "GET", path)[0], 404, path)

    def test_every_method_arrives_with_its_body(self):
        for method in ("POST", "PUT", "DELETE"):
            got = self.echo(method, "", b"a\0b", {"Content-Type": "application/octet-stream"})
            self.assertEqual((got["method"], got["body"]), (method, "YQBi"))
        status, headers, body = request(self.base, "HEAD", "/practice/echo/")
        self.assertEqual((status, body), (200, b""))
        self.assertIn("Content-Type", dict(headers))

    def test_what_is_too_large_is_refused(self):
        for path, body in (("?" + "&".join(["a=1"] * 2001), None), ("", b"x" * (8 * 1024 * 1024 + 1))):
            self.assertEqual(request(self.base, "POST", "/practice/echo/" + path, body)[0], 413)

    def test_headers_arrive_in_lower_case_and_name_the_base(self):
        got = self.echo("GET", "", headers={"X-Some-Thing": "Value", "Host": "archive.test:99"})
        self.assertEqual(got["headers"]["x-some-thing"], "Value")
        self.assertEqual(got["base"], "http://archive.test:99")

    def test_answers_carry_status_and_headers(self):
        status, headers, _ = request(self.base, "GET", "/practice/echo/?status=303&location=/x")
        self.assertEqual(status, 303)
        self.assertEqual(dict(headers)["Location"], "/x")
        cookies = [value for name, value in headers if name == "Set-Cookie"]
        self.assertEqual(cookies, ["first=1", "second=2"])

    def test_forms_and_parts_are_read(self):
        got = self.echo("POST", "", "a=1&b=%26+%3d&a=",
                        {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(got["form"], [["a", "1"], ["b", "& ="], ["a", ""]])
        body = multipart({"a": "x\r\ny"}, {"t": ("n.bin", "image/png", b"\r\n--xyzz\0")})
        got = self.echo("POST", "", body, FORM_TYPE)
        self.assertEqual(got["form"], [["a", "x\r\ny"]])
        self.assertEqual(got["parts"][1], {"name": "t", "filename": "n.bin", "body": "DQotLXh5enoA",
                                           "content_type": "image/png"})
        self.assertEqual(request(self.base, "POST", "/practice/echo/", body[:-4], FORM_TYPE)[0], 400)

    def test_a_statement_streams_the_archives_own_rows(self):
        region = "CIRCLE 201.697 -47.4795 0.5"
        want = practice.truth("gaia", region, "source_id")
        status, body = ask(self.base, "SELECT source_id, ra, dec FROM sky_gaia WHERE circle_ra = "
                           "201.697 AND circle_dec = -47.4795 AND circle_radius = 0.5", layout="csv")
        self.assertEqual(status, 200)
        got = practice.integers(iter(body.splitlines(keepends=True)), "source_id")
        self.assertGreater(len(got), 500000)
        self.assertTrue(practice.same_once(got, want))

    def test_layouts_write_every_kind_of_value(self):
        query = "SELECT 9007199254740993 AS i, 0.1 AS r, 'a\"<&\t,' AS t, NULL AS n"
        text = {"json": '{"i":9007199254740993,"r":0.1,"t":"a\\"<&\\u0009,","n":null}',
                "json_text": '{"i":"9007199254740993","r":"0.1","t":"a\\"<&\\u0009,","n":""}',
                "extjs": '[9007199254740993,0.1,"a\\"<&\\u0009,",null]',
                "csv": '9007199254740993,0.1,"a""<&\t,",\n',
                "tsv": '9007199254740993\t0.1\ta"<& ,\t\n',
                "votable": "<TR><TD>9007199254740993</TD><TD>0.1</TD><TD>a\"&lt;&amp;\t,</TD>"
                           "<TD></TD></TR>\n"}
        for layout, want in text.items():
            status, body = ask(self.base, query, layout=layout)
            self.assertEqual(status, 200)
            self.assertIn(want, body.decode(), layout)

    def test_the_tail_says_when_there_are_more_rows(self):
        query = "SELECT ra FROM sky_gaia WHERE circle_ra = 9 AND circle_dec = 9 AND circle_radius = 1"
        rows = len(json.loads(ask(self.base, query)[1])["rows"])
        for cap, more in ((rows - 1, True), (rows, False), (rows + 1, False), (0, True)):
            got = json.loads(ask(self.base, query, max=cap)[1])
            self.assertEqual((len(got["rows"]), got["more"]), (min(rows, cap), more), cap)

    def test_an_error_before_the_first_row_is_an_answer(self):
        for query in ("SELECT nosuch FROM sky_tic", "SELECT 1 +", "DROP TABLE sky_tic",
                      "SELECT abs(-9223372036854775808)"):
            status, body = ask(self.base, query)
            self.assertEqual(status, 400, query)
            self.assertIn("error", json.loads(body))

    def test_an_error_behind_the_first_row_breaks_the_connection(self):
        with self.assertRaises(http.client.IncompleteRead):
            ask(self.base, "SELECT 1 UNION ALL SELECT abs(-9223372036854775808)", layout="csv")

    def test_uploads_are_tables(self):
        csv = b"name,id\n\"a,b\",1\nc,9007199254740993\n"
        body = multipart({"query": "SELECT name, id + 0 AS id FROM t ORDER BY id DESC"},
                         {"t": ("t.csv", "text/csv", csv)})
        _, _, answer = request(self.base, "POST", "/practice/sql", body, FORM_TYPE)
        self.assertEqual(json.loads(answer)["rows"], [{"name": "c", "id": 9007199254740993},
                                                      {"name": "a,b", "id": 1}])

    def test_a_slow_statement_holds_nobody_up(self):
        slow = []
        threads = [threading.Thread(target=lambda: slow.append(ask(self.base, ENDLESS, seconds=8)))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        quick = [ask(self.base, "SELECT 1")[0] for _ in range(20)]
        self.assertEqual(quick, [200] * 20)
        self.assertEqual(slow, []) # both are still at it
        for thread in threads:
            thread.join()
        for status, body in slow:
            self.assertEqual(status, 400)
            self.assertIn(b"query takes too long", body)


if __name__ == "__main__":
    unittest.main()
