"""Signing in at another place through the running service: OpenID Connect, Feishu and Lark, the good way and with every
fault that such a place, or somebody between, can have. A fault ends in its own refusal and leaves nothing behind."""
import base64
import hashlib
import hmac
import json
import struct
import threading
import time
import unittest
import urllib.parse
from unittest import mock

import service
import watch
from browser import PASSWORD, Browser, first_admin, member
from identity_provider import CALLBACK_FAULTS, SECRET, TENANT, TOKEN_FAULTS, IdentityProvider, b64
from service import Place, call, wait_until

SETTINGS = {"sign_in.anonymous": '"nothing"', "sign_in.registration": '"open"'}
OIDC, FEISHU, LARK = "company", "feishu", "lark"


def code_now(secret):
    """Six digits of an authenticator app."""
    key = base64.b32decode(secret.replace(" ", "").upper() + "=" * (-len(secret.replace(" ", "")) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


class Traveller(Browser):
    """A browser that goes to the other place and comes back."""

    def leave(self, provider, query="", status=303):
        """Where it is sent."""
        got, answer = self.ask("GET", f"/sign-in/{provider}{query}")
        assert got == status, (got, answer)
        return self.last.get("location") if status == 303 else answer

    def at_place(self, url):
        """What it is sent back with: path and query. The other place never sees our cookies."""
        status, headers, body = call(url)
        assert status == 302, (status, body)
        back = urllib.parse.urlsplit(headers["location"])
        assert f"{back.scheme}://{back.netloc}" == self.portal.url, back
        return f"{back.path}?{back.query}"

    def come_back(self, path, unwatched=False):
        """`unwatched`: with what the document refuses, which is told on the page instead of by the status."""
        with mock.patch.object(watch, "contract", None if unwatched else watch.contract):
            status, answer = self.ask("GET", path)
        assert status == 303, (path, status, answer)
        return self.last["location"]

    def travel(self, provider, query=""):
        return self.come_back(self.at_place(self.leave(provider, query)))

    def is_in(self):
        return self.look()["kind"] == "session"

    def newcomer(self, **form):
        self.look()
        return self.entered(*self.ask("POST", "/api/v1/registration", {"external": True, **form}))


class Scene:
    """A service with three places to sign in at, which are one stand-in, and what must not change when nobody gets in."""

    def __init__(self, place, idp, settings=SETTINGS, more=""):
        self.idp = idp
        self.portal = place.portal(place.stand_in(), settings=settings,
                                   more="".join(idp.settings(name, kind) for name, kind in
                                                ((OIDC, "oidc"), (FEISHU, "feishu"), (LARK, "lark"))) + more)
        self.admin = first_admin(self.portal)
        self.before = self.state()

    def state(self):
        """But for the pool, which fills itself."""
        audit = self.admin.get("/api/v1/audit?limit=1000")["items"]
        return self.admin.get("/api/v1/users")["items"], [entry for entry in audit if entry["who"] != "system"]

    def refused(self, test, provider, code, path=None, browser=None, unwatched=False):
        """One sign-in that must come to `code`: no session, no newcomer, nobody and nothing new in the registry."""
        browser = browser or Traveller(self.portal)
        path = path or browser.at_place(browser.leave(provider))
        test.assertEqual(browser.come_back(path, unwatched), "/#sign-in-failed=" + code)
        test.assertEqual(set(browser.cookies) & {"keyportal", "keyportal-newcomer"}, set())
        test.assertNotIn("keyportal-external", browser.cookies)
        test.assertFalse(browser.is_in())

    def nothing_new(self, test):
        test.assertEqual(self.state(), self.before)


class SignInElsewhere(unittest.TestCase):
    def scene(self, place, **more):
        idp = IdentityProvider()
        self.addCleanup(idp.close)
        return Scene(place, idp, **more)

    def test_somebody_new_registers_and_is_known_from_then_on(self):
        with Place() as place:
            scene = self.scene(place)
            for provider, person, subject in ((OIDC, "ada@example.com", "user-1"), (FEISHU, "grace@example.com", "on_f"),
                                              (LARK, "joan@example.com", "on_l")):
                scene.idp.person |= {"sub": subject, "email": person}
                scene.idp.employee |= {"union_id": subject, "enterprise_email": person}
                new = Traveller(scene.portal)
                leaving = new.leave(provider, "?return_to=%2Fkeys")
                asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(leaving).query))
                self.assertEqual((asked["response_type"], asked["code_challenge_method"]), ("code", "S256"))
                self.assertGreaterEqual(len(asked["state"]), 43)
                self.assertNotIn(SECRET, leaving)
                there = new.come_back(new.at_place(leaving))
                self.assertTrue(there.startswith("/#register?"), there)
                self.assertIn(urllib.parse.quote(person, safe=""), there)
                self.assertFalse(new.is_in())
                status, told = new.newcomer(email=person, name="New")
                self.assertEqual(status, 201, told)
                # Known now: straight in, and to the page that was wanted.
                again = Traveller(scene.portal)
                self.assertEqual(again.travel(provider, "?return_to=%2Fkeys"), "/keys")
                self.assertTrue(again.is_in())
                self.assertEqual(again.look()["user"]["email"], person)
                self.assertNotIn(again.cookies["keyportal"], scene.portal.log())
                # What brought him here is used up.
                self.assertGreaterEqual(new.newcomer(email="x" + person, name="New")[0], 400)
            tokens = scene.idp.requests("/oidc/token")
            self.assertTrue(all(SECRET not in r.body.decode() for r in tokens))  # by Basic, as discovery says
            self.assertEqual(len({r.fields()["code_verifier"] for r in tokens}), len(tokens))
            scene.portal.stop()

    def test_every_wrong_token_is_refused(self):
        says = {name: "id_token_refused" for name in TOKEN_FAULTS}
        says |= {"unknown_kid": "provider_key_unknown", "no_id_token": "provider_answer_wrong"}
        with Place() as place:
            scene = self.scene(place)
            for name, code in says.items():
                with self.subTest(name):
                    scene.idp.fault(name)
                    scene.refused(self, OIDC, code)
                    scene.idp.clear()
            scene.nothing_new(self)
            self.assertTrue(Traveller(scene.portal).travel(OIDC).startswith("/#register?"))
            # A key that the issuer has changed to is fetched by itself.
            scene.idp.new_key("key-2")
            self.assertTrue(Traveller(scene.portal).travel(OIDC).startswith("/#register?"))
            scene.portal.stop()

    def test_every_wrong_way_back_is_refused(self):
        says = {"swapped_state": "sign_in_expired", "wrong_iss_parameter": "provider_issuer_wrong",
                "reused_code": "sign_in_code_refused", "no_code": "provider_answer_wrong",
                "access_denied": "sign_in_declined"}
        self.assertEqual(set(says), set(CALLBACK_FAULTS))
        with Place() as place:
            scene = self.scene(place)
            for name, code in says.items():
                for provider in (OIDC, FEISHU, LARK):
                    if provider != OIDC and name == "wrong_iss_parameter":
                        continue
                    with self.subTest(name, provider=provider):
                        scene.idp.fault(name)
                        scene.refused(self, provider, code)
                        scene.idp.clear()
            with self.subTest("the same way back a second time"):
                browser = Traveller(scene.portal)
                path = browser.at_place(browser.leave(OIDC))
                cookies = dict(browser.cookies)
                self.assertTrue(browser.come_back(path).startswith("/#register?"))
                again = Traveller(scene.portal)
                again.cookies = cookies
                asked = len(scene.idp.requests("/oidc/token"))
                scene.refused(self, OIDC, "sign_in_expired", path, again)
                self.assertEqual(len(scene.idp.requests("/oidc/token")), asked)  # the code goes nowhere a second time
            with self.subTest("in another browser"):
                path = (lambda b: b.at_place(b.leave(OIDC)))(Traveller(scene.portal))
                scene.refused(self, OIDC, "sign_in_expired", path)
                stranger = Traveller(scene.portal)
                stranger.leave(OIDC)  # with a cookie of its own
                scene.refused(self, OIDC, "sign_in_expired", path, stranger)
            with self.subTest("at another provider's address"):
                browser = Traveller(scene.portal)
                path = browser.at_place(browser.leave(OIDC))
                scene.refused(self, FEISHU, "sign_in_expired", path.replace(OIDC, FEISHU), browser)
            with self.subTest("parameters twice, or none"):
                for more in ("&code=x", "&state=x"):
                    browser = Traveller(scene.portal)
                    path = browser.at_place(browser.leave(OIDC)) + more
                    scene.refused(self, OIDC, "bad_request", path, browser, unwatched=True)
                browser = Traveller(scene.portal)
                browser.leave(OIDC)
                scene.refused(self, OIDC, "bad_request", f"/sign-in/{OIDC}/callback", browser, unwatched=True)
            with self.subTest("a code or an error that somebody made up"):
                browser = Traveller(scene.portal)
                state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.leave(FEISHU)).query))["state"]
                scene.refused(self, FEISHU, "sign_in_code_refused", f"/sign-in/{FEISHU}/callback?code=made-up&state={state}",
                              browser)
            scene.nothing_new(self)
            scene.portal.stop()

    def test_every_wrong_answer_is_refused(self):
        says = {"drop": "provider_answer_wrong", "truncated_json": "provider_answer_wrong", "html_502": "provider_failed",
                "wrong_content_type": "provider_answer_wrong", "huge_answer": "provider_answer_wrong",
                "redirect": "provider_answer_wrong"}
        with Place() as place:
            scene = self.scene(place)
            first = Traveller(scene.portal)
            for name, code in says.items():  # before anything was learned of the issuer
                with self.subTest(name, of="discovery"):
                    scene.idp.fault(name, path="/.well-known/")
                    self.assertEqual(first.leave(OIDC, status=502)["code"], code)
                    scene.idp.clear()
            scene.idp.fault("wrong_issuer_in_discovery")
            self.assertEqual(first.leave(OIDC, status=502)["code"], "provider_issuer_wrong")
            scene.idp.clear()
            for provider, paths in ((OIDC, ("/oidc/token", "/oidc/jwks")),
                                    (FEISHU, ("/oauth/v3/token", "/open-apis/authen/v1/user_info")),
                                    (LARK, ("/open-apis/authen/v2/oauth/token", "/open-apis/authen/v1/user_info"))):
                for path in paths:
                    for name, code in says.items():
                        with self.subTest(name, provider=provider, of=path):
                            scene.idp.fault(name, path=path)
                            scene.refused(self, provider, code)
                            self.assertFalse(scene.idp.requests("/elsewhere"))  # no redirect is followed
                            scene.idp.clear()
            scene.nothing_new(self)
            scene.portal.stop()

    def test_a_place_that_is_slow_or_gone_holds_up_nobody_else(self):
        with Place() as place:
            scene = self.scene(place)
            scene.idp.fault("slow", path="/oauth/v3/token")
            browser = Traveller(scene.portal)
            path = browser.at_place(browser.leave(FEISHU))
            began = time.monotonic()
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(browser.come_back(path)))
            waiting.start()
            try:
                wait_until(lambda: scene.idp.requests("/oauth/v3/token"), "the code is being exchanged")
                self.assertTrue(Traveller(scene.portal).travel(OIDC).startswith("/#register?"))
                self.assertEqual(Browser(scene.portal).sign_in("root@example.com")[0], 201)
            finally:
                waiting.join(60 * service.PATIENCE)
            self.assertEqual(answers, ["/#sign-in-failed=provider_unreachable"])
            self.assertLess(time.monotonic() - began, 25 * service.PATIENCE)  # an end of its own, long before that of the place
            scene.idp.close()
            gone = Traveller(scene.portal)
            gone_path = gone.leave(FEISHU)
            state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(gone_path).query))["state"]
            scene.refused(self, FEISHU, "provider_unreachable", f"/sign-in/{FEISHU}/callback?code=c&state={state}", gone)
            scene.portal.stop()

    def test_feishus_errors_are_told_in_our_words(self):
        says = {20002: "provider_refuses_us", 20003: "sign_in_code_refused", 20004: "sign_in_code_refused",
                20010: "identity_not_allowed", 20024: "sign_in_code_refused", 20027: "provider_refuses_us",
                20049: "sign_in_code_refused", 20050: "provider_failed", 20063: "provider_refuses_us",
                20065: "sign_in_code_refused", 20067: "provider_refuses_us", 20070: "provider_refuses_us",
                20071: "provider_refuses_us", 20072: "provider_failed", 99991672: "provider_refuses_us",
                99991679: "provider_refuses_us", 99991661: "provider_failed", 99991663: "provider_failed",
                99991668: "provider_failed", 12345: "provider_failed"}
        with Place() as place:
            scene = self.scene(place)
            for provider, token in ((FEISHU, "/oauth/v3/token"), (LARK, "/open-apis/authen/v2/oauth/token")):
                for path in (token, "/open-apis/authen/v1/user_info"):
                    for style in (False, True):
                        for code, word in says.items():
                            with self.subTest(code, provider=provider, path=path, status_200=style):
                                scene.idp.fault("feishu_error", code, path=path)
                                if style:
                                    scene.idp.fault("error_with_status_200")
                                browser = Traveller(scene.portal)
                                self.assertEqual(browser.travel(provider), "/#sign-in-failed=" + word)
                                self.assertNotIn("keyportal", browser.cookies)
                                scene.idp.clear()
                    with self.subTest("rate limit", provider=provider, path=path):
                        scene.idp.fault("feishu_rate_limit", path=path)
                        scene.refused(self, provider, "provider_failed")
                        scene.idp.clear()
            for changes, word in (({"tenant_key": "tenant-2"}, "identity_not_allowed"), ({"tenant_key": ""}, "identity_not_allowed"),
                                  ({"union_id": "", "open_id": ""}, "provider_answer_wrong")):
                with self.subTest(str(changes)):
                    before = dict(scene.idp.employee)
                    scene.idp.employee |= changes
                    scene.refused(self, FEISHU, word)
                    scene.idp.employee = before
            # Codes of the other place are over after five minutes.
            scene.idp.code_seconds = -1
            for provider in (OIDC, FEISHU, LARK):
                scene.refused(self, provider, "sign_in_code_refused")
            scene.nothing_new(self)
            scene.portal.stop()

    def test_nobody_is_somebody_else_because_of_an_address(self):
        with Place() as place:
            scene = self.scene(place)
            scene.idp.person |= {"email": "root@example.com"}
            scene.idp.employee |= {"enterprise_email": "root@example.com", "email": "root@example.com"}
            for provider in (OIDC, FEISHU, LARK):
                thief = Traveller(scene.portal)
                self.assertTrue(thief.travel(provider).startswith("/#register?"))
                self.assertFalse(thief.is_in())
                self.assertGreaterEqual(thief.newcomer(email="root@example.com", name="Root")[0], 400)
                self.assertFalse(thief.is_in())
            scene.nothing_new(self)
            # The same name at two places is two people.
            scene.idp.person |= {"sub": "on_1", "email": "one@example.com"}
            one = Traveller(scene.portal)
            one.travel(OIDC)
            self.assertEqual(one.newcomer(email="one@example.com", name="One")[0], 201)
            self.assertTrue(Traveller(scene.portal).travel(FEISHU).startswith("/#register?"))
            scene.portal.stop()

    def test_two_issuers_at_once_do_not_speak_for_each_other(self):
        other = IdentityProvider()
        self.addCleanup(other.close)
        with Place() as place:
            scene = self.scene(place, more=other.settings("other"))
            there = [p["name"] for p in Browser(scene.portal).get("/api/v1/sign-in/providers")["items"]]
            self.assertEqual(there, [OIDC, FEISHU, LARK, "other"])
            first, second = Traveller(scene.portal), Traveller(scene.portal)
            leaving, leaving_too = first.leave(OIDC), second.leave("other")
            self.assertTrue(leaving_too.startswith(other.url))
            self.assertTrue(second.come_back(second.at_place(leaving_too)).startswith("/#register?"))
            self.assertTrue(first.come_back(first.at_place(leaving)).startswith("/#register?"))
            self.assertEqual(second.newcomer(email="two@example.com", name="Two")[0], 201)
            # The same subject of another issuer is somebody else.
            self.assertTrue(Traveller(scene.portal).travel(OIDC).startswith("/#register?"))
            # One issuer gives out the other's token, and its own under the other's name.
            browser = Traveller(scene.portal)
            path = browser.at_place(browser.leave("other"))
            other.url, genuine = scene.idp.url, other.url
            scene.refused(self, "other", "id_token_refused", path, browser)
            other.url = genuine
            # A mixed-up way back: begun at one, brought back by the other.
            browser = Traveller(scene.portal)
            query = browser.leave(OIDC).partition("?")[2].replace(urllib.parse.quote(f"/{OIDC}/", safe=""),
                                                                 urllib.parse.quote("/other/", safe=""))
            path = browser.at_place(f"{other.url}/oidc/authorize?{query}")
            scene.refused(self, "other", "sign_in_expired", path, browser)
            scene.portal.stop()

    def test_an_identity_is_linked_by_its_person_and_asks_for_the_second_factor(self):
        with Place() as place:
            scene = self.scene(place)
            ann = member(scene.portal, scene.admin, "ann@example.com")
            ann.__class__ = Traveller
            self.assertEqual(Traveller(scene.portal).leave(OIDC, "?link=true", status=401)["code"], "sign_in_needed")
            self.assertEqual(ann.travel(OIDC, "?link=true&return_to=%2Faccount"), "/account")
            self.assertTrue(ann.is_in())
            linked = ann.get("/api/v1/account")["identities"]
            self.assertEqual([(i["provider"], i["shown"]) for i in linked], [(OIDC, "ada@example.com")])
            bob = member(scene.portal, scene.admin, "bob@example.com")
            bob.__class__ = Traveller
            self.assertEqual(bob.travel(OIDC, "?link=true"), "/#sign-in-failed=identity_taken")  # it is Ann's
            self.assertEqual(bob.get("/api/v1/account")["identities"], [])

            other = Traveller(scene.portal)
            self.assertEqual(other.travel(OIDC), "/")
            self.assertEqual(other.look()["user"]["email"], "ann@example.com")

            status, begun = ann.ask("POST", "/api/v1/account/totp", {"password": PASSWORD})
            self.assertEqual(status, 200, begun)
            status, told = ann.ask("POST", "/api/v1/account/totp/confirm", {"code": code_now(begun["secret"])})
            self.assertEqual(status, 200, told)
            half = Traveller(scene.portal)
            self.assertEqual(half.travel(OIDC, "?return_to=%2Fkeys"), "/#second-factor")
            half.look()
            self.assertEqual(half.ask("GET", "/api/v1/account")[1]["code"], "second_factor_needed")
            before = half.cookies["keyportal"]
            self.assertGreaterEqual(half.ask("POST", "/api/v1/session/second-factor", {"code": "000000"})[0], 400)
            status, done = half.entered(*half.ask("POST", "/api/v1/session/second-factor", {"code": told["codes"][0]}))
            self.assertEqual(status, 201, done)
            self.assertNotEqual(half.cookies["keyportal"], before)
            self.assertEqual(half.get("/api/v1/account")["identities"], linked)

            # Suspended people do not come in this way either; nor does an identity that was taken off.
            self.assertEqual(scene.admin.ask("POST", f"/api/v1/users/{ann.id}/state", {"to": "suspended"})[0], 200)
            wait_until(lambda: Traveller(scene.portal).travel(OIDC) == "/#sign-in-failed=account_suspended", "she is out")
            self.assertEqual(scene.admin.ask("POST", f"/api/v1/users/{ann.id}/state", {"to": "active"})[0], 200)
            wait_until(lambda: half.sign_in("ann@example.com")[0] == 201, "she may come in again")
            half.entered(*half.ask("POST", "/api/v1/session/second-factor", {"code": told["codes"][1]}))
            status, _ = half.ask("POST", "/api/v1/account/identities/drop", {"provider": OIDC, "subject": linked[0]["subject"]})
            self.assertIn(status, (200, 204))
            self.assertTrue(Traveller(scene.portal).travel(OIDC).startswith("/#register?"))
            scene.portal.stop()

    def test_who_may_register_is_decided_by_the_mode(self):
        with Place() as place:
            scene = self.scene(place, settings={"sign_in.anonymous": '"nothing"'})  # closed
            new = Traveller(scene.portal)
            self.assertTrue(new.travel(OIDC).startswith("/#register?"))
            self.assertEqual(new.newcomer(email="ada@example.com", name="Ada")[1]["code"], "registration_closed")
            scene.nothing_new(self)
            # Without what the other place said nobody is anybody's identity.
            liar = Browser(scene.portal)
            liar.look()
            self.assertEqual(liar.ask("POST", "/api/v1/registration", {"external": True, "email": "a@example.com"})[1]["code"],
                             "sign_in_expired")
            liar.cookies["keyportal-newcomer"] = new.cookies["keyportal-newcomer"][:-4] + "AAAA"
            self.assertEqual(liar.ask("POST", "/api/v1/registration", {"external": True, "email": "a@example.com"})[1]["code"],
                             "sign_in_expired")
            scene.portal.stop()
        with Place() as place:
            scene = self.scene(place, settings=SETTINGS | {"sign_in.registration": '"domain"', "sign_in.domains": '["example.com"]'})
            for changes, address, wanted in (({"email": "x@evil.example"}, "x@evil.example", 403),
                                             ({"email": "x@example.com", "email_verified": False}, "x@example.com", 403),
                                             ({"email": "x@example.com"}, "y@example.com", 403),  # another than is proven
                                             ({"email": "x@example.com"}, "x@example.com", 201)):
                scene.idp.person |= {"email_verified": True} | changes
                new = Traveller(scene.portal)
                new.travel(OIDC)
                status, told = new.newcomer(email=address, name="X")
                self.assertEqual(status, wanted, (changes, told))
            self.assertEqual(len(scene.admin.get("/api/v1/users")["items"]), 2)
            scene.portal.stop()
        with Place() as place:
            scene = self.scene(place, settings=SETTINGS | {"sign_in.registration": '"approval"'})
            new = Traveller(scene.portal)
            new.travel(LARK)
            status, told = new.newcomer(email="ada@example.com", name="Ada", reason="for work")
            self.assertEqual((status, told["waits_for_approval"]), (202, True))
            waits = Traveller(scene.portal)
            self.assertEqual(waits.travel(LARK), "/#sign-in-failed=account_waits")
            self.assertNotIn("keyportal", waits.cookies)
            who = next(u["id"] for u in scene.admin.get("/api/v1/users")["items"] if u["email"] == "ada@example.com")
            self.assertEqual(scene.admin.ask("POST", f"/api/v1/users/{who}/state", {"to": "active"})[0], 200)
            wait_until(lambda: Traveller(scene.portal).travel(LARK) == "/", "who was let in comes in")
            scene.portal.stop()

    def test_one_comes_back_to_a_page_of_ours_only(self):
        with Place() as place:
            scene = self.scene(place)
            new = Traveller(scene.portal)
            new.travel(OIDC)
            self.assertEqual(new.newcomer(email="ada@example.com", name="Ada")[0], 201)
            for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "\\/evil.example",
                         "http:evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie: a=b\r\nX: y", "evil.example", "",
                         "///evil.example", "/..//evil.example", "/%2f/evil.example/../..//x", "/a\nb"):
                with self.subTest(evil):
                    browser = Traveller(scene.portal)
                    asked = "?return_to=" + urllib.parse.quote(evil, safe="")
                    status, answer = browser.ask("GET", f"/sign-in/{OIDC}{asked}")
                    if status == 400:  # refused at once
                        self.assertEqual(answer["code"], "return_to_refused")
                        continue
                    self.assertEqual(status, 303)
                    back = browser.come_back(browser.at_place(browser.last["location"]))
                    resolved = urllib.parse.urlsplit(urllib.parse.urljoin(scene.portal.url + "/", back.replace("\\", "/")))
                    self.assertEqual(f"{resolved.scheme}://{resolved.netloc}", scene.portal.url, back)
                    self.assertTrue(browser.is_in())
            # Another site's page cannot begin a sign-in.
            self.assertEqual(Traveller(scene.portal).ask("GET", f"/sign-in/{OIDC}", headers={"Sec-Fetch-Site": "cross-site"})[1]["code"],
                             "wrong_origin")
            scene.portal.stop()


if __name__ == "__main__":
    unittest.main()
