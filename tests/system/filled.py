"""A portal with something to show: two nodes, people of each role, keys in each state, prices, and weeks of requests."""
import datetime
import random

from browser import PASSWORD, first_admin, member

DAY = 86_400
MODELS = ("gpt-5", "gpt-5-codex", "claude-sonnet-4-5", "claude-opus-4-1", "gemini-2.5-pro")
#: In thousandths of a dollar for a million tokens: what goes in, what comes out, what is read from the cache.
PRICES = (("gpt-5", 1250, 10_000, 125), ("gpt-5-codex", 1250, 10_000, 125),
          ("claude-sonnet-4-5", 3000, 15_000, 300), ("claude-opus-4-1", 15_000, 75_000, 1500))


def request(chance, now, keys, days):
    """One request of the last days: most of them in the hours in which people work."""
    at = now - datetime.timedelta(hours=chance.random() ** 1.4 * 24 * days)
    if chance.random() < 0.6 and not 1 <= at.hour <= 12:
        at = at.replace(hour=chance.randrange(1, 11))
    if at > now:
        at -= datetime.timedelta(days=1)
    failed = chance.random() < 0.04
    taken = chance.randrange(200, 30_000)
    cached = int(taken * chance.random() * 0.8)
    given = 0 if failed else chance.randrange(20, 3_000)
    ttft = chance.randrange(100, 3_000)
    return {"at": at.isoformat(), "key": chance.choices(keys, range(len(keys), 0, -1))[0],
            "model": chance.choices(MODELS, (5, 3, 4, 1, 1))[0],
            "source": f"acc{chance.randrange(6)}@example.com", "auth_index": f"auth-{chance.randrange(6)}", "failed": failed,
            "latency_ms": ttft + int(chance.expovariate(1 / 4000)), "provider": "codex", "endpoint": "POST /v1/responses",
            "ttft_ms": ttft, "status_code": 500 if failed else 200, "tokens_as": "openai",
            "tokens": {"input": taken, "output": given, "reasoning": 0, "cached": cached, "total": taken + given}}


def fill(portal, nodes, requests=6000, days=35, seed=3):
    """Whoever can sign in then: {"admin","auditor","user"} with e-mail address and password."""
    chance = random.Random(seed)
    admin = first_admin(portal)

    def do(method, path, body=None, by=admin):
        status, answer = by.ask(method, path, body)
        assert status < 300, (method, path, status, answer)
        return answer

    people = {email: member(portal, admin, email, role) for email, role in
              (("ann@example.com", "user"), ("eve@example.com", "auditor"), ("bob@example.com", "user"),
               ("wei@example.com", "user"))}
    for email, name in (("ann@example.com", "Ann Chen"), ("eve@example.com", "Eve Auditor"), ("bob@example.com", "Bob Li"),
                        ("wei@example.com", "Wei Zhang")):
        do("PATCH", "/api/v1/users/" + people[email].id, {"name": name})
    do("POST", "/api/v1/users", {"email": "new@example.com", "name": "Newcomer", "active": False})
    do("PUT", "/api/v1/policies/default", {
        "keys_per_user": 5, "key_lifetime_s": 90 * DAY, "longest_renewal_s": 90 * DAY, "renewal": "approval",
        "user_budgets": [{"unit": "tokens", "window": "month", "amount": 50_000_000}],
        "key_budgets": [{"unit": "requests", "window": "day", "amount": 2000}]})
    do("POST", "/api/v1/pool", {"count": 12})
    given = [do("POST", "/api/v1/keys", {"owner": owner, "label": label}) for owner, label in
             (("ann@example.com", "laptop"), ("ann@example.com", "CI"), ("bob@example.com", "desktop"), ("wei@example.com", "editor"))]
    ids = [one["keys"][0]["id"] for one in given]
    do("POST", f"/api/v1/keys/{ids[0]}/renew", {"lifetime_s": 2 * DAY + 3600})
    do("POST", f"/api/v1/keys/{ids[1]}/renew", {"lifetime_s": 60 * DAY})
    do("POST", f"/api/v1/me/keys/{ids[2]}/renewal",
       {"lifetime_s": 90 * DAY, "reason": "The project goes on until spring."}, people["bob@example.com"])
    do("POST", "/api/v1/prices", {"prices": [
        {"model": model, "rates": {"input": taken * 1_000_000, "output": out * 1_000_000, "cache_read": cached * 1_000_000}}
        for model, taken, out, cached in PRICES]})
    keys = [one["key"] for one in given] + ["sk-of-somebody-else-1"]
    now = datetime.datetime.now(datetime.timezone.utc)
    left = requests
    while left > 0:
        many = min(left, 900)
        do("POST", f"/api/v1/nodes/{chance.choice(nodes)}/records",
           {"records": [request(chance, now, keys, days) for _ in range(many)]})
        left -= many
    # What people see as their own begins with the key's assignment.
    now = datetime.datetime.now(datetime.timezone.utc)
    do("POST", f"/api/v1/nodes/{nodes[0]}/records", {"records": [
        dict(request(chance, now, keys[:2], 1), at=(now - datetime.timedelta(milliseconds=chance.randrange(900))).isoformat())
        for _ in range(60)]})
    do("POST", f"/api/v1/keys/{ids[3]}/suspend", {})
    do("POST", f"/api/v1/nodes/{nodes[0]}/snapshots")
    return {"admin": {"email": "root@example.com", "password": PASSWORD},
            "auditor": {"email": "eve@example.com", "password": PASSWORD},
            "user": {"email": "ann@example.com", "password": PASSWORD}}
