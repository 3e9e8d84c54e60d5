"""Notices, and the service killed at every step and at any moment: each reaches whoever it is for, once wherever a channel
knows a message again, and elsewhere once more only where nobody could know whether it had arrived. KEYPORTAL_NOTICE_KILLS says
how often (12), KEYPORTAL_SEED repeats a run."""
import collections
import os
import random
import signal
import subprocess
import unittest

from browser import first_admin, member
from notice_places import FeishuPlace, MailPlace
from service import Place, call, wait_until
import test_notices
from test_notices import POINTS, app, channels

KILLS = int(os.environ.get("KEYPORTAL_NOTICE_KILLS", "12"))
PEOPLE = 6
#: What may go wrong at a channel meanwhile: (fault, part of the path).
FAULTS = (("drop_after", "/im/v1/messages"), ("drop_before", "/im/v1/messages"), ("truncated_json", "/im/v1/messages"),
          ("html_502", "/im/v1/messages"), ("drop_after", "/hook/"), ("html_502", "/hook/"))


class NoticeKills(unittest.TestCase):
    ask, begin, key = test_notices.Notices.ask, test_notices.Notices.begin, test_notices.Notices.key

    def setUp(self):
        self.seed = int(os.environ.get("KEYPORTAL_SEED") or random.SystemRandom().randrange(1 << 31))
        self.random = random.Random(self.seed)

    def all_of(self, portal, path, goes_on="before"):
        """Every page of a list; the next one is asked for by the parameter `goes_on`."""
        found, at = [], ""
        while True:
            page = self.ask(portal, f"{path}&limit=1000" + (f"&{goes_on}={at}" if at else ""))
            found += page["items"]
            at = page.get("next")
            if not at or not page["items"]:
                return found

    def renew(self, portal, keys):
        """As often as it answers, at most five times: how many were answered."""
        done = 0
        for key in self.random.choices(keys, k=self.random.randrange(1, 6)):
            try:
                status, _, _ = call(f"{portal.url}/api/v1/keys/{key}/renew", "POST", '{"lifetime_s": 7776000}',
                                    {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json"}, timeout=5)
            except OSError:
                return done
            done += status == 200
        return done

    def live(self, portal, keys, feishu, mail, number):
        """One life and its end: at a named point, or at a random moment."""
        if self.random.random() < 0.4:
            feishu.fault(*self.pick_fault())
        if self.random.random() < 0.1:
            mail.fault("drop_after", times=1)
        if number % 2:
            portal.environment["KEYPORTAL_END_AT"] = f"{POINTS[number // 2 % len(POINTS)]}:{self.random.randrange(1, 8)}"
        portal.start(wait=False)
        portal.environment.pop("KEYPORTAL_END_AT", None)
        try:
            portal.wait_ready(self.said)
        except AssertionError:
            if portal.alive():
                raise
            return 0  # what was left of the life before brought the end
        done = self.renew(portal, keys)
        if number % 2:
            for _ in range(4):  # until enough passed there
                if self.ended_within(portal, 0.7):
                    return done
                done += self.renew(portal, keys)
            self.missed += 1
        else:
            self.ended_within(portal, self.random.random() * 0.5)  # the moment of the kill is the test
        portal.kill()
        return done

    def ended_within(self, portal, seconds):
        try:
            self.assertEqual(portal.process.wait(seconds), -signal.SIGKILL)
            return True
        except subprocess.TimeoutExpired:
            return False

    def pick_fault(self):
        name, path = self.random.choice(FAULTS)
        return name, None, path, 1

    def kills(self, queue):
        with Place() as place, FeishuPlace() as feishu, MailPlace() as mail:
            hook = {"name": "hook", "kind": "webhook", "url": feishu.url + "/hook/x", "secret": "webhook-secret-of-tests",
                    "allow_private": True}
            post = {"name": "mail", "kind": "mail", "server": mail.address, "security": "none", "from": "keyportal@example.com"}
            rule = '[[notices.rule]]\nname = "all"\nkinds = ["key.renewed"]\nto = ["owner", "channel:hook"]\n'
            portal = self.begin(place, channels(app(feishu), hook, post, rules=rule), queue)
            admin = first_admin(portal)
            people = [member(portal, admin, f"p{i}@example.com") for i in range(PEOPLE)]
            for one in people:
                status, answer = one.ask("PUT", "/api/v1/me/notices", {"channels": ["feishu", "mail"]})
                self.assertEqual(status, 200, answer)
            keys = [self.key(portal, one.id, f"k{i}") for i, one in enumerate(people)]
            portal.kill()
            answered = self.missed = 0
            for number in range(KILLS):
                self.said = len(portal.log())
                answered += self.live(portal, keys, feishu, mail, number)
            feishu.clear()
            mail.clear()
            portal.start()
            renewals = len(self.all_of(portal, "/api/v1/audit?what=key.renew", "after"))
            self.assertGreaterEqual(renewals, answered, "what was answered is kept")

            def over():
                found = self.all_of(portal, "/api/v1/notices?kind=key.renewed")
                return len(found) >= renewals * 3 and all(n["state"] not in ("waiting", "sending") for n in found) and found
            found = wait_until(over, "every notice came to its end", 60 + renewals / 4)
            self.check(portal, found, renewals, feishu, mail)
            portal.stop()

    def check(self, portal, found, renewals, feishu, mail):
        digests = {n["id"]: n for n in self.all_of(portal, "/api/v1/notices?kind=digest")}
        got = {"feishu": feishu.delivered,
               "hook": collections.Counter(headers["webhook-id"] for _, _, headers, _ in feishu.hooks),
               "mail": collections.Counter(m.id.strip("<>").partition("@")[0] for m in mail.mails)}
        self.assertEqual(len(found), renewals * 3, "one notice for each renewal and channel")
        self.assertEqual(len({n["id"] for n in found}), len(found))
        members = collections.Counter(m for d in digests.values() for m in d["members"])
        sent, twice, unknown, unsure = [], 0, 0, 0
        for notice in found:
            if notice["state"] == "gathered":
                self.assertEqual(members[notice["id"]], 1, notice)
                self.assertIn(notice["id"], digests[notice["digest"]]["members"])
                self.assertEqual(got[notice["channel"]][notice["id"]], 0, notice)
            else:
                self.assertEqual(members[notice["id"]], 0, notice)
                sent.append(notice)
        for notice in sent + list(digests.values()):
            times = got[notice["channel"]][notice["id"]]
            nobody_knew = sum(a["outcome"] == "unknown" for a in notice["attempts"])
            unknown += nobody_knew
            most = 1 if notice["channel"] == "feishu" else 1 + nobody_knew
            if notice["state"] == "unknown":  # two attempts whose answer the stand-in broke off, having taken them
                self.assertNotEqual(notice["channel"], "feishu", notice)
                self.assertGreaterEqual(nobody_knew, 2, notice)
                unsure += 1
            else:
                self.assertEqual(notice["state"], "delivered", notice)
            self.assertGreaterEqual(times, 1, notice)
            self.assertLessEqual(times, most, notice)
            twice += times > 1
        for channel, times in got.items():
            ours = {n["id"] for n in sent + list(digests.values()) if n["channel"] == channel}
            self.assertLessEqual(set(times), ours, f"{channel} got what nobody decided")
        print(f"{KILLS} ends ({self.missed} of them not where they were to be): {renewals} renewals, {len(found)} notices, "
              f"{len(digests)} digests; {unknown} attempts of unknown outcome, {twice} messages came twice, {unsure} are told as unknown", flush=True)

    def run_with_seed(self, queue):
        print(f"seed {self.seed}", flush=True)
        self.kills(queue)

    def test_kills_while_orders_lie_in_jetstream(self):
        self.run_with_seed("nats")

    def test_kills_while_orders_lie_in_the_ledger(self):
        self.run_with_seed("local")


if __name__ == "__main__":
    unittest.main()
