"""Accounts with providers: contributing them, what goes wrong on the way, and how they are looked after."""
import json
import os
import subprocess
import unittest
import urllib.parse

import leaks
from browser import first_admin, member
from key_node import KeyTest
from service import Place, find_program, wait_until

QUICK = {"sign_in.anonymous": '"nothing"', "accounts.refresh_interval": '"1s"', "accounts.quota_interval": '"2s"'}


def answer_of(login, code, state=None):
    """Where the browser ends after the provider's page."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(login["url"]).query)
    return f"{query['redirect_uri'][0]}?code={code}&state={state or query['state'][0]}"


class Accounts(KeyTest):
    def node(self, place, version="7.2.140", name="sim", more=("--no-accounts",)):
        return place.stand_in(name, more=["--version", version, *more])

    def begin(self, who, provider="claude", **more):
        status, login = who.ask("POST", "/api/v1/account-logins", {"provider": provider, **more})
        self.assertEqual(status, 201, login)
        return login

    def hand_in(self, who, login, text, **more):
        status, told = who.ask("POST", f"/api/v1/account-logins/{login['id']}/callback", {"text": text, **more})
        if status == 202:  # from now on neither state nor code is told to anybody
            leaks.LEAKS.note(text, "an address of a login")
            for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(text).query).items():
                leaks.LEAKS.note(values[0], f"the {name} of a login")
        return status, told

    def end_of(self, who, login):
        def over():
            now = who.get(f"/api/v1/account-logins/{login['id']}")
            return now if now["stage"] in ("done", "failed", "cancelled") else None
        return wait_until(over, "the login comes to its end", 30)

    def test_an_account_is_contributed_tested_and_its_contributor_thanked(self):
        for version, provider, prefix in (("7.2.140", "claude", "http://localhost:54545/callback"),
                                          ("6.9.49", "codex", "http://localhost:1455/auth/callback"),
                                          ("6.9.49", "gemini-cli", "http://localhost:8085/oauth2callback"),
                                          ("7.2.140", "antigravity", "http://localhost:51121/oauth-callback")):
            with self.subTest(version=version, provider=provider), Place() as place:
                sim = self.node(place, version)
                portal = place.portal(sim, settings=QUICK)
                admin = first_admin(portal)
                ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
                wait_until(lambda: provider in [o["provider"] for o in ann.get("/api/v1/account-providers")["items"]], "offered")
                login = self.begin(ann, provider)
                self.assertEqual((login["stage"], login["way"], login["ends_at"]), ("waiting", "browser", prefix))
                status, now = self.hand_in(ann, login, answer_of(login, "code-of-ann"))
                self.assertEqual((status, now["stage"]), (202, "finishing"), now)
                done = self.end_of(ann, login)
                self.assertEqual(done["stage"], "done", done)
                self.assertIn("Thank you", done["words"])
                self.assertIn("it works", done["words"])
                self.assertEqual(done["url"], "")

                mine = ann.get("/api/v1/accounts?mine=true")["items"]
                self.assertEqual([(a["provider"], a["condition"], a["mine"], a["owner_name"]) for a in mine],
                                 [(provider, "fine", True, "ann")])
                self.assertTrue(mine[0]["quota"])
                self.assertTrue(mine[0]["address"].startswith("p***@"))
                theirs = bob.get("/api/v1/accounts")["items"]
                self.assertEqual([(a["owner_name"], a["mine"]) for a in theirs], [("ann", False)])
                self.assertNotIn("person1@example.com", json.dumps(theirs))
                self.assertEqual(bob.ask("GET", "/api/v1/accounts/all")[0], 403)
                full = admin.get("/api/v1/accounts/all")["items"][0]
                self.assertEqual(full["email"], "person1@example.com")
                if provider != "gemini-cli":
                    wait_until(lambda: admin.get("/api/v1/accounts/all")["items"][0]["token_ends"], "its token's end is known")
                event = self.wait_event(portal, f"keyportal.v1.account.{done['account']}.contributed")
                self.assertEqual((event["owner"], event["tested"], event["was_there"]), (full["owner"], True, False))
                self.assertEqual(event["address"], "p***@example.com")
                self.assertNotIn("person1", json.dumps(event))
                portal.stop()

    def test_a_device_login_ends_by_itself(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            for provider, decision, stage in (("kimi", "approve", "done"), ("xai", "deny", "failed")):
                login = self.begin(admin, provider)
                self.assertEqual((login["way"], login["ends_at"]), ("device", ""))
                self.assertIn(login["user_code"], login["words"])
                status, told = self.hand_in(admin, login, "http://localhost:54545/callback?code=x&state=y")
                self.assertEqual((status, told["code"]), (400, "callback_other_provider"))
                sim.control(f"/device?what={decision}")
                done = self.end_of(admin, login)
                self.assertEqual(done["stage"], stage, done)
            portal.stop()

    def test_what_is_wrong_with_an_address_is_said_and_the_login_goes_on(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
            login = self.begin(ann)
            whole = answer_of(login, "the-code")
            for text, code in (("hello", "callback_unreadable"), ("", "callback_unreadable"),
                               (login["url"], "callback_unreadable"),
                               ("http://localhost:54545/callback", "callback_incomplete"),
                               (whole[:whole.index("&state")], "callback_incomplete"),
                               (whole[:-5], "callback_incomplete"),
                               (answer_of(login, "the-code", "0" * 32), "callback_foreign"),
                               (whole.replace("54545/callback", "1455/auth/callback"), "callback_other_provider")):
                status, told = self.hand_in(ann, login, text)
                self.assertEqual((told.get("code"), status in (400, 409)), (code, True), (text, told))
                self.assertTrue(told["title"])
            status, told = self.hand_in(ann, login, whole, provider="codex")
            self.assertEqual(told["code"], "callback_other_provider")
            # Somebody else's is not there.
            self.assertEqual(self.hand_in(bob, login, whole)[1]["code"], "account_login_unknown")
            self.assertEqual(bob.ask("POST", "/api/v1/account-logins/callback", {"text": whole})[1]["code"], "callback_foreign")
            self.assertEqual(bob.ask("GET", f"/api/v1/account-logins/{login['id']}")[0], 404)
            self.assertEqual(bob.ask("POST", "/api/v1/account-logins", {"provider": "claude"})[1]["code"], "account_login_busy")
            self.assertEqual(bob.ask("POST", "/api/v1/account-logins", {"provider": "nobody"})[1]["code"],
                             "account_provider_unknown")
            self.assertEqual(ann.get(f"/api/v1/account-logins/{login['id']}")["stage"], "waiting")
            self.assertEqual(json.loads(json.dumps(sim.control("/accounts", "GET")))["files"], [])
            # The right one still works, without saying which; a second time it does not.
            status, now = ann.ask("POST", "/api/v1/account-logins/callback", {"text": whole})
            self.assertEqual(status, 202, now)
            self.assertEqual(self.hand_in(ann, login, whole)[1]["code"], "callback_used")
            self.assertEqual(self.end_of(ann, login)["stage"], "done")
            self.assertEqual(self.hand_in(ann, login, whole)[1]["code"], "callback_used")
            # The provider takes no code twice, whatever login it is handed in for.
            again = self.begin(ann)
            self.assertEqual(self.hand_in(ann, again, answer_of(again, "the-code"))[0], 202)
            failed = self.end_of(ann, again)
            self.assertEqual((failed["stage"], failed["code"]), ("failed", "account_login_failed"))
            self.assertIn("did not accept the code", failed["words"])
            self.assertEqual(len(sim.control("/accounts", "GET")["files"]), 1)
            portal.stop()

    def test_a_refusal_a_cancel_and_time_that_is_over_leave_nothing_behind(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            ann = first_admin(portal)
            login = self.begin(ann)
            refused = answer_of(login, "x").replace("code=x", "error=access_denied")
            self.assertEqual(self.hand_in(ann, login, refused)[1]["code"], "account_login_declined")
            self.assertEqual(ann.get(f"/api/v1/account-logins/{login['id']}")["stage"], "failed")
            login = self.begin(ann)
            status, now = ann.ask("DELETE", f"/api/v1/account-logins/{login['id']}")
            self.assertEqual((status, now["stage"]), (200, "cancelled"))
            self.assertEqual(self.hand_in(ann, login, "code=x&state=" + "0" * 32)[1]["code"], "account_login_over")
            # The node's own time is over before the address comes.
            sim.control("/logins?ends_after_ms=1")
            login = self.begin(ann)
            self.assertEqual(self.hand_in(ann, login, answer_of(login, "late"))[1]["code"], "account_login_failed")
            sim.control("/logins?ends_after_ms=300000")
            # The node forgets: another process.
            login = self.begin(ann)
            text = answer_of(login, "lost")
            sim.control("/restart?down_ms=0&wait=1")
            self.assertEqual(self.hand_in(ann, login, text)[1]["code"], "account_login_over")
            # Said to be well, and no account comes.
            sim.control("/logins?no_file=1")
            login = self.begin(ann)
            self.assertEqual(self.hand_in(ann, login, answer_of(login, "ghost"))[0], 202)
            failed = self.end_of(ann, login)
            self.assertEqual((failed["stage"], failed["code"]), ("failed", "account_not_seen"))
            self.assertEqual(sim.control("/accounts", "GET")["files"], [])
            portal.stop()

    def test_an_account_that_was_there_gets_a_fresh_login_and_stays_whose_it_is(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann, bob = member(portal, admin, "ann@example.com"), member(portal, admin, "bob@example.com")
            sim.control("/logins?email=shared@example.com")
            for who, code, was_there in ((ann, "one", False), (bob, "two", True)):
                login = self.begin(who)
                self.assertEqual(self.hand_in(who, login, answer_of(login, code))[0], 202)
                done = self.end_of(who, login)
                self.assertEqual((done["stage"], done["was_there"]), ("done", was_there), done)
            self.assertIn("stays with ann", done["words"])
            accounts = ann.get("/api/v1/accounts")["items"]
            self.assertEqual([a["mine"] for a in accounts], [True])
            portal.stop()

    def test_a_login_and_who_gave_what_survive_our_restart(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            login = self.begin(ann)
            portal.kill()
            portal.start()
            ann.look()
            self.assertEqual(self.hand_in(ann, login, answer_of(login, "after"))[0], 202)
            self.assertEqual(self.end_of(ann, login)["stage"], "done")
            portal.kill()
            portal.start()
            ann.look()
            wait_until(lambda: [a["mine"] for a in ann.get("/api/v1/accounts")["items"]] == [True], "it is still ann's")
            self.assertEqual(len(self.events(portal, "keyportal.v1.account.")), 1)
            portal.stop()

    def test_accounts_are_switched_deleted_and_tested_by_admins_only(self):
        with Place() as place:
            sim = self.node(place, more=("--account", "claude=a@example.com=m", "--account", "codex=b@example.com=m"))
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            wait_until(lambda: len(admin.get("/api/v1/accounts")["items"]) == 2, "both are seen")
            one = [a for a in admin.get("/api/v1/accounts")["items"] if a["provider"] == "claude"][0]
            for deed in ("enable", "disable", "test"):
                self.assertEqual(ann.ask("POST", f"/api/v1/accounts/{one['id']}/{deed}")[0], 403)
            self.assertEqual(ann.ask("DELETE", f"/api/v1/accounts/{one['id']}")[0], 403)
            status, off = admin.ask("POST", f"/api/v1/accounts/{one['id']}/disable")
            self.assertEqual((status, off["condition"]), (200, "off"), off)
            status, on = admin.ask("POST", f"/api/v1/accounts/{one['id']}/enable")
            self.assertEqual((status, on["condition"]), (200, "fine"), on)
            status, tested = admin.ask("POST", f"/api/v1/accounts/{one['id']}/test")
            self.assertEqual(status, 200, tested)
            wait_until(lambda: [w["name"] for w in admin.get(f"/api/v1/accounts/{one['id']}")["quota"]][:2] == ["5h", "7d"], "its quota")
            self.assertTrue(admin.get(f"/api/v1/accounts/{one['id']}/quota")["items"])
            self.assertEqual(admin.ask("DELETE", f"/api/v1/accounts/{one['id']}")[0], 200)
            self.assertEqual(admin.ask("GET", f"/api/v1/accounts/{one['id']}")[0], 404)
            self.assertEqual(admin.ask("DELETE", f"/api/v1/accounts/{one['id']}")[1]["code"], "account_unknown")
            record = sim.control("/accounts", "GET")
            self.assertEqual([c["what"] for c in record["changes"]], ["disable", "enable", "delete"])
            self.assertEqual([f["name"] for f in record["files"]], ["codex-b@example.com.json"])
            self.wait_event(portal, f"keyportal.v1.account.{one['id']}.changed", lambda e: e["on"] is False)
            self.wait_event(portal, f"keyportal.v1.account.{one['id']}.removed")
            portal.stop()

    def test_how_accounts_are_is_shown_and_told(self):
        with Place() as place:
            sim = self.node(place, more=("--account", "claude=a@example.com=m"))
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            name = "claude-a@example.com.json"

            def condition(wanted):
                def now():
                    items = admin.get("/api/v1/accounts/all")["items"]
                    return items[0] if items and items[0]["condition"] == wanted else None
                return wait_until(now, lambda: f"{wanted}: {admin.get('/api/v1/accounts/all')['items']}")

            account = condition("fine")["id"]
            subject = f"keyportal.v1.account.{account}."
            sim.control(f"/account?name={name}&status=error&message=quota%20exhausted&unavailable=1&rests_ms=3600000")
            resting = condition("resting")
            self.assertTrue(resting["rests_until"])
            self.wait_event(portal, subject + "limited", lambda e: e["condition"] == "resting")
            sim.control(f"/account?name={name}&status=error&message=unauthorized&unavailable=1")
            self.assertEqual(condition("login_needed")["last_error"], "unauthorized")
            self.wait_event(portal, subject + "login_needed")
            sim.control(f"/account?name={name}&status=&message=&unavailable=0&rests_ms=-1")
            condition("fine")
            self.wait_event(portal, subject + "recovered")
            sim.control(f"/account?name={name}&used_short=97")
            self.wait_event(portal, subject + "quota", lambda e: (e["window"], e["percent"]) == ("5h", 95))
            # What is new or wrong in what the provider says is a sentence, and the last windows stay.
            sim.control(f"/account?name={name}", body={"something": "new"})
            shown = wait_until(lambda: [a for a in admin.get("/api/v1/accounts/all")["items"] if a["quota_problem"]], "a sentence")[0]
            self.assertIn("no window that is known", shown["quota_problem"])
            self.assertTrue(shown["quota"])
            sim.control(f"/account?name={name}&quota_status=401")
            condition("login_needed")
            calls = len(sim.control("/accounts", "GET")["calls"])
            self.assertGreater(calls, 2)
            sim.control(f"/account?name={name}&gone=1")
            self.wait_event(portal, subject + "removed")
            self.assertEqual(self.metric(portal, 'keyportal_accounts{condition="login_needed",node="default"}'), 0)
            portal.stop()

    def test_a_mapping_says_whose_accounts_are(self):
        with Place() as place:
            sim = self.node(place, more=("--account", "claude=a@example.com=m"))
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            wait_until(lambda: admin.get("/api/v1/accounts")["items"], "it is seen")
            file = os.path.join(place.folder, "user_mapping.json")
            with open(file, "w", encoding="utf-8") as out:
                json.dump({"users": [{"claude_email": "A@example.com", "feishu_email": "ann@example.com", "name": "Ann"},
                                     {"claude_email": "z@example.com", "feishu_email": "zoe@example.com", "name": "Zoe"}]}, out)
            told = self.ask(portal, "account", "import-mapping", file)
            self.assertEqual(told, {"taken": 2, "known": 1, "accounts": 1})
            self.assertEqual([a["mine"] for a in ann.get("/api/v1/accounts")["items"]], [True])
            status, wrong = admin.ask("POST", "/api/v1/accounts/mapping", {"users": [{"claude_email": "b@x.y"}, {"claude_email": ""}]},
                                      hostile=True)
            self.assertEqual((status, "nothing was taken" in wrong["detail"]), (400, True), wrong)
            portal.stop()

    def test_the_command_line_contributes_and_shows(self):
        with Place() as place:
            sim = self.node(place)
            portal = place.portal(sim, settings=QUICK)
            begun = self.ask(portal, "account", "contribute", "claude", "--only-begin")
            done = subprocess.run([find_program("keyportal"), "account", "submit", "--config", portal.config],
                                  input=answer_of(begun, "cli-code") + "\n", capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, "Thank you" in done.stdout), (0, True), done)
            listed = self.ask(portal, "account", "list")["items"]
            self.assertEqual([a["email"] for a in listed], ["person1@example.com"])
            self.assertEqual(self.ask(portal, "account", "show", "person1")["provider"], "claude")
            self.assertTrue(self.ask(portal, "account", "quota", "person1", "--fresh")["items"])
            self.assertIn("claude", [o["provider"] for o in self.ask(portal, "account", "providers")["items"]])
            self.assertEqual(self.ask(portal, "account", "disable", "claude-person1")["condition"], "off")
            self.assertEqual(self.ask(portal, "account", "enable", listed[0]["id"])["condition"], "fine")
            self.assertTrue(self.ask(portal, "account", "delete", "person1", "--yes")["deleted"])
            portal.stop()

    def test_only_admins_contribute_where_it_is_so(self):
        with Place() as place:
            portal = place.portal(self.node(place), settings={**QUICK, "accounts.contribute": '"admins"'})
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            self.assertEqual(ann.ask("POST", "/api/v1/account-logins", {"provider": "claude"})[1]["code"], "contributions_closed")
            self.begin(admin)
            portal.stop()

    def test_the_original_endpoints_answer(self):
        with Place() as place:
            sim = self.node(place, more=("--account", "claude=a@example.com=m"))
            portal = place.portal(sim, settings=QUICK)
            admin = first_admin(portal)
            ann = member(portal, admin, "ann@example.com")
            listed = wait_until(lambda: ann.get("/api/accounts")["accounts"], "it is seen")
            self.assertEqual([(a["email"], a["status"]) for a in listed], [("a***@example.com", "active")])
            begun = ann.get("/api/auth-url")
            status, told = ann.ask("POST", "/api/submit-callback", {"callback_url": answer_of({"url": begun["auth_url"]}, "old-way")})
            self.assertEqual((status, told["success"]), (200, True), told)
            self.assertEqual(self.end_of(ann, {"id": begun["login"]})["stage"], "done")
            self.assertEqual(len(ann.get("/api/accounts")["accounts"]), 2)
            portal.stop()


if __name__ == "__main__":
    unittest.main()
