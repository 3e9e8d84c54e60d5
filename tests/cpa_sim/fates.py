#!/usr/bin/env python3
"""What became of every record of the stand-in: reads the two files of its oracle.

    fates.py ORACLE_FILE        prints how many records had which fate
    from fates import read      read(path) -> list of dicts, one a record

A record is the object of its line (see README.md) and besides `last`: `pushed`, `queued` (still there), `popped`,
`unanswered` (popped, but the answer did not get through), `expired`, `lost`, `cleared` or `none`; `by`: who popped it;
`to`: subscribers it was given to; `undelivered`: those of them whose socket never took it whole.
"""
import collections, json, sys


def lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)
    except FileNotFoundError:
        return


def read(path):
    records = {}
    for one in lines(path):
        one.setdefault("n", len(records) + 1)
        one.update(last=one.get("fate", "none"), by="", to=one.get("to", []), undelivered=[])
        records[one["n"]] = one
    boots = 0
    for event in lines(path + ".fates"):
        boots = max(boots, event.get("boot", 0))
        for what in ("popped", "expired", "cleared", "unanswered", "undelivered"):
            for first, last in event.get(what, ()):
                for n in range(first, last + 1):
                    if n not in records:
                        continue
                    if what == "undelivered":
                        records[n]["undelivered"].append(event["gone"])
                    else:
                        records[n].update(last=what, by=event.get("by", records[n]["by"]))
    for one in records.values():
        if one["last"] == "queued" and one.get("boot", 0) < boots:
            one["last"] = "lost"
    return list(records.values())


def reachable(record):
    """Whether anybody but the stand-in's own consumer can have received it."""
    if record["last"] == "pushed":
        return any(s not in record["undelivered"] for s in record["to"])
    return record["last"] in ("popped", "queued") and record["by"] != "rival"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    counts = collections.Counter(r["last"] for r in read(sys.argv[1]))
    print(json.dumps(dict(sorted(counts.items()))))
