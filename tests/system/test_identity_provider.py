"""The stand-in for places to sign in at does what real ones do, and each of its faults is one."""
import base64
import hashlib
import http.client
import json
import time
import unittest
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from identity_provider import ANSWER_FAULTS, CLIENT, FAULTS, IdentityProvider, SECRET, TOKEN_FAULTS, b64

BACK = "http://127.0.0.1:1/sign-in/company/callback"
VERIFIER = "v" * 43


def ask(place, method, path, body=None, headers=(), timeout=10):
    host = urllib.parse.urlsplit(place.url).netloc
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Stranger(unittest.TestCase):
    """Drives it as Key Portal would."""

    def setUp(self):
        self.place = IdentityProvider()
        self.addCleanup(self.place.close)

    def authorized(self, path="/oidc/authorize", **changes):
        query = {"client_id": CLIENT, "redirect_uri": BACK, "response_type": "code", "scope": "openid email", "state": "the-state",
                 "nonce": "the-nonce", "code_challenge": b64(hashlib.sha256(VERIFIER.encode()).digest()),
                 "code_challenge_method": "S256", **changes}
        status, headers, _ = ask(self.place, "GET", f"{path}?{urllib.parse.urlencode(query)}")
        if status != 302:
            return status
        self.assertTrue(headers["Location"].startswith(BACK + "?"))
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["Location"]).query))

    def exchanged(self, code, path="/oidc/token", as_json=False, secret=SECRET, **changes):
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        headers = {"Content-Type": "application/json" if as_json else "application/x-www-form-urlencoded"}
        if path == "/oidc/token":
            headers["Authorization"] = "Basic " + base64.b64encode(f"{CLIENT}:{secret}".encode()).decode()
        else:
            fields |= {"client_id": CLIENT, "client_secret": secret}
        fields |= changes
        body = json.dumps(fields) if as_json else urllib.parse.urlencode(fields)
        status, _, text = ask(self.place, "POST", path, body, headers)
        return status, json.loads(text)

    def proof(self):
        """(head, claims, whether a published key has signed it) of a whole sign-in."""
        status, tokens = self.exchanged(self.authorized()["code"])
        self.assertEqual(status, 200)
        head, claims, signature = tokens["id_token"].split(".")
        key = json.loads(ask(self.place, "GET", "/oidc/jwks")[2])["keys"][0]
        public = rsa.RSAPublicNumbers(*(int.from_bytes(unb64(key[n]), "big") for n in "en")).public_key()
        try:
            public.verify(unb64(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            genuine = True
        except InvalidSignature:
            genuine = False
        return json.loads(unb64(head)), json.loads(unb64(claims)), genuine

    def test_somebody_signs_in_with_openid_connect(self):
        document = json.loads(ask(self.place, "GET", "/.well-known/openid-configuration")[2])
        self.assertEqual(document["issuer"], self.place.url)
        back = self.authorized()
        self.assertEqual((back["state"], back["iss"]), ("the-state", self.place.url))
        head, claims, genuine = self.proof()
        self.assertTrue(genuine)
        self.assertEqual((head["alg"], claims["iss"], claims["aud"], claims["nonce"], claims["sub"]),
                         ("RS256", self.place.url, CLIENT, "the-nonce", "user-1"))
        self.assertTrue(claims["iat"] <= time.time() < claims["exp"])
        self.assertEqual(len(self.place.requests("/oidc/token")), 1)
        self.assertEqual(self.place.requests("/oidc/token")[0].fields()["code_verifier"], VERIFIER)

    def test_somebody_signs_in_with_feishu_over_v3_and_v2(self):
        for path, as_json in (("/oauth/v3/token", False), ("/oauth/v3/token", True), ("/open-apis/authen/v2/oauth/token", True)):
            back = self.authorized("/open-apis/authen/v1/authorize", scope="")
            self.assertNotIn("iss", back)
            status, tokens = self.exchanged(back["code"], path, as_json)
            self.assertEqual((status, tokens["code"]), (200, 0))
            status, _, text = ask(self.place, "GET", "/open-apis/authen/v1/user_info",
                                  headers={"Authorization": "Bearer " + tokens["access_token"]})
            self.assertEqual((status, json.loads(text)["data"]["union_id"]), (200, "on_1"))
        self.assertEqual(self.exchanged(back["code"], "/open-apis/authen/v2/oauth/token")[1]["code"], 20063)  # a form

    def test_a_code_is_taken_once_with_its_verifier_address_and_secret(self):
        code = self.authorized()["code"]
        self.assertEqual(self.exchanged(code, secret="another")[0], 401)
        self.assertEqual(self.exchanged(code)[0], 200)
        self.assertEqual(self.exchanged(code), (400, {"error": "invalid_grant", "error_description": "used"}))
        for changes, why in (({"code_verifier": "w" * 43}, "pkce"), ({"redirect_uri": BACK + "/x"}, "redirect")):
            self.assertEqual(self.exchanged(self.authorized()["code"], **changes)[1]["error_description"], why)
        self.place.code_seconds = -1
        self.assertEqual(self.exchanged(self.authorized()["code"])[1]["error_description"], "expired")
        self.assertEqual(self.exchanged("made-up", "/oauth/v3/token")[1]["code"], 20003)
        self.place.fault("error_with_status_200")
        self.assertEqual(self.exchanged("made-up", "/oauth/v3/token")[0], 200)

    def test_who_asks_wrongly_is_not_sent_on(self):
        for changes in ({"redirect_uri": "https://evil.example/"}, {"client_id": "x"}, {"response_type": "token"}):
            self.assertEqual(self.authorized(**changes), 400)
        for changes in ({"code_challenge_method": "plain"}, {"code_challenge": ""}, {"scope": "email"}):
            self.assertEqual(self.authorized(**changes)["error"], "invalid_request")

    def test_every_fault_of_a_token_is_one(self):
        now = time.time()
        wrong = {
            "wrong_iss": lambda head, claims, genuine: claims["iss"] != self.place.url and genuine,
            "wrong_aud": lambda head, claims, genuine: claims["aud"] != CLIENT and genuine,
            "wrong_nonce": lambda head, claims, genuine: claims["nonce"] != "the-nonce" and genuine,
            "alg_none": lambda head, claims, genuine: head["alg"] == "none" and not genuine,
            "hs256_public_key": lambda head, claims, genuine: head["alg"] == "HS256" and not genuine,
            "expired": lambda head, claims, genuine: claims["exp"] < now - 60 and genuine,
            "future_iat": lambda head, claims, genuine: claims["iat"] > now + 60 and genuine,
            "unknown_kid": lambda head, claims, genuine: head["kid"] != self.place.kid and genuine,
            "forged_signature": lambda head, claims, genuine: not genuine,
        }
        self.assertEqual({*wrong, "no_id_token"}, set(TOKEN_FAULTS))
        for name, is_wrong in wrong.items():
            with self.subTest(name):
                self.place.fault(name)
                self.assertTrue(is_wrong(*self.proof()))
                self.place.clear()
                self.assertFalse(is_wrong(*self.proof()))
        self.place.fault("no_id_token", times=1)
        self.assertNotIn("id_token", self.exchanged(self.authorized()["code"])[1])
        self.assertIn("id_token", self.exchanged(self.authorized()["code"])[1])

    def test_every_fault_of_a_callback_is_one(self):
        self.place.fault("swapped_state", times=1)
        self.assertNotEqual(self.authorized()["state"], "the-state")
        self.place.fault("wrong_iss_parameter", times=1)
        self.assertNotEqual(self.authorized()["iss"], self.place.url)
        self.place.fault("access_denied", times=1)
        self.assertEqual(self.authorized()["error"], "access_denied")
        self.place.fault("no_code", times=1)
        self.assertNotIn("code", self.authorized())
        self.place.fault("reused_code", times=1)
        self.assertEqual(self.exchanged(self.authorized()["code"])[1]["error"], "invalid_grant")
        self.place.fault("wrong_issuer_in_discovery", times=1)
        path = "/.well-known/openid-configuration"
        self.assertNotEqual(json.loads(ask(self.place, "GET", path)[2])["issuer"], self.place.url)
        self.assertEqual(json.loads(ask(self.place, "GET", path)[2])["issuer"], self.place.url)

    def test_every_fault_of_an_answer_is_one(self):
        path = "/oidc/jwks"
        good = ask(self.place, "GET", path)
        for name in ANSWER_FAULTS:
            with self.subTest(name):
                self.place.fault(name, path=path)
                if name == "slow":
                    with self.assertRaises(TimeoutError):
                        ask(self.place, "GET", path, timeout=0.3)
                elif name == "drop":
                    with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
                        ask(self.place, "GET", path)
                else:
                    status, headers, body = ask(self.place, "GET", path)
                    self.assertTrue({"truncated_json": good[2].startswith(body) and len(body) < len(good[2]),
                                     "html_502": status == 502 and body.startswith(b"<html>"),
                                     "wrong_content_type": headers["Content-Type"] == "text/html" and body == good[2],
                                     "huge_answer": len(body) > 1 << 20,
                                     "redirect": status == 307 and "Location" in headers}[name])
                self.assertEqual(ask(self.place, "GET", "/.well-known/openid-configuration")[0], 200)  # only there
                self.place.clear()
                self.assertEqual(ask(self.place, "GET", path)[2], good[2])

    def test_feishu_says_any_error_that_it_is_told_to(self):
        path, as_json = "/open-apis/authen/v2/oauth/token", True
        self.place.fault("feishu_error", 20010, path=path)
        self.assertEqual(self.exchanged("any", path, as_json)[1]["code"], 20010)
        self.place.fault("error_with_status_200")
        self.assertEqual(self.exchanged("any", path, as_json)[0], 200)
        self.assertEqual(self.exchanged("any", "/oauth/v3/token")[1]["code"], 20003)  # only there
        self.place.fault("feishu_rate_limit", path=path)
        self.assertEqual(self.exchanged("any", path, as_json)[0], 429)

    def test_a_fault_that_there_is_not_is_an_error(self):
        with self.assertRaises(ValueError):
            self.place.fault("wrong_aut")
        self.assertEqual(len(FAULTS), len(set(FAULTS)))


if __name__ == "__main__":
    unittest.main()
