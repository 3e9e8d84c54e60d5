"""Many at once for the same thing, and whatever is asked wrongly: exactly as many are served as there is of it, and all
others are told why in the words of the one list of errors, and change nothing."""
import collections
import re
import threading
import unittest

from key_oracle import Registry
from service import ROOT, Place, call, wait_until

#: No key is made by itself.
SETTINGS = {"keys.pool_size": "0", "keys.pool_low_water": "0", "keys.longest_grace": '"1h"'}


def at_once(asks):
    """Every answer of these, begun together; in their order."""
    answers, start = [None] * len(asks), threading.Barrier(len(asks))
    def one(at, ask):
        start.wait()
        answers[at] = ask()
    threads = [threading.Thread(target=one, args=each) for each in enumerate(asks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def error_list():
    """Code, status and sentence of every error there is."""
    with open(f"{ROOT}/messages/errors.cpp", encoding="utf-8") as file:
        rows = re.findall(r'\{errc::\w+, "(\w+)", "(.*)", (\d+), \w+\},', file.read())
    return {name: (int(status), sentence.replace('\\"', '"')) for name, sentence, status in rows}


class KeyRaces(unittest.TestCase):
    def setUp(self):
        place = Place()
        place.__enter__()
        self.addCleanup(place.__exit__, None, None, None)
        self.portal = place.portal(place.stand_in(), settings=SETTINGS)
        self.registry = Registry(self.portal)
        # What the node had before us is in the log first.
        wait_until(lambda: self.pool()["found"] > 0, "the node's keys are found")
        self.errors = error_list()
        self.people = 0

    def pool(self):
        return self.registry.get("/api/v1/pool")

    def post(self, path, body, name=None):
        return self.registry.ask("POST", path, body, name)

    def person(self, **more):
        self.people += 1
        status, answer = self.post("/api/v1/users", {"email": f"person-{self.people}@example.com", **more})
        self.assertEqual(status, 201, answer)
        return answer["users"][0]["id"]

    def fill(self, count):
        self.assertEqual(self.post("/api/v1/pool", {"count": count})[0], 201)

    def assigned(self, owner, **more):
        status, answer = self.post("/api/v1/keys", {"owner": owner, **more})
        self.assertEqual(status, 201, answer)
        return answer["keys"][0]["id"]

    def policy(self, **what):
        self.assertEqual(self.registry.ask("PUT", "/api/v1/policies/default", what)[0], 200)

    def assert_error(self, answer, code, about=None):
        status, problem = answer
        self.assertEqual((problem.get("code"), status), (code, self.errors[code][0]), (problem, about))
        self.assertEqual(problem["title"], self.errors[code][1])
        self.assertEqual((problem["status"], problem["type"]), (status, f"urn:keyportal:problem:{code}"))

    def split(self, answers, code):
        """Answers of those that were served; the others were told this."""
        served = [answer for status, answer in answers if status < 300]
        for each in answers:
            if each[0] >= 300:
                self.assert_error(each, code)
        return served

    # --- many at once -----------------------------------------------------------------

    def test_so_many_claims_on_so_many_keys_are_served(self):
        for claims, keys in ((40, 25), (12, 1), (8, 0), (10, 10)):
            with self.subTest(claims=claims, keys=keys):
                people = [self.person() for _ in range(claims)]
                if keys:
                    self.fill(keys)
                before = self.pool()
                served = self.split(at_once([lambda p=p: self.post("/api/v1/keys", {"owner": p}) for p in people]),
                                    "pool_empty")
                self.assertEqual(len(served), keys)
                self.assertEqual(len({a["key"] for a in served}), keys)
                self.assertEqual(len({a["keys"][0]["id"] for a in served}), keys)
                after = self.pool()
                self.assertEqual(after["keys"]["pooled"], 0)
                self.assertEqual(after["keys"]["live"], before["keys"]["live"] + keys)
                entries = [e for e in self.registry.audit(before["position"]) if e["what"] != "node.keys"]
                self.assertEqual([e["what"] for e in entries], ["key.assign"] * keys)

    def test_one_command_given_by_many_at_once_is_done_once(self):
        self.fill(20)
        who = self.person()
        answers = at_once([lambda: self.post("/api/v1/keys", {"owner": who}, "one-claim")] * 16)
        self.assertEqual(sorted(status for status, _ in answers), [200] * 15 + [201])
        self.assertEqual(len({(a["key"], a["keys"][0]["id"], a["position"]) for _, a in answers}), 1)
        self.assertEqual(sum(a["replayed"] for _, a in answers), 15)
        self.assertEqual(self.pool()["keys"]["pooled"], 19)

    def test_a_limit_holds_against_many_at_once(self):
        self.fill(20)
        who = self.person()
        served = self.split(at_once([lambda: self.post("/api/v1/keys", {"owner": who})] * 12), "key_limit_reached")
        self.assertEqual(len(served), 3)
        self.assertEqual(self.pool()["keys"]["pooled"], 17)

    def test_one_person_is_added_and_one_key_is_rotated_once(self):
        self.fill(1)
        served = self.split(at_once([lambda: self.post("/api/v1/users", {"email": "ann@example.com"})] * 12), "user_exists")
        self.assertEqual(len(served), 1)
        key = self.assigned(served[0]["users"][0]["id"])
        rotate = lambda: self.post(f"/api/v1/keys/{key}/rotate", {"grace_s": 600})
        served = self.split(at_once([rotate] * 12), "rotation_running")
        self.assertEqual(len(served), 1)
        states = collections.Counter(k["state"] for k in self.registry.all("/api/v1/keys?owner=ann@example.com"))
        self.assertEqual(states, {"live": 2})

    def test_who_takes_a_key_away_wins_against_who_changes_it(self):
        self.fill(10)
        who = self.person()
        for _ in range(10):
            key = self.assigned(who)
            steps = [("revoke", {}), ("renew", {"lifetime_s": 1000}), ("suspend", {}), ("resume", {})]
            answers = at_once([lambda s=s: self.post(f"/api/v1/keys/{key}/{s[0]}", s[1]) for s in steps])
            self.assertEqual(answers[0][0], 200)
            self.split(answers, "key_wrong_state")
            self.assertEqual(self.registry.get(f"/api/v1/keys/{key}")["state"], "revoked")

    # --- asked wrongly -------------------------------------------------------------------

    def assert_refused(self, code, method, path, body=None, name=None):
        told = self.registry.ask(method, path, body, name, hostile=code in ("bad_request", "key_refused", "name_refused"))
        self.assert_error(told, code, (method, path, body))

    def test_what_is_refused_is_told_why_and_changes_nothing(self):
        who, pending, suspended, gone = self.person(), self.person(active=False), self.person(), self.person()
        for other, to in ((suspended, "suspended"), (gone, "deleted")):
            self.assertEqual(self.post(f"/api/v1/users/{other}/state", {"to": to})[0], 200)
        self.fill(20)
        revoked, expired = self.assigned(who), self.assigned(who, lifetime_s=1)
        wait_until(lambda: self.registry.get(f"/api/v1/keys/{expired}")["state"] == "expired", "a key expires")
        self.assertEqual(self.post(f"/api/v1/keys/{revoked}/revoke", {})[0], 200)
        live, another, stopped = (self.assigned(who) for _ in range(3))  # as many as anybody may have
        self.assertEqual(self.post(f"/api/v1/keys/{stopped}/suspend", {})[0], 200)
        pooled = self.registry.get("/api/v1/keys?state=pooled&limit=1")["items"][0]["id"]
        external = self.registry.get("/api/v1/keys?state=external&limit=1")["items"][0]["id"]
        self.assertEqual(self.post("/api/v1/keys/import", {"keys": [{"text": "an-imported-key-1"}]}, "import")[0], 200)
        self.assertEqual(self.post("/api/v1/users", {"email": "first@example.com", "name": "A"}, "add")[0], 201)
        self.assertEqual(self.post(f"/api/v1/keys/{another}/renew", {"lifetime_s": 5000}, "renew")[0], 200)
        self.assertEqual(self.post("/api/v1/pool", {"count": 2}, "fill")[0], 201)
        self.assertEqual(self.registry.ask("PUT", "/api/v1/policies/team", {"keys_per_user": 7}, "policy")[0], 200)
        # What time and the node change is over: from here on only we could change something.
        wait_until(lambda: self.pool()["changing"] == 0, "the node has its keys")
        before, log = self.pool(), self.registry.audit()

        key, user = "/api/v1/keys/", "/api/v1/users/"
        unknown_user, unknown_key = "u" + "a" * 26, "k" * 26
        refused = [
            ("user_unknown", "POST", "/api/v1/keys", {"owner": unknown_user}),
            ("user_unknown", "POST", "/api/v1/keys", {"owner": "nobody@example.com"}),
            ("user_unknown", "POST", "/api/v1/keys", {"owner": ""}),
            ("user_unknown", "GET", user + unknown_user),
            ("user_unknown", "PATCH", user + unknown_user, {"name": "x"}),
            ("user_unknown", "POST", user + unknown_user + "/state", {"to": "deleted"}),
            ("user_unknown", "POST", key + "import", {"keys": [{"text": "another-key-1", "owner": unknown_user}]}),
            ("user_wrong_state", "POST", "/api/v1/keys", {"owner": pending}),
            ("user_wrong_state", "POST", "/api/v1/keys", {"owner": suspended}),
            ("user_wrong_state", "POST", "/api/v1/keys", {"owner": gone}),
            ("user_wrong_state", "PATCH", user + gone, {"name": "x"}),
            ("user_wrong_state", "POST", user + gone + "/state", {"to": "active"}),
            ("user_exists", "POST", "/api/v1/users", {"email": "PERSON-1@Example.com"}),
            ("user_exists", "PATCH", user + suspended, {"email": "person-1@example.com"}),
            ("key_limit_reached", "POST", "/api/v1/keys", {"owner": who}),
            ("key_unknown", "GET", key + unknown_key),
            ("key_unknown", "POST", key + "find", {"text": "sk-of-somebody-else"}),
            ("bad_request", "POST", key + live + "/rotate", {"grace_s": 3601}),
            ("bad_request", "POST", key + live + "/rotate", {"grace_s": -1}),
            ("bad_request", "POST", key + live + "/renew", {"lifetime_s": "long"}),
            ("bad_request", "POST", "/api/v1/pool", {"count": 0}),
            ("bad_request", "POST", "/api/v1/pool", {"count": 10_001}),
            ("bad_request", "POST", "/api/v1/users", {}),
            ("bad_request", "POST", "/api/v1/users", {"email": "x@example.com", "rolle": "admin"}),
            ("bad_request", "POST", "/api/v1/users", {"email": "x@example.com", "role": "root"}),
            ("bad_request", "POST", "/api/v1/users", {"email": ["x@example.com"]}),
            ("node_unknown", "PATCH", key + live, {"nodes": ["elsewhere"]}),
            ("policy_unknown", "DELETE", "/api/v1/policies/nothing"),
            ("key_refused", "POST", key + "import", {"keys": [{"text": "good-enough-key"}, {"text": "short"}]}),
            ("key_refused", "POST", key + "import", {"keys": [{"text": "with a blank inside"}]}),
            ("key_refused", "POST", key + "import", {"keys": [{"text": "x" * 513}]}),
        ]
        for wrong in (revoked, expired):
            for step, body in (("renew", {}), ("rotate", {}), ("suspend", {}), ("resume", {}), ("adopt", {"owner": who})):
                refused.append(("key_wrong_state", "POST", f"{key}{wrong}/{step}", body))
            refused.append(("key_wrong_state", "PATCH", key + wrong, {"label": "x"}))
        refused += [("key_wrong_state", "POST", f"{key}{expired}/revoke", {}),
                    ("key_wrong_state", "POST", f"{key}{stopped}/rotate", {}),
                    ("key_wrong_state", "POST", f"{key}{live}/adopt", {"owner": who})]
        for other in (pooled, external):
            for step in ("renew", "rotate", "suspend", "resume"):
                refused.append(("key_wrong_state", "POST", f"{key}{other}/{step}", {}))
        for step in ("renew", "rotate", "suspend", "resume", "revoke"):
            refused.append(("key_unknown", "POST", f"{key}{unknown_key}/{step}", {}))
        # Under a name that another command has.
        for name, method, path, body in (
                ("add", "POST", "/api/v1/users", {"email": "second@example.com", "name": "A"}),
                ("add", "POST", "/api/v1/users", {"email": "first@example.com", "name": "B"}),
                ("add", "POST", "/api/v1/pool", {"count": 1}),
                ("fill", "POST", "/api/v1/pool", {"count": 3}),
                ("renew", "POST", f"{key}{another}/renew", {"lifetime_s": 5001}),
                ("renew", "POST", f"{key}{live}/renew", {"lifetime_s": 5000}),
                ("renew", "POST", f"{key}{another}/revoke", {}),
                ("import", "POST", key + "import", {"keys": [{"text": "an-imported-key-1"}, {"text": "an-imported-key-2"}]}),
                ("import", "POST", key + "import", {"keys": [{"text": "an-imported-key-1", "owner": who}]}),
                ("policy", "PUT", "/api/v1/policies/team", {"keys_per_user": 8}),
                ("policy", "PUT", "/api/v1/policies/others", {"keys_per_user": 7})):
            refused.append(("command_differs", method, path, body, name))
        for name in ("with blank", "x" * 129, "\x7f"):
            refused.append(("bad_request", "POST", "/api/v1/pool", {"count": 1}, name))
        # Names that would do something where they are shown.
        hostile = ["<script>alert(1)</script>", "a<b", "abc\u202egpj.exe", "\u200fx", "a\u2066b", "a\u200bb", "=1+1", "+1",
                   "-1", "@SUM(A1)", "\t=1", "a\nb", "a\x00b", "x" * 10_000, "\ud83d\ude00" * 60, "a\ufeffb", "\u0085"]
        for text in hostile:
            refused += [("name_refused", "POST", "/api/v1/users", {"email": "new@example.com", "name": text}),
                        ("name_refused", "PATCH", user + who, {"label": text}),
                        ("name_refused", "PATCH", key + live, {"label": text}),
                        ("name_refused", "POST", f"{key}{external}/adopt", {"owner": who, "label": text})]
        for email in ("", "ann", "ann@", "@example.com", "a b@example.com", "ann@example", "<i>@example.com",
                      "=cmd@example.com", "\u202eann@example.com", "x" * 10_000 + "@example.com", "ann@exa\nmple.com"):
            refused.append(("name_refused", "POST", "/api/v1/users", {"email": email}))
        for groups in (["Team"], ["a b"], ["x" * 33], [""], ["<b>"]):
            refused.append(("name_refused", "POST", "/api/v1/users", {"email": "new@example.com", "groups": groups}))
        for each in refused:
            with self.subTest(each=repr(each)[:200]):
                self.assert_refused(*each)

        # What is no request at all.
        for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"email":' * 5000):
            with self.subTest(body=body[:20]):
                status, _, text = call(self.portal.url + "/api/v1/users", "POST", body,
                                       {"Authorization": "Bearer " + self.registry.token}, hostile=True)
                self.assertEqual(status, 400, text)
        for token in (None, "", "x" * 64, self.registry.token[:-1]):
            headers = {} if token is None else {"Authorization": "Bearer " + token}
            for method, path in (("GET", "/api/v1/keys"), ("POST", "/api/v1/keys"), ("POST", f"{key}{live}/revoke")):
                self.assertEqual(call(self.portal.url + path, method, b"{}", headers, hostile=True)[0], 401)

        self.assertEqual(self.pool(), before)
        self.assertEqual(self.registry.audit(), log)

    def test_what_is_done_already_is_no_error_and_no_entry(self):
        self.fill(1)
        who = self.person()
        key = self.assigned(who)
        wait_until(lambda: self.pool()["changing"] == 0, "the node has it")
        self.assertEqual(self.post(f"/api/v1/keys/{key}/resume", {})[0], 200)
        self.assertEqual(self.post(f"/api/v1/users/{who}/state", {"to": "active"})[0], 200)
        self.assertEqual(self.post(f"/api/v1/keys/{key}/revoke", {})[0], 200)
        wait_until(lambda: self.pool()["changing"] == 0, "the node has it no more")
        position = self.pool()["position"]
        self.assertEqual(self.post(f"/api/v1/keys/{key}/revoke", {})[0], 200)
        self.assertEqual(self.pool()["position"], position)


if __name__ == "__main__":
    unittest.main()
