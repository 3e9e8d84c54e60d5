"""The search for secrets finds one wherever it is, and in whatever form."""
import base64
import os
import re
import tempfile
import unittest

import leaks
from browser import PASSWORD, Browser, first_admin
from service import Place

SECRET = "planted-Secret/of+tests?1"


class Search(unittest.TestCase):
    def found(self, data, name="data/000012.log"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
            search = leaks.Leaks()
            search.note(SECRET, "the planted one")
            told = search.search(folder)
            self.assertNotIn(SECRET, "".join(told))
            return told

    def test_a_secret_is_found_in_every_form(self):
        raw = SECRET.encode()
        for form in (raw, raw.hex().encode(), raw.hex().upper().encode(),
                     *(base64.b64encode(b"<" * n + raw + b">" * m) for n in range(4) for m in range(4)),
                     *(base64.urlsafe_b64encode(b"<" * n + raw + b">>").rstrip(b"=") for n in range(4)),
                     b"/x?a=planted-Secret%2Fof%2Btests%3F1"):
            with self.subTest(form):
                self.assertEqual(self.found(os.urandom(5000) + b"\0\n" + form + b"\xff" + os.urandom(500)),
                                 ["LEAK: the planted one is in data/000012.log"])
        self.assertEqual(self.found(raw[:-1] + b"2" + os.urandom(5000)), [])

    def test_files_that_are_made_for_secrets_and_those_of_stand_ins_are_left_out(self):
        for name in ("portal.toml", "portal-data/control.token", "portal-data/seal.key", "sim.yaml", "sim.oracle"):
            self.assertEqual(self.found(SECRET.encode(), name), [], name)
        for name in ("portal.log", "portal-data/nats/x.blk", "portal-data/db/000004.sst", "portal-data/token"):
            self.assertEqual(len(self.found(SECRET.encode(), name)), 1, name)

    def test_what_is_handed_out_is_noted_by_itself_and_its_leak_fails_the_test(self):
        leaks.LEAKS.begin()
        try:
            with self.assertRaises(AssertionError) as failed:
                with Place() as place:
                    portal = place.portal(place.stand_in())
                    admin = first_admin(portal)
                    status, made = admin.ask("POST", "/api/v1/tokens", {"label": "ci", "scopes": ["read:usage"], "lifetime_s": 60})
                    self.assertEqual(status, 201, made)
                    planted = {"a cookie": admin.cookies["keyportal"], "text shown by": made["text"],
                               "password given": PASSWORD, "the control token": portal.token(),
                               "a management key": place.programs[0].secret}
                    for what in planted:
                        self.assertTrue(any(known.startswith(what) for known in leaks.LEAKS.known.values()), what)
                    portal.stop()
                    self.assertEqual(leaks.LEAKS.search(place.folder), [])
                    for number, secret in enumerate(planted.values()):
                        with open(os.path.join(portal.data, f"planted-{number}"), "w", encoding="utf-8") as file:
                            file.write("x" + secret)
            told = str(failed.exception)
            for number, (what, secret) in enumerate(planted.items()):
                self.assertRegex(told, re.escape(what) + f".* is in portal-data/planted-{number}")
                self.assertNotIn(secret, told)
        finally:
            leaks.LEAKS.begin()

    def test_an_answer_with_a_secret_of_before_is_told(self):
        search = leaks.Leaks()
        search.notice("POST", "/api/v1/tokens", {}, b"{}", 201, {}, b'{"text":"kpt_abcdefghijkl"}')
        self.assertEqual(search.take(), [])
        search.notice("GET", "/api/v1/tokens", {}, b"", 200, {}, b'{"items":[{"label":"kpt_abcdefghijkl"}]}')
        self.assertEqual(search.take(), ["LEAK: GET /api/v1/tokens (200) answered with text shown by /api/v1/tokens"])


if __name__ == "__main__":
    unittest.main()
