"""The shipped program as a file and as a process: how it was linked, what it may leave behind, who may read its files."""
import json
import os
import re
import stat
import subprocess
import unittest

from browser import first_admin
from service import ROOT, Place, find_program


def told(*arguments):
    return subprocess.run(arguments, capture_output=True, check=True, text=True).stdout


class Program(unittest.TestCase):
    def test_the_program_is_hardened(self):
        program = find_program("keyportal")
        if "__asan_init" in told("readelf", "-sW", program) or "__tsan_init" in told("readelf", "-sW", program):
            self.skipTest("built with sanitizers")
        head, parts, dynamic = told("readelf", "-hW", program), told("readelf", "-lW", program), told("readelf", "-dW", program)
        self.assertRegex(head, r"Type:\s+DYN")  # at another address each time
        self.assertIn("GNU_RELRO", parts)
        self.assertRegex(dynamic, r"BIND_NOW|\bNOW\b")
        self.assertRegex(parts, r"GNU_STACK.*\bRW\b")
        self.assertNotRegex(parts, r"LOAD.*\bRWE\b")
        self.assertNotRegex(dynamic, r"R(UN)?PATH")
        names = told("readelf", "--dyn-syms", "-W", program)
        self.assertIn("__stack_chk_fail", names)
        self.assertRegex(names, r"__(memcpy|snprintf|vsnprintf|read|fprintf)_chk")

    def test_the_list_of_parts_names_every_library_with_its_version(self):
        program = find_program("keyportal")
        sbom = os.path.join(ROOT, "deploy", "sbom")
        text = told(sbom, program)
        self.assertEqual(text, told(sbom, program))
        bill = json.loads(text)
        self.assertEqual(bill["bomFormat"], "CycloneDX")
        parts = {part["name"]: part for part in bill["components"]}
        for part in parts.values():
            self.assertTrue(part["version"], part)
        for needed in re.findall(r"NEEDED.*\[(lib[a-z_]+)", told("readelf", "-dW", program)):
            stem = needed.removeprefix("lib").rstrip("_")[:5]
            self.assertTrue(any(stem in name or stem.replace("_", "-") in name for name in parts) or needed in ("libstdc", "libm", "libgcc_s"),
                            f"{needed} is in none of {sorted(parts)}")
        self.assertIn("nlohmann-json3-dev", parts)
        self.assertIn("react", parts)
        self.assertNotIn("vitest", parts)  # needed to build and test, not part of the program

    def test_no_core_is_left_and_its_files_are_its_owners(self):
        with Place() as place:
            portal = place.portal(place.stand_in())
            first_admin(portal)
            with open(f"/proc/{portal.pid}/limits", encoding="ascii") as file:
                self.assertRegex(file.read(), r"Max core file size\s+0\s+0\b")
            self.assertEqual(stat.S_IMODE(os.stat(portal.data).st_mode) & 0o077, 0)
            for name in ("control.token", "seal.key"):
                path = os.path.join(portal.data, name)
                if os.path.exists(path):
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, name)
            # Neither its arguments nor its environment hold a secret, which other processes could read.
            for name in ("cmdline", "environ"):
                with open(f"/proc/{portal.pid}/{name}", "rb") as file:
                    self.assertNotIn(place.programs[0].secret.encode(), file.read())
            portal.stop()

    def test_unit_and_image_take_every_right_away_that_is_not_needed(self):
        with open(os.path.join(ROOT, "deploy", "keyportal.service"), encoding="utf-8") as file:
            unit = file.read()
        for line in ("DynamicUser=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "LimitCORE=0",
                     "UMask=0077", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service"):
            self.assertRegex(unit, "(?m)^" + re.escape(line) + "$")
        with open(os.path.join(ROOT, "deploy", "Dockerfile"), encoding="utf-8") as file:
            self.assertRegex(file.read().rpartition("FROM")[2], r"(?m)^USER keyportal$")
        with open(os.path.join(ROOT, "deploy", "compose.yaml"), encoding="utf-8") as file:
            compose = file.read()
        self.assertRegex(compose, r"read_only: true")
        self.assertRegex(compose, r"cap_drop:\s*(\[ALL\]|\n\s+- ALL)")
        self.assertRegex(compose, r"no-new-privileges")


if __name__ == "__main__":
    unittest.main()
