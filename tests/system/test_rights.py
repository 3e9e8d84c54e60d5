"""Who may ask what, over the whole API: every operation of openapi.yaml by everybody whom its right leaves out; what is
somebody else's is not there; what happens to accounts is told in the log."""
import re
import unittest

import watch
from browser import PASSWORD, Browser, first_admin, member
from service import Place, call, wait_until
from test_sign_in_elsewhere import code_now

#: Kept apart from the code that decides, on purpose: which roles have a right.
READING = {"read.usage", "read.people", "read.keys", "read.policies", "read.prices", "read.nodes", "read.settings", "read.audit",
           "read.accounts"}
OWN = {"own.account", "own.tokens", "own.usage", "own.keys.read", "own.keys.write", "own.accounts"}
RIGHTS = {
    "nobody": set(),
    "half a sign-in": set(),
    "a key": {"own.usage"},
    "a user": OWN | {"read.nodes"},
    "an auditor": OWN | READING,
    "a token to read usage": {"own.usage", "read.usage"},
    "a token of a user": {"own.usage"},  # which has the scope read:usage too, but not its owner the right
    "a token to write keys": {"own.keys.read", "own.keys.write", "read.keys", "write.keys"},
}
#: Whoever has one of these has something to hear of.
LISTENING = dict.fromkeys(("/ws", "/api/v1/events"), {"own.usage", "read.nodes"})
UPGRADE = {"Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
NOTHING = {"sign_in.anonymous": '"nothing"'}


class Rights(unittest.TestCase):
    def token(self, browser, *scopes):
        status, made = browser.ask("POST", "/api/v1/tokens", {"label": "t", "scopes": list(scopes), "lifetime_s": 3600})
        self.assertEqual(status, 201, made)
        return {"Authorization": "Bearer " + made["text"]}

    def test_every_operation_refuses_whom_its_right_leaves_out(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            user, auditor = member(portal, admin, "ann@example.com"), member(portal, admin, "eve@example.com", "auditor")
            self.assertEqual(admin.ask("POST", "/api/v1/pool", {"count": 3})[0], 201)
            status, taken = user.ask("POST", "/api/v1/me/keys", {"label": "laptop"})
            self.assertEqual(status, 201, taken)
            half = member(portal, admin, "two@example.com", "admin")
            status, begun = half.ask("POST", "/api/v1/account/totp", {"password": PASSWORD})
            self.assertEqual(half.ask("POST", "/api/v1/account/totp/confirm", {"code": code_now(begun["secret"])})[0], 200)
            half = Browser(portal)
            self.assertEqual(half.sign_in("two@example.com")[0], 201)
            key = Browser(portal)
            key.look()
            self.assertEqual(key.entered(*key.ask("POST", "/api/v1/session", {"key": taken["key"]}))[0], 201)
            nobody = Browser(portal)
            nobody.look()
            callers = {"nobody": (nobody, {}), "half a sign-in": (half, {}), "a key": (key, {}), "a user": (user, {}),
                       "an auditor": (auditor, {}),
                       "a token to read usage": (Browser(portal), self.token(admin, "read:usage")),
                       "a token of a user": (Browser(portal), self.token(user, "read:usage")),
                       "a token to write keys": (Browser(portal), self.token(admin, "write:keys"))}
            self.assertEqual(set(callers), set(RIGHTS))

            def done():  # by anybody; the pool fills itself
                return [one for one in admin.get("/api/v1/audit?limit=1000")["items"] if one["from"] != "local"]
            before = done()
            refused = 0
            for (method, path), operation in watch.contract.document.operations.items():
                rights = {operation["x-right"]} if "x-right" in operation else LISTENING.get(path)
                if not rights:
                    continue  # open to anybody, or about a session
                there = path.format(node="default", id="1", name=taken["keys"][0]["id"])
                for who, (browser, headers) in callers.items():
                    if rights & RIGHTS[who]:
                        continue
                    if path == "/ws":
                        headers = headers | UPGRADE
                    with self.subTest(operation=f"{method.upper()} {path}", who=who):
                        status, told = browser.ask(method.upper(), there, {} if method in ("post", "put", "patch") else None,
                                                   headers, hostile=True)
                        wanted = {"nobody": (401, "sign_in_needed"), "half a sign-in": (401, "second_factor_needed")}
                        self.assertEqual((status, told["code"] if isinstance(told, dict) else told),
                                         wanted.get(who, (403, "right_missing")))
                        refused += 1
            self.assertGreater(refused, 500)
            self.assertEqual(done(), before)  # and nothing was done
            portal.stop()

    def test_what_is_somebody_elses_is_not_there(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
            self.assertEqual(admin.ask("POST", "/api/v1/pool", {"count": 3})[0], 201)
            status, taken = ann.ask("POST", "/api/v1/me/keys", {"label": "laptop"})
            self.assertEqual(status, 201, taken)
            hers = {"/api/v1/me/keys": taken["keys"][0]["id"], "/api/v1/sessions": ann.get("/api/v1/sessions")["items"][0]["name"]}
            self.token(ann, "read:usage")
            hers["/api/v1/tokens"] = ann.get("/api/v1/tokens")["items"][0]["name"]
            hers["/api/user-stats"] = "ann@example.com"
            status, login = ann.ask("POST", "/api/v1/account-logins", {"provider": "claude"})
            self.assertEqual(status, 201, login)
            hers["/api/v1/account-logins"] = login["id"]
            asked = set()
            for (method, path), operation in watch.contract.document.operations.items():
                if not operation.get("x-right", "").startswith("own.") or "{name}" not in path:
                    continue
                if path.startswith("/api/v1/accounts/"):
                    continue  # how accounts are is everybody's who signed in
                start = path.partition("/{name}")[0]
                body = (None if method in ("get", "delete") else {"reason": "more"} if path.endswith("renewal")
                        else {"text": "http://localhost:54545/callback?code=x&state=y"} if path.endswith("callback") else {})
                with self.subTest(operation=f"{method.upper()} {path}"):
                    told = [bob.ask(method.upper(), path.format(name=name), body, hostile=True)
                            for name in (hers[start], "nothing")]
                    self.assertEqual(told[0], told[1])  # as if it were not there
                    self.assertEqual(told[0][0], 404)
                    asked.add(start)
            self.assertEqual(asked, set(hers))
            self.assertEqual(ann.get("/api/v1/me/keys/" + hers["/api/v1/me/keys"])["state"], "live")
            self.assertEqual([t["name"] for t in ann.get("/api/v1/tokens")["items"]], [hers["/api/v1/tokens"]])
            self.assertEqual(len(ann.get("/api/v1/sessions")["items"]), 1)
            portal.stop()

    def test_what_happens_to_accounts_is_told_in_the_log(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            stranger = Browser(portal)
            self.assertEqual(stranger.sign_in("ann@example.com", "not the right one")[0], 401)
            self.assertEqual(ann.ask("GET", "/api/v1/users")[0], 403)
            self.token(ann, "read:usage")
            name = ann.get("/api/v1/tokens")["items"][0]["name"]
            self.assertEqual(ann.ask("DELETE", "/api/v1/tokens/" + name)[0], 204)
            self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{ann.id}", {"role": "auditor"})[0], 200)
            wait_until(lambda: ann.ask("GET", "/api/v1/account")[0] == 401, "her session ends with her role")
            self.assertEqual(admin.ask("DELETE", "/api/v1/session")[0], 204)
            wanted = {"authn_login_success", "authn_login_fail", "authn_password_change", "authn_token_created",
                      "authn_token_revoked", "authz_fail", "session_created", "user_created"}

            def told():
                lines = re.findall(r"\b((?:authn|authz|session|user|sys)_[a-z_]+)\b.*actor=", portal.log())
                return wanted <= set(lines)
            wait_until(told, lambda: f"of {wanted} the log has {portal.log()[-4000:]}")
            for line in portal.log().splitlines():
                if "actor=" in line:
                    self.assertRegex(line, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
                    self.assertRegex(line, r"actor=\S+ ip=\S+ request=\S+ result=\S+")
                    # What a request did names it; that a session ended is told when the change was seen.
                    if "ip=127" in line and " session_" not in line:
                        self.assertRegex(line, r"request=[0-9a-f]{16} ")
            portal.stop()


if __name__ == "__main__":
    unittest.main()
