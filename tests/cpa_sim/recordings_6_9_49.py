"""What the recorded CPA v6.9.49 had gone through before a request, by the request's number."""
import time

SECRET = "mgmt-test-secret-000001"
KEYS = ["sk-portal-sentinel-0000000000000000", "sk-portal-alice-0001", "sk-portal-bob-0002"]
S6 = ["--provider", "fake=http://127.0.0.1:9009/v1", "--upstream-key", "sk-fake-upstream-1",
      "--model", "fake-chat=fake-chat-upstream"]
UTC = ("--tz", "UTC")


class Base:
    """`steps` by number are made before that request; `names` says which RESP connection it goes over."""
    def __init__(self, start, slow):
        self.start, self.slow, self.sim, self.bodies = start, slow, None, {}
        self.steps, self.own_body, self.left_out, self.names, self.closes = {}, {}, {}, {}, set()

    def fresh(self, *extra, **more):
        self.stop()
        self.sim = self.start(*extra, **more)
        return self.sim

    def stop(self):
        if self.sim:
            self.sim.stop()
        self.sim = None

    def before(self, number):
        if number in self.steps:
            self.steps[number]()

    def connection(self, number):
        if number not in self.names:
            return None
        name = self.names[number]
        return self.sim.connection(name, not name.startswith("stranger"))

    def ban_localhost(self):
        for _ in range(5):
            self.sim.call("GET", "/v0/management/debug", key="wrong")

    def restart(self):
        for connection in self.sim.resp.values():
            connection.close()
        self.sim.resp.clear()
        self.sim.control("/restart")

    def without_keys(self, *extra):
        self.fresh(*extra)
        self.sim.management("PUT", "config.yaml", b"debug: false\nremote-management:\n  secret-key: \"x\"\n")
        self.sim.settle()


class Script(Base):
    def __init__(self, start, slow):
        super().__init__(start, slow)
        settle = lambda: self.sim.settle()
        self.steps = {
            1: self.fresh,
            18: self.fresh,
            101: self.ban_localhost,
            102: lambda: time.sleep(1.6),
            103: self.restart,
            104: self.fresh,
            149: self.live_before_149,
            155: lambda: (self.bodies.update(full=self.sim.management("GET", "usage/export")), self.restart()),
            161: lambda: self.fresh(*UTC),
            172: settle, 174: settle,
            175: lambda: self.sim.reset_keys(),
            191: lambda: self.sim.reset_keys(KEYS + ["dup", "dup"]),
            202: lambda: self.sim.reset_keys(),
            203: lambda: (self.fresh(*UTC), self.one_call_unrecorded()),
            204: settle, 207: settle, 210: settle,
            212: self.open_access,
            213: lambda: self.sim.reset_keys(),
            216: lambda: (self.fresh(*UTC), self.sim.fault("save_fails", count=1, path="/v0/management/api-keys")),
            219: lambda: self.fresh(*UTC),
            221: lambda: self.sim.fault("empty_config"),
            222: lambda: (self.fresh(), self.five_attempts()),
            244: lambda: self.sim.connection("pipelined"),
            251: lambda: time.sleep(0.7),
            252: self.restart,
            253: self.restart,
            256: self.wait_for_retention,
            257: lambda: self.fresh(*S6),
            272: lambda: (self.fresh(), self.without_secret()),
            274: lambda: self.fresh(secret=""),
            275: self.fresh,
            278: self.without_keys,
            285: lambda: self.fresh("--tz", "UTC", "--account", "codex=a@example.com=gpt-5.3-codex"),
            288: self.fresh,
            303: lambda: self.fresh(keys=KEYS + ["your-api-key-2"]),
        }
        # Requests whose body was the server's own words of a moment before.
        self.own_body = {
            147: lambda: self.sim.management("GET", "usage/export"),
            148: lambda: self.sim.management("GET", "usage"),
            149: lambda: self.sim.management("GET", "usage/export"),
            156: lambda: self.bodies["full"],
        }
        self.left_out = {
            220: "not recorded as bytes",
            **{n: "cooling of credentials is not imitated" for n in range(279, 285)},
            286: "the words of a dial that fails are not imitated",
            287: "follows a dial that fails",
        }
        if not slow:
            self.left_out[256] = "takes a minute (--slow)"
        self.names = {**{n: "a" for n in range(222, 240)}, 240: "stranger 1", 241: "stranger 1", 242: "stranger 2",
                      244: "pipelined", **{n: "stranger 3" for n in range(245, 251)}, 252: "stranger 4",
                      253: "stranger 5", 254: "stranger 5", 255: "stranger 5", 256: "late"}
        self.closes = {242}

    def live_before_149(self):
        self.sim.chat("hi")
        self.sim.chat("status=500")

    def open_access(self):  # ten calls were made, one of them with a key
        for _ in range(6):
            self.sim.chat("hi", key=None)
        self.sim.reset_keys()
        self.sim.chat("hi")

    def one_call_unrecorded(self):  # so that the second credential is next
        flag = "usage-statistics-enabled"
        self.sim.management("PUT", flag, b'{"value":false}')
        self.sim.chat("hi")
        self.sim.management("PUT", flag, b'{"value":true}')
        self.sim.settle()

    def five_attempts(self):  # by a call that fails with each of two credentials, the second one first
        for i in range(3):
            self.sim.chat(f"in={10 + i} out=2")
        self.sim.chat("status=500", KEYS[2])

    def wait_for_retention(self):
        if not self.slow:
            return
        self.sim.chat("in=77 out=5")
        time.sleep(50)
        self.sim.chat("in=78 out=5")
        time.sleep(11)

    def without_secret(self):
        self.sim.management("PUT", "config.yaml", b"api-keys:\n  - \"sk-portal-alice-0001\"\n")
