"""Runs Schemathesis against `vodrm serve --sandbox`, round by round, and sums up.

Each round has a service and a journal of its own and the next seed, until enough
requests were made: what a round asks depends on its seed alone. After each the
service must still answer, end in order with a sound journal, have panicked nowhere
and have counted as many requests as are claimed here.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import checks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Cases for each operation in each phase of a round.
CASES = {"first": 25, "further": 150}
MOST_ROUNDS = 30
# Longest round: only a hang takes longer.
ROUND_S = 900
START_S = 60
COUNT = re.compile(r'^vodrm_http_requests_total\{method="(\w+)",route="([^"]*)",status="(\d+)"\} (\d+)', re.M)

CONFIG = """
[server]
listen = "127.0.0.1:0"
drain_delay = "0s"
[log]
format = "json"
[callers.fuzz]
key_sha256 = "{digest}"
accounts = ["*"]
may = ["read", "delete", "approve", "hold", "admin"]
"""


def say(text):
    print(f"fuzz: {text}", flush=True)


def stop(text):
    say(f"FAILED: {text}")
    sys.exit(1)


class Service:
    """The real binary in a folder of its own."""

    def __init__(self, vodrm, folder):
        self.vodrm, self.folder = vodrm, folder
        made = subprocess.run([vodrm, "key", "new", "fuzz"], capture_output=True, text=True, check=True)
        self.key = made.stdout.split()[0]
        digest = re.search(r'key_sha256 = "(\w+)"', made.stdout)[1]
        (folder / "vodrm.toml").write_text(CONFIG.format(digest=digest))
        self.log = open(folder / "log", "w+", encoding="utf-8")
        command = [vodrm, "serve", "--sandbox", "--config", "vodrm.toml"]
        self.process = subprocess.Popen(
            command, cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log
        )
        self.url = self.address()

    def lines(self):
        return (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def address(self):
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            for line in self.lines():
                if '"message":"serving"' in line:
                    return f"http://{json.loads(line)['addr']}"
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        stop("the service does not start:\n" + "\n".join(self.lines()))

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def counts(self):
        """Requests as the service counted them, by method, route and status."""
        rows = COUNT.findall(self.get("/metrics"))
        return Counter({(method, route, int(status)): int(n) for method, route, status, n in rows})

    def peak_kb(self):
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) if found else 0

    def end(self):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.log.close()
        if code != 0:
            stop(f"the service ended with {code}:\n" + "\n".join(self.lines()[-20:]))
        for line in self.lines():
            if "panicked" in line:
                stop(f"a panic: {line}")
        checked = subprocess.run(
            [self.vodrm, "fsck", "data/vodrm.db"], cwd=self.folder, capture_output=True, text=True, env={}
        )
        if checked.returncode != 0:
            stop(f"fsck: {checked.stdout}{checked.stderr}")


def ask(service, seed, cases, phases):
    command = [
        *[sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")],
        *["run", str(ROOT / "openapi.yaml"), "--url", service.url],
        *["--header", f"Authorization: Bearer {service.key}"],
        # That valid data is accepted is beyond what this schema can say: of some query parameters one
        # must be there, others go with uploads only, a token must be one of ours.
        *["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", phases],
        *["--seed", str(seed), "--max-examples", str(cases), "--no-color"],
    ]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(service.folder),
        "PYTHONPATH": str(HERE),
        # The order of sets in Python would change from run to run.
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCHEMATHESIS_HOOKS": "checks",
    }
    return subprocess.run(
        command, cwd=service.folder, env=environment, capture_output=True, text=True, timeout=ROUND_S
    )


def commit():
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip() or None


def main():
    vodrm, target = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    wanted, seed = int(sys.argv[3]), int(sys.argv[4])
    checks.prove()
    begun = time.monotonic()
    asked, rounds, peak = Counter(), 0, 0
    while sum(asked.values()) < wanted:
        if rounds == MOST_ROUNDS:
            stop(f"only {sum(asked.values())} requests after {rounds} rounds")
        # What the coverage phase asks does not depend on the seed: once is enough.
        is_first = rounds == 0
        phases = "examples,coverage,fuzzing,stateful" if is_first else "fuzzing,stateful"
        cases = CASES["first" if is_first else "further"]
        with tempfile.TemporaryDirectory() as folder:
            service = Service(vodrm, Path(folder))
            try:
                ran = ask(service, seed + rounds, cases, phases)
                service.get("/livez")
                service.get("/readyz")
                counts = service.counts()
                peak = max(peak, service.peak_kb())
                if ran.returncode != 0:
                    print(ran.stdout + ran.stderr)
                    stop(f"seed {seed + rounds}, {sum(counts.values())} requests")
                service.end()
            finally:
                service.process.kill()
        # The two above, and that of the metrics itself is not counted yet.
        counts[("GET", "/livez", 200)] -= 1
        counts[("GET", "/readyz", 200)] -= 1
        asked += counts
        rounds += 1
        say(f"seed {seed + rounds - 1}: {sum(asked.values())} requests, {time.monotonic() - begun:.0f} s")
    total = sum(asked.values())
    by_status = Counter()
    for (_, _, status), n in asked.items():
        by_status[status] += n
    routes = {(method, route) for (method, route, _) in asked if route != "unmatched"}
    report = {
        "commit": commit(),
        "seeds": [seed, seed + rounds - 1],
        "requests": total,
        "statuses": {str(status): by_status[status] for status in sorted(by_status)},
        "routes": len({route for _, route in routes}),
        "cells": len(asked),
        "failures": 0,
        "peak_rss_kb": peak,
        "seconds": round(time.monotonic() - begun, 1),
    }
    folder = target / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "fuzz.json").write_text(json.dumps(report, indent=2) + "\n")
    say(json.dumps(report))


main()
