#!/usr/bin/env python3
"""From the decision of a notice to its delivery at the stand-in of Feishu, at rest; and an outage of it, by what the stand-in counted:
how often it was asked meanwhile, how many messages came afterwards, how fast. Prints one JSON line a figure."""
import collections
import datetime
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
from notice_places import FeishuPlace  # noqa: E402
from service import Place, call, wait_until  # noqa: E402
from system_bench import figure, percentile  # noqa: E402
from test_notices import app, channels  # noqa: E402

PEOPLE, EACH = int(os.environ.get("KEYPORTAL_BENCH_PEOPLE", "100")), 20
SECONDS = int(os.environ.get("KEYPORTAL_BENCH_SECONDS", "60"))
ALONE = 50


def ask(portal, path, method="GET", body=None, headers=()):
    status, _, text = call(portal.url + path, method, None if body is None else json.dumps(body),
                           {"Authorization": "Bearer " + portal.token(), "Content-Type": "application/json", **dict(headers)})
    assert status < 300, (path, status, text[:300])
    return json.loads(text) if text else {}


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def busiest(times, span=1.0):
    """The most within any span of that length."""
    most, begin = 0, 0
    times = sorted(times)
    for end, one in enumerate(times):
        while times[begin] <= one - span:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def notices(portal, **query):
    found, before = [], ""
    words = "&".join(f"{k}={v}" for k, v in query.items())
    while True:
        page = ask(portal, f"/api/v1/notices?limit=1000&{words}" + (f"&before={before}" if before else ""))
        found += page["items"]
        before = page.get("next")
        if not before or not page["items"]:
            return found


def main():
    with Place() as place, FeishuPlace() as feishu:
        portal = place.portal(place.stand_in(more=["--version", "7.2.140"]), more=channels(app(feishu)), settings={
            "notices.language": '"en"', "notices.base_url": '"https://keys.example.com"'})
        people = [ask(portal, "/api/v1/users", "POST", {"email": f"p{i}@example.com", "name": f"P {i}"})["users"][0]["id"]
                  for i in range(PEOPLE)]
        ask(portal, "/api/v1/pool", "POST", {"count": PEOPLE})
        keys = [ask(portal, "/api/v1/keys", "POST", {"owner": one, "label": "laptop"})["keys"][0]["id"] for one in people]

        def renew(key):
            ask(portal, f"/api/v1/keys/{key}/renew", "POST", {"lifetime_s": 86400 * 90})

        for i in range(ALONE):
            before = len(feishu.messages)
            renew(keys[i % PEOPLE])
            wait_until(lambda n=before: len(feishu.messages) > n, "it is told")
            time.sleep(0.3)
        came = {uuid: when for when, _, uuid, _ in feishu.messages}
        took = [1000 * (came[n["id"]] - at(n["at"])) for n in notices(portal, kind="key.renewed")]
        figure("notice.delivered.p99", percentile(took, 0.99), "ms", ALONE, median=round(percentile(took, 0.5), 2))

        asked, told = len(feishu.seen), len(feishu.messages)
        feishu.fault("outage")
        began = time.monotonic()
        for _ in range(EACH):
            for key in keys:
                renew(key)
        time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
        meanwhile, length = len(feishu.seen) - asked, time.monotonic() - began
        feishu.clear()
        over = time.time()
        wait_until(lambda: ask(portal, "/api/v1/notice-channels")["waiting"] == 0, "all are told", 1200)
        all_of_them = notices(portal)
        states = collections.Counter(n["state"] for n in all_of_them)
        assert set(states) <= {"delivered", "gathered"}, states
        after = [(when, who) for when, who, _, _ in feishu.messages[told:]]
        n = PEOPLE * EACH
        figure("notice.outage.asked_meanwhile", meanwhile, "requests", n, outage_s=round(length, 1))
        figure("notice.outage.messages_after", len(after), "messages", n, people=PEOPLE)
        figure("notice.outage.over_after", max(when for when, _ in after) - over, "s", n)
        figure("notice.outage.most_in_a_second", busiest([when for when, _ in after]), "messages", n, published=50)
        figure("notice.outage.most_in_a_second_to_one", max(busiest([w for w, to in after if to == who]) for _, who in set(after)),
               "messages", n, published=5)
        figure("notice.outage.refused_for_pace", feishu.refused_for_pace, "messages", n)
        assert feishu.refused_for_pace == 0 and set(feishu.delivered.values()) == {1}
        portal.stop()


if __name__ == "__main__":
    main()
