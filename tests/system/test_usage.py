"""Questions about usage against the shipped programs: the stand-in's own account says what is right."""
import collections
import datetime
import json
import unittest
import urllib.parse
import zoneinfo

from service import Place, call, wait_until

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")


def moment(record):
    text = record[2]
    head, _, rest = text.partition(".")
    digits = "".join(c for c in rest if c.isdigit() or c in "+-:Z")
    zone = digits.lstrip("0123456789") if rest else ""
    base = datetime.datetime.fromisoformat((head + (zone or "")).replace("Z", "+00:00"))
    return base


class Usage(unittest.TestCase):
    def ask(self, portal, path, question=None):
        headers = {"Authorization": "Bearer " + portal.token()}
        if question is None:
            status, _, text = call(portal.url + path, headers=headers)
        else:
            status, _, text = call(portal.url + path, "POST", json.dumps(question), headers)
        self.assertEqual(status, 200, text[:300])
        return json.loads(text)

    def told(self, portal, *words):
        return json.loads(portal.command(*words, "--json")[1])

    def records_of(self, sim):
        return [record for record, _ in sim.oracle()]

    def test_every_way_to_ask_says_what_the_node_recorded(self):
        with Place() as place:
            first, second = place.stand_in("alpha", seed=1, preload=150), place.stand_in("beta", seed=2, preload=80)
            portal = place.portal(first, second, settings={"display.time_zone": '"Asia/Shanghai"'})
            wait_until(lambda: portal.requests("alpha") == 150 and portal.requests("beta") == 80, "all are taken over")
            records = self.records_of(first) + self.records_of(second)
            everything = {"from": "2000-01-01", "to": "now"}

            # Totals, with the ledger's position and how complete it is.
            report = self.ask(portal, "/api/v1/usage", everything)
            self.assertEqual(report["zone"], "Asia/Shanghai")
            self.assertGreaterEqual(report["position"], 230)  # events have numbers too
            self.assertEqual(report["gaps"], [])
            self.assertEqual(report["total"]["requests"], 230)
            self.assertEqual(report["total"]["failed"], sum(r[5] for r in records))
            tokens = collections.Counter()
            for r in records:
                tokens.update(dict(r[7]))
            for name, field in (("input_tokens", "input"), ("output_tokens", "output"), ("total_tokens", "total")):
                self.assertEqual(report["total"]["tokens"][field], tokens[name], name)

            # In the address, in a body and on the command line: the same answer.
            query = urllib.parse.urlencode({"from": "2000-01-01", "to": "now", "by": "model,outcome", "top": 1000})
            by_address = self.ask(portal, "/api/v1/usage?" + query)
            by_body = self.ask(portal, "/api/v1/usage", {**everything, "by": ["model", "outcome"], "top": 1000})
            by_words = self.told(portal, "usage", "--from", "2000-01-01", "--by", "model", "--by", "outcome", "--top", "1000")
            expected = collections.Counter((r[1], "failed" if r[5] else "ok") for r in records)
            for answer in (by_address, by_body, by_words):
                self.assertEqual({tuple(row["of"]): row["requests"] for row in answer["rows"]}, expected)
                self.assertIsNone(answer["other"])
            # The top, and the rest as one.
            top = self.ask(portal, "/api/v1/usage", {**everything, "by": ["model"], "top": 1})
            models = collections.Counter(r[1] for r in records)
            self.assertEqual(top["rows"][0]["requests"], max(models.values()))
            self.assertEqual(top["others"], len(models) - 1)
            if top["others"]:
                self.assertEqual(top["other"]["requests"], 230 - max(models.values()))

            # Days begin at midnight there.
            days = self.ask(portal, "/api/v1/usage", {**everything, "from": "400d", "step": "day", "by": ["node"]})
            found = collections.Counter()
            for row in days["rows"]:
                for start, bucket in zip(days["starts"], row["buckets"]):
                    if bucket["requests"]:
                        at = datetime.datetime.fromisoformat(start.replace("Z", "+00:00")).astimezone(SHANGHAI)
                        self.assertEqual((at.hour, at.minute), (0, 0)) if start != days["starts"][0] else None
                        found[row["of"][0], at.date()] += bucket["requests"]
            expected = collections.Counter()
            for name, sim in (("alpha", first), ("beta", second)):
                for r in self.records_of(sim):
                    expected[name, moment(r).astimezone(SHANGHAI).date()] += 1
            self.assertEqual(found, expected)
            hours = self.ask(portal, "/api/v1/usage", {**everything, "by": ["weekday", "hour"]})
            expected = collections.Counter()
            for r in records:
                at = moment(r).astimezone(SHANGHAI)
                expected[str(at.isoweekday()), str(at.hour)] += 1
            self.assertEqual({tuple(row["of"]): row["requests"] for row in hours["rows"]}, expected)

            # What people see on a terminal.
            shown = portal.command("usage", "--from", "2000-01-01", "--by", "model", "--compare", "--percentiles")[1]
            self.assertIn("as of record ", shown)
            for model in models:
                self.assertIn(model, shown)
            self.assertIn("P99", shown)
            secrets = {r[0] for r in records} | {r[3] for r in records if r[3]}
            for answer in (shown, json.dumps(self.ask(portal, "/api/v1/usage", {**everything, "by": ["key"]}))):
                for secret in secrets:
                    self.assertNotIn(secret, answer)
            portal.stop()

    def test_pages_of_records_stay_as_they_were_while_records_arrive(self):
        with Place() as place:
            sim = place.stand_in(preload=120)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() == 120, "all are taken over")
            question = {"from": "2000-01-01", "to": "now", "limit": 50}
            pages = [self.ask(portal, "/api/v1/records", question)]
            self.assertIsNone(pages[0]["previous"])
            sim.record(60)
            wait_until(lambda: portal.requests() == 180, "more have arrived")
            while pages[-1]["next"]:
                pages.append(self.ask(portal, "/api/v1/records", {**question, "cursor": pages[-1]["next"]}))
            self.assertEqual([len(p["items"]) for p in pages], [50, 50, 20])
            self.assertEqual({p["position"] for p in pages}, {pages[0]["position"]})
            items = [item for page in pages for item in page["items"]]
            times = [item["timestamp"] for item in items]
            self.assertEqual(times, sorted(times, reverse=True) if len({t[-6:] for t in times}) == 1 else times)
            self.assertEqual(len({item["id"] for item in items}), 120)
            # And back.
            back = self.ask(portal, "/api/v1/records", {**question, "cursor": pages[-1]["previous"]})
            self.assertEqual([i["id"] for i in back["items"]], [i["id"] for i in pages[-2]["items"]])
            # Filters and text, by address and by words.
            model = items[0]["model"]
            wanted = sum(r[1] == model and not r[5] for r in self.records_of(sim))
            query = urllib.parse.urlencode({"from": "2000-01-01", "model": model, "outcome": "ok", "limit": 1000})
            self.assertEqual(len(self.ask(portal, "/api/v1/records?" + query)["items"]), wanted)
            found = self.told(portal, "records", "--from", "2000-01-01", "--where", "model=" + model, "--where", "outcome=ok",
                              "--limit", "1000")
            self.assertEqual(len(found["items"]), wanted)
            text = model[1:].upper()
            wanted = sum(text in r[1].upper() or text in r[3].upper() or text in r[4].upper() for r in self.records_of(sim))
            found = self.told(portal, "records", "--from", "2000-01-01", "--text", text, "--limit", "1000")
            self.assertEqual(len(found["items"]), wanted)
            shown = portal.command("records", "--from", "2000-01-01", "--limit", "5")[1]
            self.assertIn("more: --cursor ", shown)
            # What makes no sense is told.
            code, _, err = portal.command("records", "--cursor", "nonsense", check=False)
            self.assertEqual(code, 2)
            self.assertIn("cursor", err)
            code, _, err = portal.command("usage", "--zone", "Nowhere/Land", check=False)
            self.assertEqual(code, 2)
            self.assertIn("zone", err)
            portal.stop()

    def test_roll_ups_are_proved_while_it_runs_and_when_it_is_stopped(self):
        with Place() as place:
            sim = place.stand_in(preload=100, rate=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() > 100, "records arrive")
            for what in ("verify", "rebuild"):
                check = self.told(portal, "ledger", what)
                self.assertEqual((check["running"], check["rows_wrong"], check["problem"]), (False, 0, ""))
                self.assertGreater(check["days"], 0)
                self.assertEqual(check["days_done"], check["days"])
            self.assertIn("no difference", portal.command("ledger", "verify")[1])
            headers = {"Authorization": "Bearer " + portal.token()}
            status, _, text = call(portal.url + "/api/v1/ledger/check", "POST", '{"mend":1}', headers, hostile=True)
            self.assertEqual(status, 400, text)
            status, _, text = call(portal.url + "/api/v1/ledger/check", "POST", "{}")
            self.assertEqual(status, 401, text)
            portal.kill()
            check = self.told(portal, "ledger", "verify")
            self.assertEqual((check["rows_wrong"], check["days_done"]), (0, check["days"]))
            self.assertEqual(self.told(portal, "ledger", "rebuild")["rows_mended"], 0)
            portal.start()
            wait_until(lambda: portal.node()["condition"]["state"] == "up", "it goes on")
            self.assertEqual(self.told(portal, "ledger", "verify")["rows_wrong"], 0)
            portal.stop()


if __name__ == "__main__":
    unittest.main()
