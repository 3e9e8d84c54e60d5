#!/usr/bin/env python3
"""Checks who includes whom: folders only in the direction of the architecture, decisions without actors, heavy headers
in few files. Prints each breach as file:line and leaves with 1 when there is one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("messages", "config", "storage", "gateway", "actors", "tests")
ALLOWED = {
    "messages": {"messages"},
    "config": {"config", "messages"},
    "storage": {"storage", "messages"},
    "gateway": {"gateway", "messages", "config"},
    "actors": {"actors", "messages", "config", "storage"},
    "tests": set(FOLDERS),
}
# Inside actors/: the command line knows nothing of the service, and NATS nothing of the other actors but its ports.
WITHIN_ACTORS = {
    "cli": {"cli", "prices"},  # prices are pure; and the rules for texts, which are too
    "nats": {"nats", "publisher", "telemetry", "notifier", "cluster"},
}
PURE_TEXTS = {"actors/key_registry/key_text.hpp", "actors/key_registry/registry_text.hpp"}
# What people may and how a session looks: values and rules that the gateway and the messages about them share.
PURE_FOLDER = "actors/access/"
USES_IT = ("gateway/", "messages/access.hpp")
# These wire everything and may include anything.
WIRING = {"actors/main.cpp", "actors/spawn.hpp", "actors/spawn.cpp", "actors/service.hpp", "actors/service.cpp",
          "actors/compat.hpp", "actors/compat.cpp", "actors/certificate_watch.hpp", "actors/certificate_watch.cpp"}
WIRING_FOLDERS = ("actors/supervisor/", "actors/cluster_member/")
# Classes with decisions: no actor, no clock, no socket.
PURE = re.compile(r"_(rules|plan|book|queue|window|board|pace)\.(hpp|cpp)$|/(board|routes|problem|handlers|host_rules|target)\.(hpp|cpp)$")
NOT_IN_PURE = re.compile(
    r"<(caf/(?!error|expected|string_algorithms)[^>]*|boost/[^>]*|curl/[^>]*|nats[^>]*|rocksdb/[^>]*|spdlog/[^>]*)>")
# caf/error and caf/expected are how errors are told, so they are everywhere.
HEAVY = {
    r"<boost/(beast|asio)": 6,
    r"<CLI/": 1,
    r"<toml\.hpp>": 1,
    r"<simdjson": 2,
    r"<curl/": 5,
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')


def sources():
    for folder in FOLDERS:
        yield from sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".hpp"))


def main():
    breaches = []
    heavy = {pattern: [] for pattern in HEAVY}
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        folder = name.split("/")[0]
        wires = name in WIRING or name.startswith(WIRING_FOLDERS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            header = found.group(1)
            where = f"{name}:{number}"
            target = header[1:-1].split("/")
            if header[0] == '"' and target[0] in FOLDERS and not wires:
                shared = header[1:].startswith(PURE_FOLDER) and name.startswith(USES_IT)
                if target[0] not in ALLOWED[folder] and not shared:
                    breaches.append(f"{where}: {folder} may not include {header}")
                part = name.split("/")[1]
                if folder == "actors" and target[0] == "actors" and part in WITHIN_ACTORS and len(target) > 2:
                    if target[1] not in WITHIN_ACTORS[part] and header[1:-1] not in PURE_TEXTS:
                        breaches.append(f"{where}: actors/{part} may not include {header}")
            if folder != "tests" and PURE.search("/" + name) and NOT_IN_PURE.search(header):
                breaches.append(f"{where}: decisions are kept free of actors and I/O, but this includes {header}")
            for pattern in HEAVY:
                if folder != "tests" and re.match(pattern, header):
                    heavy[pattern].append(name)
    for pattern, files in heavy.items():
        if len(set(files)) > HEAVY[pattern]:
            breaches.append(f"{pattern} is included by {len(set(files))} files, at most {HEAVY[pattern]} may: {sorted(set(files))}")
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
