#!/usr/bin/env python3
"""How fast the gateway answers people who are signed in, beside nginx with a file of the same size and RESTinio, and
whether many sign-ins at once hold others up. Prints one JSON line a figure. Needs wrk; nginx and http_peer where they are
there. All of it shares the machine's cores with the clients."""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
from browser import first_admin, member  # noqa: E402
from service import Place, call, find_program, free_port, wait_until  # noqa: E402
from system_bench import cpu_seconds, figure  # noqa: E402

SECONDS = int(os.environ.get("KEYPORTAL_BENCH_SECONDS", "8"))
CONNECTIONS = 64


def in_ms(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)$", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, headers=(), seconds=SECONDS, connections=CONNECTIONS):
    """(requests a second, 99th percentile in ms, requests)"""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        words += ["-H", header]
    said = subprocess.run(words + [url], capture_output=True, text=True, check=True).stdout
    wrong = re.search(r"Non-2xx.*|Socket errors.*", said)
    if wrong:
        raise RuntimeError(wrong.group())
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)), in_ms(re.search(r"99%\s+(\S+)", said).group(1)),
            int(re.search(r"(\d+) requests in", said).group(1)))


def served(words, port):
    """A program that answers on that port."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        try:
            return call(f"http://127.0.0.1:{port}/summary.json", timeout=1)[0] == 200
        except OSError:
            assert process.poll() is None, words
            return False
    wait_until(answers, f"{words[0]} answers", 10)
    return process


def nginx_program(folder):
    """nginx, or that of Debian's package without installing it: a package that is installed also starts."""
    there = shutil.which("nginx")
    if there:
        return there
    try:
        subprocess.run(["apt-get", "-q", "download", "nginx"], cwd=folder, check=True, capture_output=True)
        package = next(name for name in os.listdir(folder) if name.endswith(".deb"))
        subprocess.run(["dpkg-deb", "-x", package, "nginx"], cwd=folder, check=True, capture_output=True)
        return os.path.join(folder, "nginx", "usr", "sbin", "nginx")
    except (OSError, subprocess.CalledProcessError, StopIteration):
        return None


def beside(body):
    """What others make of the same bytes: [(name, requests a second, ms)]"""
    out = []
    with tempfile.TemporaryDirectory(prefix="keyportal-http-") as folder:
        file = os.path.join(folder, "summary.json")
        with open(file, "wb") as to:
            to.write(body)
        os.chmod(folder, 0o755)
        program = nginx_program(folder)
        if program:
            port = free_port()
            with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as conf:
                conf.write(f"daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;\n"
                           f"events {{ worker_connections 1024; }}\n"
                           f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
                           f"types {{ application/json json; }}\n"
                           + "".join(f"{what}_temp_path {folder}/{what};\n"
                                     for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                           + f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n")
            process = served([program, "-p", folder, "-c", os.path.join(folder, "nginx.conf")], port)
            out.append(("nginx", *wrk(f"http://127.0.0.1:{port}/summary.json")[:2]))
            process.kill()
            process.wait()
        try:
            peer = find_program("http_peer")
        except RuntimeError:
            peer = None
        if peer:
            port = free_port()
            process = served([peer, str(port), file], port)
            out.append(("restinio", *wrk(f"http://127.0.0.1:{port}/summary.json")[:2]))
            process.kill()
            process.wait()
    return out


def summary():
    settings = {"sign_in.requests_per_minute": "0", "sign_in.anonymous": '"nothing"', "poll.interval": '"3s"'}
    with Place() as place:
        portal = place.portal(place.stand_in(preload=1000), settings=settings)
        admin = first_admin(portal)
        person = member(portal, admin, "ann@example.com")
        cookie = "Cookie: " + "; ".join(f"{name}={text}" for name, text in person.cookies.items())
        status, _, body = call(portal.url + "/api/v1/summary", headers={"Cookie": cookie[8:]})
        assert status == 200, status
        wrk(portal.url + "/api/v1/summary", [cookie], 2)  # warm
        before = cpu_seconds(portal.pid)
        rate, p99, count = wrk(portal.url + "/api/v1/summary", [cookie])
        cpu = 1e6 * (cpu_seconds(portal.pid) - before) / count
        others = beside(body)
        best = {name: of / rate for name, of, _ in others}
        figure("gateway.summary", rate, "requests/s", count, bytes=len(body),
               **{f"{name}_times_faster": round(times, 2) for name, times in best.items()})
        figure("gateway.summary.p99", p99, "ms", count, **{name: round(ms, 2) for name, _, ms in others})
        figure("gateway.summary.cpu", cpu, "us", count)
        for name, of, _ in others:
            figure(f"gateway.summary.{name}", of, "requests/s", len(body))
        rate, p99, count = wrk(portal.url + "/healthz")
        figure("gateway.health", rate, "requests/s", count, p99=round(p99, 2))


def peak_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def sign_ins(number):
    """That many at once, each from an address of its own; nobody is there, which takes as long as a wrong password."""
    with Place() as place:
        portal = place.portal(place.stand_in(), settings={"gateway.trusted_proxies": '["127.0.0.1"]'})
        host = portal.url.partition("//")[2]
        status, headers, body = call(portal.url + "/api/v1/session", headers={"X-Forwarded-For": "10.9.9.9"})
        assert status == 200
        cookie, csrf = headers["set-cookie"].partition(";")[0], json.loads(body)["csrf"]
        with open(f"/proc/{portal.pid}/clear_refs", "w", encoding="ascii") as to:
            to.write("5")
        answers, took, begin = [], [], threading.Event()

        def one(number):
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.connect()
            begin.wait()
            began = time.monotonic()
            connection.request("POST", "/api/v1/session", json.dumps({"email": f"p{number}@example.com", "password": "x" * 20}),
                               {"X-Forwarded-For": f"10.1.{number // 250}.{1 + number % 250}", "Cookie": cookie,
                                "X-CSRF-Token": csrf})
            answers.append(connection.getresponse().status)
            took.append(time.monotonic() - began)
            connection.close()

        threads = [threading.Thread(target=one, args=(i,)) for i in range(number)]
        for thread in threads:
            thread.start()
        connection = http.client.HTTPConnection(host, timeout=60)
        delays = []
        for i in range(100000):
            if i == 20:
                begin.set()
            began = time.monotonic()
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            delays.append(1000 * (time.monotonic() - began))
            if i > 20 and not any(thread.is_alive() for thread in threads):
                break
            time.sleep(0.005)
        for thread in threads:
            thread.join()
        assert set(answers) == {401}, {status: answers.count(status) for status in set(answers)}
        figure("gateway.sign_ins.health", max(delays[20:]), "ms", number, checks=len(delays),
               all_answered_s=round(max(took), 2))
        figure("gateway.sign_ins.peak", peak_mb(portal.pid), "MB", number)


def main():
    wanted = sys.argv[1:] or ["summary", "sign_ins"]
    if "summary" in wanted:
        summary()
    if "sign_ins" in wanted:
        sign_ins(200)


if __name__ == "__main__":
    main()
