"""What admins ask the API besides people and keys: jobs, settings, everybody's tokens, previews, who waits."""
import json
import threading
import unittest

from browser import PASSWORD, Browser, first_admin, member
from service import Place, SECRET, call, wait_until
from wire import Nats, WebSocket

PRICES = {"gpt-5": {"litellm_provider": "openai", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05}}


class AdminApi(unittest.TestCase):
    def test_long_work_shows_among_the_jobs(self):
        with Place() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim)
            admin = first_admin(portal)
            wait_until(lambda: portal.requests() == 50, "all is taken over")
            self.assertEqual(admin.ask("POST", "/api/v1/ledger/check")[0], 202)
            wait_until(lambda: admin.get("/api/v1/jobs/ledger-check")["state"] == "done", "it is compared")
            job = admin.get("/api/v1/jobs/ledger-check")
            self.assertEqual((job["done"], job["begin"]), (job["total"], "POST /api/v1/ledger/check"))
            self.assertEqual(admin.ask("POST", "/api/v1/prices/reprice", {})[0], 202)
            wait_until(lambda: any(j["id"] == "reprice" and j["state"] == "done" for j in admin.get("/api/v1/jobs")["items"]),
                       "costs are worked out")
            sim.control("/restart?down_ms=0&wait=1")
            wait_until(lambda: [j for j in admin.get("/api/v1/jobs")["items"] if j["id"] == "restore-default"
                                and j["state"] == "done"], "the restore shows")
            self.assertEqual(admin.ask("GET", "/api/v1/jobs/nothing")[1]["code"], "not_found")
            self.assertEqual(member(portal, admin, "ann@example.com").ask("GET", "/api/v1/jobs")[1]["code"], "right_missing")
            portal.stop()

    def test_settings_are_told_with_where_they_come_from_and_without_secrets(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings={"keys.prefix": '"sk-zz"'})
            admin = first_admin(portal)
            told = admin.get("/api/v1/settings")
            self.assertEqual((told["settings"]["keys.prefix"], told["settings"]["snapshot.kept"] > 0), ("sk-zz", True))
            self.assertTrue(told["origins"]["keys.prefix"].startswith(portal.config + ":"), told["origins"])
            self.assertNotIn("snapshot.kept", told["origins"])
            self.assertEqual((told["file"], told["changeable"]), (portal.config, []))
            self.assertTrue(told["nodes"][0]["management_key"] is True)
            self.assertNotIn(SECRET, json.dumps(told))
            self.assertEqual(call(portal.url + "/api/v1/settings")[0], 401)
            portal.stop()

    def test_an_admin_sees_everybodys_tokens_and_ends_them(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            status, made = ann.ask("POST", "/api/v1/tokens", {"label": "script", "scopes": ["read:usage"]})
            self.assertEqual(status, 201, made)
            bearer = {"Authorization": "Bearer " + made["text"]}
            self.assertEqual(call(portal.url + "/api/v1/me/usage", headers=bearer)[0], 200)
            listed = admin.get("/api/v1/tokens/all")["items"]
            self.assertEqual([(t["user"], t["label"]) for t in listed], [(ann.id, "script")])
            self.assertEqual(admin.get("/api/v1/tokens/all?user=unobody")["items"], [])
            self.assertNotIn(made["text"], json.dumps(listed))
            self.assertEqual(ann.ask("GET", "/api/v1/tokens/all")[1]["code"], "right_missing")
            self.assertEqual(ann.ask("DELETE", "/api/v1/tokens/all/" + listed[0]["name"])[1]["code"], "right_missing")
            self.assertEqual(admin.ask("DELETE", "/api/v1/tokens/all/" + listed[0]["name"])[0], 204)
            self.assertEqual(admin.ask("DELETE", "/api/v1/tokens/all/" + listed[0]["name"])[0], 404)
            self.assertEqual(call(portal.url + "/api/v1/me/usage", headers=bearer)[0], 401)
            portal.stop()

    def test_a_price_list_is_previewed_before_it_is_taken(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            admin = first_admin(portal)
            body = {"format": "litellm", "list": json.dumps(PRICES)}
            status, told = admin.ask("POST", "/api/v1/prices/preview", body)
            self.assertEqual((status, [p["model"] for p in told["new"]]), (200, ["gpt-5"]), told)
            self.assertEqual(admin.get("/api/v1/prices")["items"], [])
            puts = [{k: v for k, v in one.items() if k not in ("id", "set_at")} for one in told["puts"]]
            self.assertEqual(admin.ask("POST", "/api/v1/prices", {"prices": puts})[0], 200)
            status, told = admin.ask("POST", "/api/v1/prices/preview", body)
            self.assertEqual((told["new"], told["puts"], told["same"]), ([], [], 1))
            self.assertEqual(admin.ask("POST", "/api/v1/prices/preview", {"format": "litellm", "list": "[]"})[1]["code"], "file_malformed")
            portal.stop()

    def test_who_waits_for_approval_is_told_and_so_is_the_answer(self):
        with Place() as place:
            portal = place.portal(place.stand_in(), settings={"sign_in.registration": '"approval"'})
            admin = first_admin(portal)
            heard = []
            with WebSocket(portal.url, admin.cookie()) as socket, Nats(portal.nats_port()) as nats:
                nats.send(b"SUB keyportal.v1.user.> 9\r\nPING\r\n")
                nats.line()

                def listen():
                    try:
                        while (frame := socket.frame()) is not None:
                            if frame["type"] == "event":
                                heard.append((frame["kind"], frame["data"].get("user"), frame["data"].get("reason")))
                    except (OSError, ValueError):
                        pass
                listener = threading.Thread(target=listen, daemon=True)
                listener.start()
                people = {}
                for name in ("ann", "bob"):
                    status, answer = Browser(portal).register(email=f"{name}@example.com", name=name, password=PASSWORD,
                                                              reason=f"{name} writes a thesis")
                    self.assertEqual((status, answer["waits_for_approval"]), (202, True), answer)
                    people[name] = answer["user"]
                    wait_until(lambda: ("registered", people[name], f"{name} writes a thesis") in heard, lambda: str(heard))
                self.assertEqual(Browser(portal).sign_in("ann@example.com")[1]["code"], "account_waits")
                self.assertEqual(admin.ask("POST", f"/api/v1/users/{people['ann']}/state", {"to": "active", "reason": "welcome"})[0], 200)
                wait_until(lambda: ("approved", people["ann"], "welcome") in heard, lambda: str(heard))
                portal.command("users", "delete", "bob@example.com", "--reason", "of no department", "--yes")
                wait_until(lambda: ("refused", people["bob"], "of no department") in heard, lambda: str(heard))
                self.assertEqual(Browser(portal).sign_in("ann@example.com")[0], 201)
                kinds, texts = [], b""
                for _ in range(6):  # the first admin was registered, too, maybe before this listened
                    subject, _, _, body = nats.message()
                    kinds.append(subject.split(".")[-1])
                    texts += body
                    if kinds[-1] == "refused":
                        break
                self.assertEqual(kinds[-4:], ["registered", "registered", "approved", "refused"])
                self.assertNotIn(b"@example.com", texts)
                self.assertIn(b"of no department", texts)
                socket.socket.shutdown(2)
                listener.join(5)
            portal.stop()

    def test_without_mail_nobody_is_sent_a_code_and_is_told_so(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            browser = Browser(portal)
            browser.look()
            status, told = browser.ask("POST", "/api/v1/password/reset", {"email": "ann@example.com"})
            self.assertEqual((status, told["code"]), (403, "mail_off"))
            portal.stop()


if __name__ == "__main__":
    unittest.main()
