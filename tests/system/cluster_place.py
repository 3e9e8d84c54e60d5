"""Several nats-servers that are one, and several services that are one Key Portal."""
import json
import os
import signal
import subprocess

from service import Place, Portal, Program, call, free_port, wait_until

#: What all processes of a test's cluster share; no secret of anybody's.
KEY = "system-test-cluster-key-0123456789"


class NatsServer(Program):
    """One nats-server with JetStream on fixed ports, so that the others find it again."""

    def __init__(self, folder, name, port, route_port, routes):
        super().__init__(folder, name)
        self.port = port
        self.store = os.path.join(folder, name + "-store")
        self.config = os.path.join(folder, name + ".conf")
        lines = [f"server_name: {name}", f'listen: "127.0.0.1:{port}"',
                 f'jetstream {{ store_dir: "{self.store}", max_mem: 256MB, max_file: 4GB }}']
        if routes:
            all_routes = ", ".join(f'"nats://127.0.0.1:{one}"' for one in routes)
            lines.append(f'cluster {{ name: kp, listen: "127.0.0.1:{route_port}", routes: [ {all_routes} ] }}')
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        self.launch(["nats-server", "-c", self.config])
        return self


class ClusterPlace(Place):
    """A place with `servers` nats-servers; portals made here join one cluster."""

    def __init__(self, servers=1):
        super().__init__()
        ports = [(free_port(), free_port()) for _ in range(servers)]
        routes = [route for _, route in ports] if servers > 1 else []
        self.servers = [NatsServer(self.folder, f"nats{i}", port, route, routes) for i, (port, route) in enumerate(ports)]
        self.programs.extend(self.servers)
        self.nats_url = ",".join(f"nats://127.0.0.1:{one.port}" for one in self.servers)

    def __enter__(self):
        for one in self.servers:
            one.start()
        return self

    def __exit__(self, kind, error, trace):
        for one in self.programs:  # those that need the servers first
            if isinstance(one, Portal) and one.alive():
                one.signal(signal.SIGTERM)
        for one in self.programs:
            if isinstance(one, Portal) and one.alive():
                try:
                    one.wait_end(15)
                except subprocess.TimeoutExpired:
                    one.kill()
        super().__exit__(kind, error, trace)

    def member(self, name, *stand_ins, settings=(), start=True, nodes=None):
        plain = {"nats.url": f'"{self.nats_url}"', "cluster.enabled": "true", "cluster.name": '"test"',
                 "cluster.key": f'"{KEY}"', "cluster.address": f'"{name}"'}
        plain.update(dict(settings))
        if nodes is None:
            nodes = [{"name": s.name, "url": s.url, "management_key": s.secret} for s in stand_ins]
        return self.portal(settings=plain, name=name, nodes=nodes, start=start)


def ask(portal, path, method="GET", body=None, timeout=20.0, idempotency=None):
    """(status, JSON) of a request with the control token."""
    headers = {"Authorization": "Bearer " + portal.token()}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if idempotency:
        headers["Idempotency-Key"] = idempotency
    status, _, text = call(portal.url + path, method, None if body is None else json.dumps(body), headers, timeout)
    return status, json.loads(text) if text else None


def equal(portals, node, records, seconds=30):
    """Waits until each ledger holds so many records of the node."""
    wait_until(lambda: all(one.requests(node) == records for one in portals),
               lambda: f"{records} records of {node}, not {[one.requests(node) for one in portals]}", seconds)
