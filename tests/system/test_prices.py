"""Prices against the shipped programs: from a list to what requests cost, and worked out anew."""
import json
import os
import unittest

from service import Place, wait_until


class Prices(unittest.TestCase):
    def test_requests_cost_by_the_prices_of_then_until_a_reprice(self):
        with Place() as place:
            sim = place.stand_in(preload=50)
            portal = place.portal(sim)
            wait_until(lambda: portal.requests() >= 50, "the records arrive")

            def told(*words):
                return json.loads(portal.command(*words, "--json")[1])

            def unpriced():
                return {one["model"]: one["requests"] for one in told("prices", "unpriced", "--from", "2020-01-01")["items"]}

            models = unpriced()
            # All but what failed before it used a token: that costs nothing, whatever the price.
            total = told("usage", "--from", "2020-01-01")["total"]
            self.assertEqual(total["requests"], portal.requests())
            self.assertEqual(sum(models.values()), total["unpriced"])
            self.assertGreaterEqual(sum(models.values()), total["ok"])
            # A list that knows all models but one.
            left_out = sorted(models)[0]
            listed = {m: {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "mode": "chat"}
                      for m in models if m != left_out}
            file = os.path.join(place.folder, "prices.json")
            with open(file, "w", encoding="utf-8") as out:
                json.dump(listed or {"other": {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}}, out)
            tried = told("prices", "import", "litellm", file, "--dry-run")
            self.assertEqual(len(tried["new"]), max(1, len(listed)))
            self.assertEqual(told("prices", "list")["items"], [])
            portal.command("prices", "import", "litellm", file, "--yes")
            portal.command("prices", "set", left_out, "--input", "1", "--output", "2")
            # What was there costs nothing known until it is worked out.
            self.assertEqual(unpriced(), models)
            before = told("prices", "reprice", "--dry-run")
            self.assertEqual(before["unpriced_after"], 0)
            self.assertEqual(unpriced(), models)
            after = told("prices", "reprice", "--yes")
            self.assertEqual(after["cost_after"], before["cost_after"])
            self.assertGreater(after["cost_after"], 0)
            self.assertEqual(unpriced(), {})
            # After a sudden end prices are there before a record is taken.
            portal.kill()
            sim.record(30)
            portal.start()
            wait_until(lambda: portal.requests() >= 80, "the new records arrive")
            self.assertEqual(unpriced(), {})
            self.assertEqual(told("prices", "reprice", "--yes")["changed"], 0)
            portal.command("audit", "verify")
            portal.stop()
