"""What the recorded CPA v7.2.140 had gone through before a request, by the request's number."""
import time

from recordings_6_9_49 import Base, KEYS, S6, UTC


class Script(Base):
    def __init__(self, start, slow):
        super().__init__(start, slow)
        settle = lambda: self.sim.settle()
        chat = lambda first, last: [self.sim.chat(f"in={n} out=1") for n in range(first, last + 1)]
        self.steps = {
            1: lambda: self.fresh(*UTC),
            84: self.ban_localhost,
            85: lambda: time.sleep(1.6),
            86: self.restart,
            87: lambda: (self.fresh(*UTC), self.sim.chat("hi")),
            98: settle, 100: settle,
            101: lambda: self.sim.reset_keys(),
            117: lambda: self.sim.reset_keys(KEYS + ["dup", "dup"]),
            128: lambda: self.sim.reset_keys(),
            130: settle, 133: settle, 136: settle,
            138: lambda: [self.sim.chat("hi", key=None) for _ in range(6)],
            139: lambda: self.sim.reset_keys(),
            142: lambda: self.fresh(*S6),
            157: self.fresh,
            158: lambda: chat(1, 12),
            176: lambda: self.pop_lost(300),
            177: lambda: self.pop_lost(310),
            178: lambda: chat(401, 408),
            195: lambda: chat(500, 501),
            196: lambda: chat(502, 502),
            198: lambda: self.pushed(503),
            201: lambda: self.pushed(504),
            208: lambda: chat(505, 505),
            209: lambda: (self.gone("third"), chat(506, 506)),
            210: lambda: chat(507, 507),
            212: lambda: self.sim.chat("status=429"),
            214: lambda: self.fresh("--account", "claude=d@example.com=claude-sonnet-4-6"),
            216: self.fresh,
            222: lambda: self.fresh(secret=""),
            228: self.fresh,
            231: self.without_keys,
            232: lambda: (self.fresh(*UTC), self.sim.fault("save_fails", count=1, path="/v0/management/api-keys")),
            235: lambda: self.fresh(*UTC),
            237: lambda: self.sim.fault("empty_config"),
            244: lambda: self.fresh(*UTC, "--account", "codex=a@example.com=gpt-5.3-codex"),
            247: lambda: self.fresh(*UTC),
            262: lambda: self.fresh(keys=KEYS + ["your-api-key-2"]),
        }
        self.left_out = {
            58: "the model definitions of 7.x are not imitated",
            175: "a slow upstream is not imitated",
            236: "not recorded as bytes",
            **{n: "cooling of credentials is not imitated" for n in range(238, 244)},
            245: "the words of a dial that fails are not imitated",
            246: "follows a dial that fails",
        }
        self.names = {**{n: "a" for n in range(178, 195)}, 195: "first", 196: "first", 199: "a",
                      **{n: "second" for n in range(200, 207)}, 207: "first", 211: "errors", 212: "errors", 215: "late"}
        self.closes = {206, 207}

    def pop_lost(self, first):
        """Three of five are popped by somebody who goes away."""
        for n in range(first, first + 5):
            self.sim.chat(f"in={n} out=1")
        self.sim.fault("response_lost", count=1, path="/v0/management/usage-queue")
        self.sim.call("GET", "/v0/management/usage-queue?count=3")

    def pushed(self, n):
        """A call whose record every subscriber gets and nobody asks for."""
        self.sim.chat(f"in={n} out=1")
        for name in ("first", "second"):
            if name in self.sim.resp:
                self.sim.resp[name].read(1)

    def gone(self, name):
        connection = self.sim.connection(name)
        connection.send(b"*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\nusage\r\n")
        connection.read(2)
        connection.close()
        del self.sim.resp[name]
        self.sim.settle()
