"""Starts and ends the shipped programs: the service, the stand-in for CLIProxyAPI, and what they keep."""
import collections
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

import leaks
import watch
from recorder import Recorder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECRET = "system-test-management-key"
#: How many times longer than usual everything may take: sanitizers are slow.
PATIENCE = float(os.environ.get("KEYPORTAL_PATIENCE", "1"))
#: Services that were started, by host and port: what is said to them is held against openapi.yaml.
PORTALS = {}


#: For services whose certificate a test made; whose it is, that test looks at by itself.
ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


def find_program(name):
    """The program of the build that KEYPORTAL_BUILD names, else of the newest build."""
    given = os.environ.get("KEYPORTAL_BUILD")
    folders = [given] if given else [os.path.join(ROOT, "build", n) for n in ("release", "dev", "nats", "lead")]
    found = [os.path.join(folder, place, name) for folder in folders
             for place in ("bin", "actors", "tests/cpa_sim", "tests/bench")]
    found = [path for path in found if os.access(path, os.X_OK) and os.path.isfile(path)]
    if not found:
        raise RuntimeError(f"{name} is not built; run deploy/test, or set KEYPORTAL_BUILD")
    return max(found, key=os.path.getmtime)


def wait_until(condition, what, seconds=20.0):
    """Waits until the condition gives something true and returns that; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(url, method="GET", body=None, headers=None, timeout=20.0, hostile=False):
    """(status, headers, body) of one HTTP request; OSError when nobody answers. To a service it has to be as openapi.yaml
    says, unless it is `hostile`; the answer always."""
    parts = urllib.parse.urlsplit(url)
    connection = (http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=ANY_CERTIFICATE)
                  if parts.scheme == "https" else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout))
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, target or "/", body=body, headers=headers or {})
        answer = connection.getresponse()
        told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        portal = PORTALS.get(parts.netloc)
        if portal and watch.contract and portal.alive():  # else the port may be somebody else's by now
            watch.contract.check(method, target or "/", {k.lower(): v for k, v in (headers or {}).items()},
                                 body.encode() if isinstance(body, str) else body or b"", *told, hostile=hostile)
        return told
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


class Program:
    """A child process with its output in a file. Ended only by its own process id."""

    def __init__(self, folder, name):
        self.folder, self.name, self.process, self.arguments = folder, name, None, []
        self.log_path = os.path.join(folder, name + ".log")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYPORTAL_")}

    def launch(self, arguments):
        self.arguments = arguments
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment, cwd=self.folder)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, which):
        if self.alive():
            self.process.send_signal(which)

    def kill(self):
        """SIGKILL, and waits for the end."""
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait(10)

    def wait_end(self, seconds):
        return self.process.wait(seconds * PATIENCE)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""


class StandIn(Program):
    """cpa-sim on fixed free ports, so that a later start is found under the same address."""

    def __init__(self, folder, name="sim", rate=0, seed=1, preload=0, keys=(), more=()):
        super().__init__(folder, name)
        self.port, self.control_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.oracle_path = os.path.join(folder, name + ".oracle")
        self.rate, self.seed, self.preload, self.more = rate, seed, preload, list(more)
        self.starts, self.secret = 0, SECRET
        leaks.LEAKS.note(SECRET, "a management key")

    def start(self):
        self.starts += 1
        self.launch([find_program("cpa-sim"), "--port", str(self.port), "--control-port", str(self.control_port),
                     "--secret", SECRET, "--tz", "Asia/Shanghai", "--state", os.path.join(self.folder, self.name + ".yaml"),
                     "--oracle", self.oracle_path, "--rate", str(self.rate), "--seed", str(self.seed * 1000 + self.starts),
                     "--preload", str(self.preload)] + self.more)
        wait_until(lambda: self.answers(), lambda: f"{self.name} answers\n{self.log()[-2000:]}")
        return self

    def answers(self):
        try:
            return (call(self.url + "/healthz", timeout=2)[0] == 200
                    and call(f"http://127.0.0.1:{self.control_port}/state", timeout=2)[0] == 200)
        except OSError:
            if not self.alive():
                raise AssertionError(f"{self.name} ended: {self.log()[-2000:]}")
            return False

    def control(self, what, method="POST", body=None):
        status, _, text = call(f"http://127.0.0.1:{self.control_port}{what}", method,
                               None if body is None else json.dumps(body))
        assert status == 200, f"{what}: {status} {text!r}"
        return json.loads(text)

    def state(self):
        return self.control("/state", "GET")

    def fault(self, name, value="", count=0, path=""):
        self.control("/fault", body={"name": name, "value": str(value), "count": count, "path": path})

    def clear(self):
        self.control("/fault/clear")

    def record(self, count):
        self.control(f"/records?count={count}")

    def set_rate(self, rate):
        self.rate = rate
        if self.alive():
            self.control(f"/rate?value={rate}")

    def oracle(self):
        """Everything ever recorded: list of (identity, recorded_at in ms)."""
        records = []
        with open(self.oracle_path, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    one = json.loads(line)
                    records.append((identity(one["api"], one["model"], one), one["recorded_at"]))
        return records

    def export(self):
        """What it holds now, as identities."""
        status, _, text = call(self.url + "/v0/management/usage/export",
                               headers={"Authorization": "Bearer " + SECRET}, timeout=60)
        assert status == 200, (status, text[:200])
        return identities(json.loads(text))


def identity(api, model, detail):
    """What makes a record that record; also what must not be changed on its way through a ledger and back."""
    tokens = detail.get("tokens", {})
    return (api, model, detail["timestamp"], detail.get("source", ""), str(detail.get("auth_index", "")),
            bool(detail.get("failed", False)), int(detail.get("latency_ms", 0)),
            tuple(sorted((k, v) for k, v in tokens.items() if v)))


def identities(export):
    usage = export.get("usage", export)
    found = collections.Counter()
    for api, held in usage.get("apis", {}).items():
        for model, of in held.get("models", {}).items():
            for detail in of.get("details") or []:
                found[identity(api, model, detail)] += 1
    return found


class Portal(Program):
    """`keyportal serve` with a folder of its own."""

    def __init__(self, folder, nodes, name="portal", settings=(), more=""):
        super().__init__(folder, name)
        self.data = os.path.join(folder, name + "-data")
        self.config = os.path.join(folder, name + ".toml")
        self.url = None
        self.recorder = Recorder() if watch.contract else None
        plain = {"gateway.listen": '"127.0.0.1:0"', "poll.interval": '"200ms"', "poll.probe_interval": '"100ms"',
                 "sign_in.anonymous": '"status"', "sign_in.anonymous_requests_per_minute": "0"}
        plain.update(dict(settings))
        sections = collections.defaultdict(list)
        for key, value in plain.items():
            section, _, option = key.rpartition(".")
            sections[section].append(f"{option} = {value}")
        lines = [f'data_dir = "{self.data}"'] + sections.pop("", [])
        for section, options in sections.items():
            lines += [f"[{section}]"] + options
        for node in nodes:
            lines += ["[[node]]"] + [f'{key} = "{value}"' for key, value in node.items()]
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n" + more)
        os.chmod(self.config, 0o600)

    def start(self, wait=True):
        before = len(self.log())
        self.launch([find_program("keyportal"), "serve", "--config", self.config])
        if wait:
            self.wait_ready(before)
        return self

    def wait_ready(self, since=0):
        def ready():
            if not self.alive():
                raise AssertionError(f"keyportal ended with {self.process.returncode}: {self.log()[-3000:]}")
            found = re.findall(r"^(https?://127\.0\.0\.1:\d+)$", self.log()[since:], re.M)
            if found:
                self.url = found[-1]
                PORTALS[self.url.partition("//")[2]] = self
            try:
                return self.url and found and call(self.url + "/readyz", timeout=2)[0] == 200
            except OSError:
                return False
        wait_until(ready, lambda: f"keyportal is ready\n{self.log()[-3000:]}", 30)
        self.record()

    def record(self):
        """The command line finds the recorder where it looks for the service."""
        written = os.path.join(self.data, "gateway.url")
        if self.recorder and self.url.startswith("http:") and os.path.exists(written):  # else it is stopping already
            host = self.url.partition("//")[2]
            self.recorder.upstream = (host.partition(":")[0], int(host.partition(":")[2]))
            with open(written + ".recorder", "w", encoding="ascii") as file:
                file.write(self.recorder.url + "\n")
            os.replace(written + ".recorder", written)

    def get(self, path):
        deadline = time.monotonic() + 10 * (PATIENCE - 1)
        status, _, text = call(self.url + path)
        while status == 504 and time.monotonic() < deadline:  # under a sanitizer the actors may be busy for so long
            status, _, text = call(self.url + path)
        assert status == 200, f"{path}: {status} {text[:300]!r}"
        return json.loads(text)

    def token(self):
        with open(os.path.join(self.data, "control.token"), encoding="utf-8") as file:
            token = file.read().strip()
        leaks.LEAKS.note(token, "the control token")
        return token

    def node(self, name="default"):
        return self.get(f"/api/v1/nodes/{name}")

    def requests(self, name="default"):
        return self.node(name)["totals"]["requests"]

    def restarts(self, name="default"):
        return self.get(f"/api/v1/nodes/{name}/restarts?limit=1000")["items"]

    def ledger(self, name="default"):
        """Everything the ledger holds of a node, as identities."""
        status, _, text = call(f"{self.url}/api/v1/nodes/{name}/snapshots/now/export", timeout=60,
                               headers={"Authorization": "Bearer " + self.token()})
        assert status == 200, (status, text[:300])
        return identities(json.loads(text))

    def command(self, *arguments, check=True, timeout=60, stdin=None):
        """Runs `keyportal …` against this service; (exit code, stdout, stderr)."""
        ran = subprocess.run([find_program("keyportal"), *arguments, "--config", self.config], env=self.environment,
                             stdin=subprocess.DEVNULL if stdin is None else stdin, capture_output=True, timeout=timeout,
                             check=False, text=True, errors="replace")
        if check:
            assert ran.returncode == 0, (arguments, ran.returncode, ran.stdout[-500:], ran.stderr[-1500:])
        return ran.returncode, ran.stdout, ran.stderr

    def nats_pid(self):
        try:
            with open(os.path.join(self.data, "nats", "nats.pid"), encoding="ascii") as file:
                return int(file.read().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return 0

    def nats_port(self):
        with open(os.path.join(self.data, "nats", "nats.url"), encoding="ascii") as file:
            return int(file.read().strip().rpartition(":")[2])

    def stop(self, seconds=20):
        self.signal(signal.SIGTERM)
        return self.wait_end(seconds)


class Place:
    """A temporary folder and all programs started in it; nothing of it outlives the `with`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="keyportal-system-")
        self.programs = []

    def __enter__(self):
        return self

    def stand_in(self, name="sim", **options):
        made = StandIn(self.folder, name, **options)
        self.programs.append(made)
        return made.start()

    def portal(self, *stand_ins, settings=(), name="portal", nodes=None, start=True, more=""):
        if nodes is None:
            names = ["default"] if len(stand_ins) == 1 else [s.name for s in stand_ins]
            nodes = [{"name": n, "url": s.url, "management_key": SECRET} for n, s in zip(names, stand_ins)]
        made = Portal(self.folder, nodes, name, settings, more)
        self.programs.append(made)
        return made.start() if start else made

    def __exit__(self, kind, error, trace):
        for program in reversed(self.programs):
            if program.alive():
                program.signal(signal.SIGTERM)
        for program in reversed(self.programs):
            if program.alive():
                try:
                    program.wait_end(15)
                except subprocess.TimeoutExpired:
                    program.kill()
        for program in self.programs:
            if isinstance(program, Portal):
                if program.recorder:
                    program.recorder.end()
                PORTALS.pop((program.url or "").partition("//")[2], None)
        self.note_files()
        found = leaks.LEAKS.search(self.folder, [one.name for one in self.programs if not isinstance(one, StandIn)])
        if kind is not None:
            print("\n".join(found))
            for program in self.programs:
                print(f"--- end of {program.log_path}\n{program.log()[-3000:]}")
        if os.environ.get("KEYPORTAL_KEEP"):
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and found:
            raise AssertionError("\n".join(found[:50]))

    def note_files(self):
        """What lies in files that are made for secrets, and what the nodes' keys and accounts are called."""
        for program in self.programs:
            if isinstance(program, Portal):
                with open(program.config, encoding="utf-8") as file:
                    for name, secret in re.findall(r'(management_key|client_secret|password|token) = "([^"]+)"', file.read()):
                        leaks.LEAKS.note(secret, f"{name} of the configuration")
                for name in ("control.token", "first-admin.token"):
                    path = os.path.join(program.data, name)
                    if os.path.exists(path):
                        with open(path, encoding="utf-8") as file:
                            leaks.LEAKS.note(file.read().split()[0], "the control token" if "control" in name else name)
            elif isinstance(program, StandIn) and os.path.exists(program.oracle_path):
                seen = set()
                with open(program.oracle_path, encoding="utf-8") as file:
                    for line in itertools.islice(file, 2000):
                        if line.endswith("\n"):
                            one = json.loads(line)
                            seen |= {("a client key of traffic", one["api"]), ("an account of traffic", one.get("source", ""))}
                for what, text in sorted(seen)[:200]:
                    if " " not in text:  # else it is "POST /v1/…", in place of a key
                        leaks.LEAKS.note(text, what)
