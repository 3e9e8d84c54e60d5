"""Signing in from outside: who gets in, what each may, and that it ends when it should."""
import os
import stat
import unittest

from browser import PASSWORD, Browser, first_admin, first_token, member
from service import Place, call, wait_until
from wire import WebSocket

NOTHING = {"sign_in.anonymous": '"nothing"'}


class SignIn(unittest.TestCase):
    def test_the_first_admin_is_made_once_by_the_token_in_the_data_folder(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            path = portal.data + "/first-admin.token"
            token = first_token(portal)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertNotIn(token, portal.log())
            stranger = Browser(portal)
            for wrong in ({}, {"invitation": "kpb_nothing"}):
                self.assertGreaterEqual(stranger.register(email="x@example.com", name="x", password=PASSWORD, **wrong)[0], 400)
            admin = first_admin(portal)
            told = admin.look()
            self.assertEqual((told["kind"], told["user"]["role"]), ("session", "admin"))
            self.assertIn("write.people", told["rights"])
            wait_until(lambda: not os.path.exists(path), "the token's file goes")
            self.assertGreaterEqual(stranger.register(email="x@example.com", name="x", password=PASSWORD, invitation=token)[0], 400)
            portal.stop()

    def test_nobody_sees_anything_where_nothing_is_shown(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            for path in ("/api/v1/summary", "/api/v1/nodes", "/api/v1/retention"):
                self.assertEqual(call(portal.url + path)[0], 401)
            with WebSocket(portal.url) as socket:
                self.assertEqual(socket.status, 401)
            forwarded = {"X-Forwarded-For": "127.0.0.1"}  # of a proxy that nobody configured
            self.assertEqual(call(portal.url + "/metrics")[0], 200)
            self.assertEqual(call(portal.url + "/metrics", headers=forwarded)[0], 404)
            self.assertEqual(call(portal.url + "/openapi.json", headers=forwarded)[0], 404)
            portal.stop()

    def test_each_role_may_what_is_its_own(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            user = member(portal, admin, "ann@example.com")
            other = member(portal, admin, "bob@example.com")
            auditor = member(portal, admin, "eve@example.com", "auditor")
            self.assertEqual(admin.ask("POST", "/api/v1/pool", {"count": 5})[0], 201)
            status, taken = user.ask("POST", "/api/v1/me/keys", {"label": "laptop"})
            self.assertEqual(status, 201, taken)
            key = taken["keys"][0]["id"]
            self.assertEqual([k["id"] for k in user.get("/api/v1/me/keys")["items"]], [key])
            self.assertEqual(user.get("/api/v1/me/keys/" + key)["label"], "laptop")
            self.assertEqual(user.ask("PATCH", "/api/v1/me/keys/" + key, {"label": "desk"})[0], 200)
            self.assertEqual(user.get(f"/api/v1/me/keys/{key}/budgets")["items"], [])
            self.assertEqual(user.get("/api/v1/me/usage")["total"]["requests"], 0)
            self.assertEqual(user.get("/api/v1/me/records")["items"], [])
            for path in ("", "/budgets"):
                self.assertEqual(other.ask("GET", f"/api/v1/me/keys/{key}{path}")[1]["code"], "key_unknown")
            for what in ("renew", "rotate", "revoke"):
                self.assertEqual(other.ask("POST", f"/api/v1/me/keys/{key}/{what}")[1]["code"], "key_unknown")
            self.assertEqual(other.ask("POST", f"/api/v1/me/keys/{key}/renewal", {"reason": "x"})[1]["code"], "key_unknown")
            for path in ("/api/v1/users", "/api/v1/keys", "/api/v1/usage", "/api/v1/audit", "/api/v1/backups"):
                self.assertEqual(user.ask("GET", path)[1]["code"], "right_missing")
                self.assertEqual(auditor.ask("GET", path)[0], 200)
            self.assertEqual(auditor.ask("POST", "/api/v1/users", {"email": "x@example.com"})[1]["code"], "right_missing")
            self.assertEqual(user.ask("GET", "/api/v1/nodes")[0], 200)
            self.assertEqual(user.ask("POST", f"/api/v1/me/keys/{key}/rotate", {})[0], 200)
            self.assertEqual(user.ask("POST", f"/api/v1/me/keys/{key}/revoke")[0] in (200, 409), True)
            entries = admin.get("/api/v1/audit?what=key.assign")["items"]
            self.assertEqual(entries[-1]["who"], user.id)
            portal.stop()

    def test_what_changes_something_needs_the_csrf_token_and_our_origin(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            new = {"email": "x@example.com"}
            self.assertEqual(admin.ask("POST", "/api/v1/users", new, {"X-CSRF-Token": None})[1]["code"], "csrf_missing")
            self.assertEqual(admin.ask("POST", "/api/v1/users", new, {"X-CSRF-Token": "x"})[1]["code"], "csrf_missing")
            for name, value in (("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")):
                self.assertEqual(admin.ask("POST", "/api/v1/users", new, {name: value})[1]["code"], "wrong_origin")
            self.assertEqual(admin.ask("POST", "/api/v1/users", new)[0], 201)
            cookie = admin.cookies["keyportal"]
            self.assertNotIn(cookie, portal.log())
            portal.stop()

    def test_sessions_and_their_sockets_end_at_once(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            user = member(portal, admin, "ann@example.com")
            again = Browser(portal)
            self.assertEqual(again.sign_in("ann@example.com")[0], 201)
            listed = user.get("/api/v1/sessions")["items"]
            self.assertEqual([s["current"] for s in listed].count(True), 1)
            name = next(s["name"] for s in listed if not s["current"])
            with WebSocket(portal.url, again.cookie()) as socket:
                self.assertEqual(socket.status, 101)
                self.assertEqual(user.ask("DELETE", "/api/v1/sessions/" + name)[0], 204)
                to_the_end(socket)
            self.assertEqual(again.ask("GET", "/api/v1/nodes")[1]["code"], "session_ended")
            self.assertEqual(user.ask("DELETE", "/api/v1/sessions/nothing")[0], 404)
            self.assertEqual(user.ask("DELETE", "/api/v1/sessions")[0], 200)

            # Suspended: everything at once.
            with WebSocket(portal.url, user.cookie()) as socket:
                self.assertEqual(socket.status, 101)
                self.assertEqual(admin.ask("POST", f"/api/v1/users/{user.id}/state", {"to": "suspended"})[0], 200)
                to_the_end(socket)
            self.assertEqual(user.ask("GET", "/api/v1/nodes")[0], 401)
            self.assertEqual(user.sign_in("ann@example.com")[1]["code"], "account_suspended")

            # A role counts from the next request on, and the last admin stays.
            two = member(portal, admin, "two@example.com", "admin")
            self.assertEqual(two.ask("GET", "/api/v1/users")[0], 200)
            self.assertEqual(len(admin.get(f"/api/v1/users/{two.id}/sessions")["items"]), 1)
            self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{two.id}", {"role": "user"})[0], 200)
            self.assertIn(two.ask("GET", "/api/v1/users")[0], (401, 403))
            me = admin.look()["user"]["id"]
            self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{me}", {"role": "user"})[1]["code"], "confirmation_needed")
            self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{me}?confirm=true", {"role": "user"})[1]["code"], "last_admin")
            self.assertEqual(admin.ask("DELETE", f"/api/v1/users/{two.id}/sessions")[0], 200)
            self.assertEqual(admin.ask("DELETE", f"/api/v1/users/{two.id}/totp")[0] in (204, 404), True)

            self.assertEqual(admin.ask("DELETE", "/api/v1/session")[0], 204)
            self.assertEqual(admin.ask("GET", "/api/v1/nodes")[0], 401)
            portal.stop()

    def test_accounts_tokens_and_invitations(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings={**NOTHING, "sign_in.registration": '"invitation"'})
            admin = first_admin(portal)
            account = admin.get("/api/v1/account")
            self.assertEqual((account["has_password"], account["has_totp"]), (True, False))
            status, made = admin.ask("POST", "/api/v1/tokens", {"label": "ci", "scopes": ["read:usage"], "lifetime_s": 3600})
            self.assertEqual(status, 201, made)
            bearer = {"Authorization": "Bearer " + made["text"]}
            self.assertEqual(call(portal.url + "/api/v1/usage", headers=bearer)[0], 200)
            self.assertEqual(call(portal.url + "/api/v1/users", headers=bearer)[0], 403)
            self.assertNotIn(made["text"], portal.log())
            name = admin.get("/api/v1/tokens")["items"][0]["name"]
            self.assertEqual(admin.ask("DELETE", "/api/v1/tokens/" + name)[0], 204)
            self.assertEqual(call(portal.url + "/api/v1/usage", headers=bearer)[0], 401)

            status, invited = admin.ask("POST", "/api/v1/invitations", {"email": "new@example.com"})
            self.assertEqual(status, 201, invited)
            new = Browser(portal)
            self.assertEqual(new.register(email="new@example.com", name="New", password=PASSWORD,
                                          invitation=invited["text"])[0], 201)
            self.assertEqual(new.sign_in("new@example.com")[0], 201)
            self.assertEqual(admin.ask("POST", "/api/v1/invitations", {})[0], 201)
            for one in admin.get("/api/v1/invitations")["items"]:
                self.assertEqual(admin.ask("DELETE", "/api/v1/invitations/" + one["name"])[0], 204)

            fresh = "another horse battery staple"
            status, _ = new.entered(*new.ask("POST", "/api/v1/password", {"old": PASSWORD, "new": fresh}))
            self.assertIn(status, (201, 204))
            self.assertEqual(Browser(portal).sign_in("new@example.com")[1]["code"], "sign_in_refused")
            self.assertEqual(Browser(portal).sign_in("new@example.com", fresh)[0], 201)
            stranger = Browser(portal)
            stranger.look()
            for email in ("new@example.com", "nobody@example.com"):
                # Without mail nobody is sent a code, and the answer tells nothing of who there is.
                status, told = stranger.ask("POST", "/api/v1/password/reset", {"email": email})
                self.assertEqual((status, told["code"]), (403, "mail_off"), told)
            self.assertEqual(stranger.get("/api/v1/sign-in/providers")["items"], [])
            self.assertEqual(stranger.get("/api/v1/sign-in"), {"registration": "invitation", "passwords": True})
            self.assertEqual(stranger.ask("GET", "/sign-in/company")[1]["code"], "provider_unknown")
            self.assertEqual(stranger.ask("GET", "/sign-in/company/callback?code=c&state=s")[0], 303)
            portal.stop()


def to_the_end(socket):
    """Reads until the peer closes; TimeoutError when it does not."""
    while socket.frame() is not None:
        pass


if __name__ == "__main__":
    unittest.main()
