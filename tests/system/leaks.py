"""Looks for secrets where none may be: in all that a test leaves behind, and in what the service answers later on.

Whatever is handed out or given in over HTTP in the course of a test is noted by itself (`Leaks.notice`), what is in
configuration and files by who makes them (`Leaks.note`). `search` then goes through every file, for the texts as they are, in
hexadecimal and in base64 at each of its three offsets. It names what was found and where, never the secret."""
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

#: Shorter ones stand in any file by chance.
SHORTEST = 9
#: Files that are made to hold secrets, for their owner only; and what the stand-ins write, who are the other side.
MAY_HOLD = re.compile(r"\.toml$|/control\.token$|/first-admin\.token$|\.key$|\.(yaml|oracle)[^/]*$|/(sim|node)[^/]*\.log$|/held/")
#: The fields of requests that are secrets, and of answers that are shown once: by the end of the path.
GIVEN = {"password", "old", "new", "invitation", "external"}
SHOWN = (("/tokens", "text"), ("/invitations", "text"), ("/password-code", "code"), ("/account/totp", "secret"),
         ("/account/totp/confirm", "codes"), ("/account/recovery-codes", "codes"), ("/session", "csrf"))
KEY_ID = re.compile(r"k[a-z2-7]{26}")
#: Addresses that give out what was given out before: the same command again, exports and configurations for those who may.
MAY_SHOW = re.compile(r"/exports|/export\b|/configs/|/deadletters/|/totp$|/session$")


def forms(secret):
    """Patterns, of which one is in every text that has the secret in it as it is, in base64 or in hexadecimal."""
    raw = secret.encode()
    out = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    escaped = urllib.parse.quote(secret, safe="").encode()
    out.add(escaped)
    for offset in range(3):
        # Characters at both ends hold bits of the neighbours too.
        text = base64.b64encode(b"\0" * offset + raw)
        core = text[(0, 2, 3)[offset]:len(text) - 4].rstrip(b"=")
        if len(core) >= 10:
            out |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return out


class Leaks:
    def __init__(self):
        self.lock = threading.Lock()
        self.begin()

    def begin(self):
        """A new test: what the one before knew is forgotten."""
        with self.lock:
            self.known, self.problems = {}, []

    def note(self, secret, what):
        if isinstance(secret, str) and len(secret) >= SHORTEST:
            with self.lock:
                self.known.setdefault(secret, what)

    def take(self):
        with self.lock:
            out, self.problems = self.problems, []
        return out

    # --- what is said ---
    def notice(self, method, target, headers, body, status, answered, text):
        """One exchange with the service; names of headers in lower case."""
        path = target.partition("?")[0]
        bearer = headers.get("authorization", "")
        if bearer.startswith("Bearer "):
            self.note(bearer[7:], "what came as Bearer")
        given, told = self.json_of(body), self.json_of(text) if "problem" not in answered.get("content-type", "") else {}
        self.repeated(method, path, headers, status, text)
        for cookie in re.findall(r"(?:__Host-)?keyportal[a-z-]*=([^;,]+)", answered.get("set-cookie", "")):
            self.note(cookie, "a cookie")
        for name in GIVEN & set(given):
            self.note(given[name], f"{name} given to {path}")
        if self.is_key(given.get("key")):
            self.note(given["key"], f"a key given to {path}")
        if path.endswith("/keys/find"):
            self.note(given.get("text"), "a key that was looked for")
        if path.endswith("/keys/import"):
            for one in given.get("keys") or []:
                if isinstance(one, dict):
                    self.note(one.get("text"), "a key that was imported")
        if path.endswith("/callback"):
            for name, value in urllib.parse.parse_qsl(target.partition("?")[2]):
                if name in ("code", "state"):
                    self.note(value, f"the {name} of a sign-in elsewhere")
        if status in (200, 201):
            for name in ("key", "api_key"):
                if self.is_key(told.get(name)):
                    self.note(told[name], "a key that was given out")
            for end, name in SHOWN:
                if path.endswith(end):
                    for one in told.get(name) if isinstance(told.get(name), list) else [told.get(name)]:
                        self.note(one, f"{name} shown by {path}")

    def repeated(self, method, path, headers, status, text):
        """Whether an answer has a secret in it that was there before it."""
        if not text or MAY_SHOW.search(path) or len(text) > 1 << 20:
            return
        with self.lock:
            known = list(self.known.items())
        if len(known) > 300:  # the files are searched for all of them
            known = known[:150] + known[-150:]
        now = self.json_of(text)
        again = status == 200 or "idempotency-key" in headers  # the same command again
        allowed = {now.get("key"), now.get("api_key")} if again else ()
        for secret, what in known:
            if secret.encode() in text and secret not in allowed:
                with self.lock:
                    self.problems.append(f"LEAK: {method} {path} ({status}) answered with {what}")

    @staticmethod
    def is_key(value):
        """A key's text: neither its id nor its ends."""
        return isinstance(value, str) and not KEY_ID.fullmatch(value) and "…" not in value

    @staticmethod
    def json_of(text):
        try:
            out = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            return {}
        return out if isinstance(out, dict) else {}

    # --- what is left behind ---
    def search(self, folder, by=None):
        """Where below the folder a secret is: a line each. Of files that lie in it itself only those whose names begin with one
        of `by` are looked at, if given: the others are what tests gave to the service, or asked it to write."""
        with self.lock:
            known = dict(self.known)
        if not known or not os.path.isdir(folder):
            return []
        patterns = {}
        for secret, what in known.items():
            for form in forms(secret):
                if b"\n" not in form:
                    patterns[form] = what
        files = []
        for place, _, names in os.walk(folder):
            files += [os.path.join(place, name) for name in names
                      if not MAY_HOLD.search(os.path.join(place, name)) and os.path.isfile(os.path.join(place, name))
                      and (by is None or place != folder or name.startswith(tuple(by)))]
        if not files:
            return []
        grep = shutil.which("grep")
        with tempfile.NamedTemporaryFile(prefix="keyportal-leaks-") as wanted:
            wanted.write(b"\n".join(patterns) + b"\n")
            wanted.flush()
            found = set()
            for at in range(0, len(files), 500):
                ran = subprocess.run([grep, "-aoFZ", "-f", wanted.name, "/dev/null", *files[at:at + 500]],
                                     capture_output=True, check=False, env={"LC_ALL": "C"})
                for line in ran.stdout.split(b"\n"):
                    name, _, form = line.partition(b"\0")
                    if form in patterns:
                        found.add((os.path.relpath(name.decode(), folder), patterns[form]))
        return [f"LEAK: {what} is in {name}" for name, what in sorted(found)]


LEAKS = Leaks()
