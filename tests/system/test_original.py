"""The endpoints of the Python Key Portal: what they answer today, and to whom."""
import unittest

from browser import Browser, first_admin, member
from service import Place, call, wait_until

NOTHING = {"sign_in.anonymous": '"nothing"'}
SUMS = {"total_requests", "success_count", "failure_count", "total_tokens", "input_tokens", "output_tokens"}


class Original(unittest.TestCase):
    def test_nobody_is_told_anything_without_signing_in(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            for path in ("usage", "usage-summary", "usage-history", "auth-stats", "keys", "my-keys", "user-stats/a@example.com",
                         "all-users-stats", "key-pool-status"):
                self.assertEqual(call(f"{portal.url}/api/{path}")[0], 401, path)
            for path in ("register-key", "revoke-key", "sync-usage"):
                self.assertEqual(call(f"{portal.url}/api/{path}", "POST", hostile=True)[0], 401, path)
            portal.stop()

    def test_a_key_is_registered_seen_queried_and_revoked_by_its_owner(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings=NOTHING)
            admin = first_admin(portal)
            ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
            self.assertEqual(admin.ask("POST", "/api/v1/pool", {"count": 5})[0], 201)
            wait_until(lambda: admin.get("/api/key-pool-status")["unused"] >= 5, "the pool has keys")
            status, made = ann.ask("POST", "/api/register-key", {"email": "ann@example.com", "name": "x", "label": "laptop"})
            self.assertEqual(status, 201, made)
            self.assertEqual((made["success"], made["email"], made["name"], made["label"]),
                             (True, "ann@example.com", "ann", "laptop"))
            text = made["api_key"]
            self.assertTrue(text)
            # For somebody else only an admin registers; and nobody is told whether that is somebody.
            self.assertEqual(bob.ask("POST", "/api/register-key", {"email": "ann@example.com"})[1]["code"], "right_missing")
            self.assertEqual(admin.ask("POST", "/api/register-key", {"email": "bob@example.com"})[0], 201)

            mine = ann.get("/api/my-keys")
            self.assertEqual((mine["email"], [k["label"] for k in mine["keys"]]), ("ann@example.com", ["laptop"]))
            self.assertLessEqual(SUMS, mine["keys"][0].keys())
            self.assertNotIn(text, str(mine))
            self.assertEqual(ann.get("/api/my-keys?email=ann@example.com"), mine)
            self.assertEqual(bob.ask("GET", "/api/my-keys?email=ann@example.com")[1]["code"], "user_unknown")
            self.assertEqual(bob.ask("GET", "/api/user-stats/ann@example.com")[1]["code"], "user_unknown")
            self.assertEqual(ann.get("/api/user-stats/ann@example.com")["keys"], mine["keys"])
            self.assertEqual(admin.get("/api/user-stats/ann@example.com")["keys"], mine["keys"])
            self.assertEqual(bob.ask("GET", "/api/keys")[1]["code"], "right_missing")
            listed = admin.get("/api/keys")["keys"]
            self.assertIn(("ann@example.com", "laptop"), [(k["email"], k["label"]) for k in listed])
            self.assertNotIn(text, str(listed))

            stranger = Browser(portal)
            stranger.look()
            status, told = stranger.ask("POST", "/api/query-by-key", {"key": text})
            self.assertEqual((status, told.get("label"), told.get("total_requests")), (200, "laptop", 0), told)
            self.assertNotIn(text, str(told))
            self.assertEqual(stranger.look()["kind"], "nobody")
            self.assertGreaterEqual(stranger.ask("POST", "/api/query-by-key", {"key": "sk-kp-nothing"})[0], 400)

            self.assertEqual(bob.ask("POST", "/api/revoke-key", {"key": text})[1]["code"], "key_unknown")
            status, done = ann.ask("POST", "/api/revoke-key", {"key": text})
            self.assertEqual((status, done), (200, {"success": True, "key_id": made["key_id"]}))
            self.assertEqual(ann.get("/api/my-keys")["keys"][0]["state"], "revoked")
            portal.stop()

    def test_usage_is_told_as_the_original_did(self):
        with Place() as place:
            sim = place.stand_in()
            portal = place.portal(sim, settings=NOTHING)
            admin = first_admin(portal)
            sim.record(20)
            wait_until(lambda: admin.get("/api/usage-summary")["total_requests"] == 20, "all is taken over")
            summary = admin.get("/api/usage-summary")
            self.assertEqual(summary["success_count"] + summary["failure_count"], 20)
            usage = admin.get("/api/usage")
            self.assertEqual((usage["usage"]["total_requests"], usage["usage"]["total_tokens"]), (20, summary["total_tokens"]))
            self.assertEqual(sum(one["total_requests"] for one in usage["usage"]["apis"].values()), 20)
            history = admin.get("/api/usage-history?days=2")["history"]
            self.assertEqual(sum(day["total_requests"] for day in history), 20)
            self.assertEqual(sum(one["total_requests"] for one in admin.get("/api/auth-stats")["stats"]), 20)
            for period in ("total", "day", "month", "year"):
                self.assertEqual(admin.get("/api/all-users-stats?period=" + period)["users"], [])  # nobody has a key yet
            self.assertEqual(admin.ask("GET", "/api/all-users-stats?period=week", hostile=True)[0], 400)
            status, done = admin.ask("POST", "/api/sync-usage")
            self.assertEqual((status, done["success"], done["records"]), (200, True, 20))
            portal.stop()

    def test_what_is_not_offered_any_more_says_what_takes_its_place(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            browser = Browser(portal)
            browser.look()
            for method, path in (("POST", "send-notification"), ("POST", "check-expiry")):
                status, told = browser.ask(method, "/api/" + path)
                self.assertEqual((status, told["code"]), (410, "not_offered"))
                self.assertTrue(told["detail"])
            portal.stop()


if __name__ == "__main__":
    unittest.main()
