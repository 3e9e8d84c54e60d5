"""Notices, from the event to whoever is told: each once, whatever is killed and whatever the channel does."""
import base64
import collections
import hashlib
import hmac
import json
import os
import re
import time
import unittest

import leaks
from browser import Browser, first_admin, member
from notice_places import (APP, ROBOT_SECRET, ROBOT_TOKEN, SECRET as APP_SECRET, TELEGRAM_TOKEN, FeishuPlace, MailPlace)
from service import Place, call, wait_until

#: Where the service may end itself on the way of a notice (actors/telemetry/fail_point.hpp), in that order.
POINTS = ("decided_notice", "queued_notice", "taken_notice", "begun_notice", "sent_notice", "noted_notice")
#: Of these nobody knows afterwards whether the message was sent.
UNKNOWN = ("begun_notice", "sent_notice")


def channels(*all_of_them, rules=""):
    lines = []
    for one in all_of_them:
        lines.append("[[notices.channel]]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in one.items()]
    return "\n".join(lines) + "\n" + rules


def app(feishu, **more):
    return {"name": "feishu", "kind": "feishu", "url": feishu.url, "app_id": APP, "secret": APP_SECRET, **more}


class Notices(unittest.TestCase):
    def begin(self, place, more, queue="nats", settings=(), **options):
        self.sim = place.stand_in(more=["--version", "7.2.140"])
        portal = place.portal(self.sim, more=more, settings={
            "notices.queue": json.dumps(queue), "notices.language": '"en"',
            "notices.base_url": '"https://keys.example.com"', **dict(settings)}, **options)
        self.ask(portal, "/api/v1/pool", "POST", {"count": 30})
        return portal

    def ask(self, portal, path, method="GET", body=None, headers=None, status=(200, 201, 202)):
        got, _, text = call(portal.url + path, method, None if body is None else json.dumps(body),
                            {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json",
                             **(headers or {})})
        self.assertIn(got, status, (path, text[:400]))
        return json.loads(text) if text else {}

    def person(self, portal, email, name="Ada", **more):
        return self.ask(portal, "/api/v1/users", "POST", {"email": email, "name": name, **more})["users"][0]["id"]

    def key(self, portal, owner, label="laptop", **more):
        return self.ask(portal, "/api/v1/keys", "POST", {"owner": owner, "label": label, **more})["keys"][0]["id"]

    def renew(self, portal, key):
        self.ask(portal, f"/api/v1/keys/{key}/renew", "POST", {"lifetime_s": 86400 * 90})

    def notices(self, portal, **query):
        words = "&".join(f"{k}={v}" for k, v in query.items())
        return self.ask(portal, f"/api/v1/notices?limit=1000&{words}")["items"]

    def settled(self, portal, count, **query):
        """All notices, when so many are there and none is open."""
        def over():
            found = self.notices(portal, **query)
            return len(found) >= count and all(n["state"] not in ("waiting", "sending") for n in found) and found
        return wait_until(over, lambda: f"{count} notices are over: {self.notices(portal, **query)}", 30)

    def test_a_renewed_key_is_told_within_two_seconds(self):
        for queue in ("nats", "local"):
            with self.subTest(queue=queue), Place() as place, FeishuPlace() as feishu:
                portal = self.begin(place, channels(app(feishu)), queue)
                owner = self.person(portal, "ada@example.com")
                key = self.key(portal, owner, "**bold** @all `x`")
                wait_until(lambda: self.ask(portal, "/api/v1/notice-channels")["queue"] == queue, "the queue is there")
                self.renew(portal, key)
                self.settled(portal, 1)
                slowest = 0.0
                for _ in range(5):
                    time.sleep(1)
                    began, before = time.time(), len(feishu.messages)
                    self.renew(portal, key)
                    wait_until(lambda: len(feishu.messages) > before, "told")
                    slowest = max(slowest, feishu.messages[-1][0] - began)
                print(f"{queue}: decided to delivered within {slowest:.3f} s", flush=True)
                self.assertLess(slowest, 2)
                at, who, uuid, card = feishu.messages[-1]
                self.assertEqual(who, "ada@example.com")
                text = json.dumps(card, ensure_ascii=False)
                self.assertNotIn("@all", text)
                self.assertNotIn("**", text)
                self.assertIn("https://keys.example.com/my-keys", text)
                [notice] = [n for n in self.notices(portal) if n["id"] == uuid]
                self.assertEqual(notice["state"], "delivered")
                self.assertEqual(notice["kind"], "key.renewed")

    def test_an_end_at_any_step_loses_no_notice_and_tells_none_twice(self):
        for queue in ("nats", "local"):
            for point in POINTS:
                with self.subTest(queue=queue, point=point), Place() as place, FeishuPlace() as feishu:
                    portal = self.begin(place, channels(app(feishu)), queue)
                    owner = self.person(portal, "ada@example.com")
                    keys = [self.key(portal, owner, f"k{i}") for i in range(3)]
                    portal.stop()
                    portal.environment["KEYPORTAL_END_AT"] = f"{point}:2"
                    portal.start()
                    for key in keys:
                        try:
                            self.renew(portal, key)
                        except (OSError, AssertionError):
                            break
                    wait_until(lambda: not portal.alive(), f"it ends at {point}", 20)
                    renewed = len([k for k in keys])
                    del portal.environment["KEYPORTAL_END_AT"]
                    portal.start()
                    audited = self.ask(portal, "/api/v1/audit?what=key.renew&limit=1000")["items"]
                    found = self.settled(portal, len(audited), kind="key.renewed")
                    self.assertEqual(len(found), len(audited), "one notice for each renewal")
                    self.assertLessEqual(len(found), renewed)
                    for notice in found:
                        self.assertEqual(notice["state"], "delivered", notice)
                        self.assertEqual(feishu.delivered[notice["id"]], 1, notice)
                    self.assertEqual(sum(feishu.delivered.values()), len(found))

    def test_an_end_at_any_step_at_a_channel_that_knows_no_id_again(self):
        for point in POINTS:
            with self.subTest(point=point), Place() as place, FeishuPlace() as feishu:
                hook = {"name": "ops", "kind": "webhook", "url": feishu.url + "/hook/ops", "secret": "webhook-secret-of-tests"}
                rule = '[[notices.rule]]\nname = "all"\nkinds = ["key.renewed"]\nto = ["channel:ops"]\n'
                portal = self.begin(place, channels(hook, rules=rule))
                owner = self.person(portal, "ada@example.com")
                keys = [self.key(portal, owner, f"k{i}") for i in range(3)]
                portal.stop()
                portal.environment["KEYPORTAL_END_AT"] = f"{point}:2"
                portal.start()
                for key in keys:
                    try:
                        self.renew(portal, key)
                    except (OSError, AssertionError):
                        break
                wait_until(lambda: not portal.alive(), f"it ends at {point}", 20)
                del portal.environment["KEYPORTAL_END_AT"]
                portal.start()
                audited = self.ask(portal, "/api/v1/audit?what=key.renew&limit=1000")["items"]
                found = self.settled(portal, len(audited), kind="key.renewed")
                times = collections.Counter(headers["webhook-id"] for _, _, headers, _ in feishu.hooks)
                self.assertEqual(len(found), len(audited))
                for notice in found:
                    was_unknown = any(a["outcome"] == "unknown" for a in notice["attempts"])
                    self.assertGreaterEqual(times[notice["id"]], 1, notice)
                    self.assertLessEqual(times[notice["id"]], 2 if was_unknown else 1, notice)
                if point == "sent_notice":  # its answer had come, and nobody had noted it
                    self.assertTrue(any(count > 1 for count in times.values()))
                for _, _, headers, body in feishu.hooks:
                    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
                    right = hmac.new(b"webhook-secret-of-tests", text, hashlib.sha256).digest()
                    self.assertEqual(headers["webhook-signature"], "v1," + base64.b64encode(right).decode())
                    self.assertEqual(json.loads(body)["specversion"], "1.0")

    def test_faults_of_feishu_lose_nothing_and_double_nothing(self):
        with Place() as place, FeishuPlace() as feishu:
            portal = self.begin(place, channels(app(feishu)))
            owner = self.person(portal, "ada@example.com")
            key = self.key(portal, owner)
            count = 0
            for name, value in (("drop_before", None), ("drop_after", None), ("html_502", None), ("truncated_json", None),
                                ("wrong_content_type", None), ("rate_limit", None), ("delay", 1), ("expire_token", None)):
                with self.subTest(fault=name):
                    feishu.fault(name, value, "" if name == "expire_token" else "/im/v1/messages", times=1)
                    self.renew(portal, key)
                    count += 1
                    found = self.settled(portal, count, kind="key.renewed")
                    self.assertEqual({n["state"] for n in found}, {"delivered"})
                    self.assertEqual(set(feishu.delivered.values()), {1})
                    self.assertEqual(len(feishu.delivered), count)

    def test_an_outage_ends_without_a_storm(self):
        with Place() as place, FeishuPlace() as feishu:
            portal = self.begin(place, channels(app(feishu)))
            people = [self.person(portal, f"p{i}@example.com") for i in range(10)]
            keys = [self.key(portal, owner) for owner in people]
            feishu.fault("outage")
            for _ in range(12):
                for key in keys:
                    self.renew(portal, key)
            wait_until(lambda: len(self.notices(portal, kind="key.renewed")) == 120, "all are decided", 30)
            tried = len(feishu.seen)
            feishu.clear()
            self.settled(portal, 120)
            told = {n["id"]: n for n in self.notices(portal)}
            members = [m for n in told.values() for m in n.get("members", [])]
            for notice in told.values():
                self.assertIn(notice["state"], ("delivered", "gathered"), notice)
                if notice["state"] == "gathered":
                    self.assertIn(notice["id"], told[notice["digest"]]["members"])
            self.assertEqual(len(members), len(set(members)))
            self.assertEqual(feishu.refused_for_pace, 0)
            self.assertLessEqual(len(feishu.messages), 22, "one probe, then one digest for each")
            print(f"outage: {tried} requests meanwhile, {len(feishu.messages)} messages for 120 notices", flush=True)

    def test_codes_go_by_mail_at_once_and_are_nowhere_else(self):
        with Place() as place, MailPlace(login=("keyportal", "mail-password-of-tests")) as mail:
            portal = self.begin(place, channels({
                "name": "mail", "kind": "mail", "server": mail.address, "security": "none", "user": "keyportal",
                "secret": "mail-password-of-tests", "from": "keyportal@example.com"}))
            self.person(portal, "ada@example.com")
            ada = Browser(portal)
            ada.look()
            status, answer = ada.ask("POST", "/api/v1/password/reset", {"email": "ada@example.com"})
            self.assertIn(status, (200, 202, 204), answer)
            wait_until(lambda: mail.mails, "the code came")
            [one] = mail.mails
            self.assertEqual(one.to, ["ada@example.com"])
            self.assertEqual(one.subject, "Your code for a new password")
            code = re.search(r"Your code: ([\d ]+\d)", one.body).group(1)
            leaks.LEAKS.note(code, "a code by mail")
            self.assertNotIn(code, json.dumps(self.notices(portal)))
            self.assertEqual([n["state"] for n in self.notices(portal, kind="code.password")], ["delivered"])
            self.assertGreaterEqual(mail.logins, 1)

    def test_mail_that_is_refused_and_mail_whose_fate_is_unknown(self):
        with Place() as place, MailPlace() as mail:
            portal = self.begin(place, channels({"name": "mail", "kind": "mail", "server": mail.address, "security": "none",
                                                 "from": "keyportal@example.com"}))
            owner = self.person(portal, "ada@example.com")
            key = self.key(portal, owner)
            mail.fault("reply_to_rcpt", "550 5.1.1 no such user", 1)
            self.renew(portal, key)
            self.assertEqual(self.settled(portal, 1)[0]["state"], "refused")
            mail.fault("reply_to_data", "451 4.3.0 later", 1)
            self.renew(portal, key)
            self.assertEqual(self.settled(portal, 2)[0]["state"], "delivered")
            self.assertEqual(len(mail.mails), 1)
            mail.fault("drop_after", times=1)
            self.renew(portal, key)
            notice = self.settled(portal, 3)[0]
            self.assertEqual(notice["state"], "delivered")
            self.assertEqual([a["outcome"] for a in notice["attempts"]], ["unknown", "delivered"])
            ids = [m.id for m in mail.mails[1:]]
            self.assertEqual(len(set(ids)), 1, "the same Message-ID, so that the second one is known as such")

    def test_a_node_that_goes_down_is_told_to_the_admins_and_the_group(self):
        with Place() as place, FeishuPlace() as feishu:
            bot = {"name": "ops", "kind": "feishu_bot", "url": feishu.bot("bot-secret-of-tests"),
                   "secret": "bot-secret-of-tests"}
            rule = '[[notices.rule]]\nname = "nodes"\nkinds = ["node.*"]\nto = ["channel:ops", "admins"]\n'
            portal = self.begin(place, channels(bot, app(feishu), rules=rule))
            self.person(portal, "root@example.com", role="admin")
            wait_until(lambda: portal.node()["condition"]["state"] == "up", "the node is up")
            self.sim.kill()
            wait_until(lambda: feishu.bot_messages and feishu.messages, "both heard")
            self.assertIn("is down", feishu.bot_messages[0][2]["card"]["header"]["title"]["content"])
            self.sim.start()
            wait_until(lambda: len(feishu.bot_messages) > 1, "it is told that it is over")
            self.assertIn("answers again", json.dumps([m[2]["card"]["header"] for m in feishu.bot_messages]))

    def test_each_channel_delivers_at_its_stand_in_or_at_the_real_service(self):
        """KEYPORTAL_LIVE_<KIND> is a JSON object with the fields of a [[notices.channel]] (and "address" for those that are for
        people): then that one is asked instead of its stand-in."""
        with Place() as place, FeishuPlace() as feishu, MailPlace() as mail:
            there = {
                "feishu": app(feishu, address="ada@example.com"),
                "lark": {**app(feishu), "name": "lark", "kind": "lark", "address": "open_id:ou_1"},
                "feishu_bot": {"url": feishu.bot("bot-secret-of-tests"), "secret": "bot-secret-of-tests"},
                "lark_bot": {"url": feishu.bot()},
                "mail": {"server": mail.address, "security": "none", "from": "keyportal@example.com",
                         "address": "ada@example.com"},
                "webhook": {"url": feishu.url + "/hook/x", "secret": "webhook-secret-of-tests"},
                "dingtalk": {"url": f"{feishu.url}/robot/send?access_token={ROBOT_TOKEN}", "secret": ROBOT_SECRET},
                "wecom": {"url": f"{feishu.url}/cgi-bin/webhook/send?key={ROBOT_TOKEN}"},
                "telegram": {"url": feishu.url, "secret": TELEGRAM_TOKEN, "to": "-1001"},
            }
            addresses, configured = {}, []
            for kind, usual in there.items():
                live = os.environ.get("KEYPORTAL_LIVE_" + kind.upper())
                fields = json.loads(live) if live else dict(usual)
                addresses[kind] = fields.pop("address", None)
                configured.append({**fields, "name": kind.replace("_", "-"), "kind": kind})
            portal = self.begin(place, channels(*configured))
            for kind, address in addresses.items():
                with self.subTest(kind=kind):
                    portal.command("notices", "test", kind.replace("_", "-"), *(("--to", address) if address else ()))

    def test_what_admins_and_people_can_ask(self):
        with Place() as place, FeishuPlace() as feishu:
            portal = self.begin(place, channels(app(feishu)))
            owner = self.person(portal, "ada@example.com", groups=["team"])
            state = self.ask(portal, "/api/v1/notice-channels")
            self.assertEqual([c["name"] for c in state["channels"]], ["feishu"])
            for kind in state["kinds"]:
                for language in ("zh", "en"):
                    shown = self.ask(portal, "/api/v1/notices/preview", "POST", {"kind": kind, "language": language})
                    self.assertTrue(shown["title"] and shown["lines"], kind)
            self.ask(portal, "/api/v1/notices/preview", "POST", {"kind": "no.such"}, status=(400,))
            tested = self.ask(portal, "/api/v1/notice-channels/feishu/test", "POST", {"address": "ada@example.com"})
            wait_until(lambda: self.ask(portal, "/api/v1/notices/" + tested["id"])["state"] == "delivered", "the test came")
            self.ask(portal, f"/api/v1/notices/{tested['id']}/resend", "POST")
            wait_until(lambda: len(feishu.messages) == 2, "it came once more")
            reminded = [self.ask(portal, "/api/v1/notices/reminders", "POST",
                                 {"kind": "reminder.account", "group": "team", "text": "we are <at id=all> short"},
                                 {"Idempotency-Key": "r1"})["notices"] for _ in range(2)]
            self.assertEqual(reminded[0], reminded[1])
            self.settled(portal, 2)
            self.assertEqual(len(feishu.messages), 3)
            self.assertNotIn("<at", json.dumps(feishu.messages[-1][3], ensure_ascii=False))
            self.ask(portal, "/api/v1/notices/reminders", "POST", {"kind": "reminder.renew", "users": ["nobody"]}, status=(404,))
            self.ask(portal, "/api/v1/notices/nothing", status=(404,))
            self.assertEqual(self.notices(portal, recipient=owner)[0]["kind"], "reminder.account")
            bob = member(portal, first_admin(portal), "bob@example.com")
            self.assertIsNone(bob.get("/api/v1/me/notices")["channels"])
            wishes = {"channels": [], "muted": ["key.renewed"], "language": "zh", "quiet_from": "22:00", "quiet_to": "08:00",
                      "zone": "Asia/Shanghai"}
            status, answer = bob.ask("PUT", "/api/v1/me/notices", wishes)
            self.assertEqual(status, 200, answer)
            self.assertEqual(bob.get("/api/v1/me/notices")["language"], "zh")
            for wrong in ({"quiet_from": "22:00"}, {"channels": ["pigeon"]}, {"muted": ["no.such"]}, {"other": 1}):
                self.assertEqual(bob.ask("PUT", "/api/v1/me/notices", wrong, hostile=True)[0], 400, wrong)
            portal.kill()
            portal.start()
            self.assertEqual(bob.get("/api/v1/me/notices")["quiet_to"], "08:00")
            before = len(feishu.messages)
            self.renew(portal, self.key(portal, bob.id))
            self.renew(portal, self.key(portal, owner))
            wait_until(lambda: len(feishu.messages) > before, "the other one is told")
            self.assertEqual(self.notices(portal, recipient=bob.id), [])
            out = portal.command("notices", "list", "--kind", "key.renewed")[1]
            self.assertIn("delivered", out)
            self.assertIn("delivered", portal.command("notices", "test", "feishu", "--to", "ada@example.com")[1])
            self.assertIn("key.renewed", portal.command("notices", "show", feishu.messages[before][2])[1])
            self.assertIn("expires", portal.command("notices", "preview", "key.expiring", "--language", "en")[1])
            self.assertIn("feishu", portal.command("notices", "channels")[1])
            before = len(feishu.messages)
            portal.command("notices", "resend", tested["id"], check=False)  # 1 while the channel's own limit lets it wait
            wait_until(lambda: len(feishu.messages) > before, "it came once more")


if __name__ == "__main__":
    unittest.main()
