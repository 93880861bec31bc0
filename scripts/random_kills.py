#!/usr/bin/env python3
"""Ends runs at random moments and looks at what they leave behind: servers, containers, directories, keys, results.

    cargo build --release && scripts/random_kills.py [--kills 100] [--providers local,external,container] [--image NAME]

For each provider one run is left alone, to learn how long it takes; each of the others gets INT, TERM, HUP or KILL at
a moment drawn evenly from that time, so that every phase has its share. Wanted of each:

- no process that it started lives on, and no container;
- INT, TERM and HUP leave no directory and no key; after KILL the next start removes the directories, and `clean` the
  keys of a cluster that is not the tool's own;
- its result is absent, marked as partial, or whole.

Prints a line for each kill and exits 1 if something was left. Everything is bounded: `--limit` seconds in all, and each
wait. What it starts listens on 127.0.0.1, bears a mark in its environment, and is ended at the end.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

MARK = "RANDOM_KILLS_MARK"
# Seconds each on an idle machine.
WHOLE_WAIT = 600.0
END_WAIT = 90.0
SETTLE_WAIT = 20.0


class Place:
    """Where runs happen: one provider, with directories of its own."""

    def __init__(self, args, provider, scratch):
        self.args, self.provider = args, provider
        self.root = pathlib.Path(scratch) / provider
        self.temp, self.state, self.output = (self.root / name for name in ("tmp", "state", "results"))
        for folder in (self.temp, self.state):
            folder.mkdir(parents=True)
        self.mark = str(uuid.uuid4())
        self.nodes = None

    def environment(self, mark):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECLAIM_BENCH_")}
        return {**kept, MARK: mark, "TMPDIR": str(self.temp), "XDG_STATE_HOME": str(self.state)}

    def tool(self, *arguments, **options):
        done = subprocess.run([self.args.tool, *arguments], env=self.environment(self.mark), text=True, timeout=END_WAIT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def __enter__(self):
        if self.provider == "external":
            code, out, err = self.tool("cluster", "up", "--primaries", "3", *self.server())
            if code != 0:
                sys.exit(f"no cluster to run on: {err}")
            self.nodes = out
        return self

    def __exit__(self, *_):
        if self.nodes:
            self.tool("cluster", "down")

    def server(self):
        return ["--valkey-server", self.args.valkey_server] if self.args.valkey_server else []

    def command(self, output):
        where = {
            "local": ["--provider", "local", *self.server()],
            "external": ["--nodes", self.nodes or ""],
            "container": ["--provider", "container", "--image", self.args.image or ""],
        }[self.provider]
        changes = [word for change in self.args.set for word in ("--set", change)]
        return [self.args.tool, "run", self.args.scenario, "--no-progress", "--output", str(output), *where, *changes]

    def start(self, output, mark):
        return subprocess.Popen(self.command(output), env=self.environment(mark), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def directories(self):
        return {entry.name for entry in self.temp.iterdir()}

    def keys(self):
        """Keys on a cluster that is not the run's own."""
        return sum(int(ask(node, "DBSIZE")) for node in self.nodes.split(",")) if self.nodes else 0


def ask(node, command):
    """One inline command, its one-line reply without the sign in front."""
    host, port = node.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.makefile().readline().strip()[1:]


def marked(mark):
    """Processes with the mark in their environment."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def containers(image):
    if not image:
        return set()
    listed = subprocess.run(["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", f"ancestor={image}"],
                            capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def wait_for(settled, limit):
    """Waits until `settled` returns nothing; returns what it returned last."""
    end = time.monotonic() + limit
    while (left := settled()) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def result(output):
    """What a run stored: its kind, and what is wrong with it."""
    folders = list(output.iterdir()) if output.exists() else []
    if not folders:
        return "absent", None
    if len(folders) > 1:
        return "several", "several result directories"
    whole, partial = (folders[0] / name for name in ("result.json", "result.partial.json"))
    torn = [entry.name for entry in folders[0].iterdir() if entry.suffix in (".tmp", ".part")]
    try:
        if whole.exists():
            stored = json.loads(whole.read_text())
            return ("partial" if stored["partial"] else "whole"), None
        if partial.exists():
            return "copy", None if json.loads(partial.read_text())["partial"] else "a copy that is not marked"
    except (ValueError, KeyError) as error:
        return "damaged", f"a damaged result: {error}"
    return "empty", f"an unfinished file: {torn}" if torn else None


def reasons(output):
    """Why the result that a run stored is not valid, if it stored one."""
    for file in output.glob("*/result.json"):
        with contextlib.suppress(ValueError):
            return f": {json.loads(file.read_text()).get('invalid_reasons')}"
    return ""


def end(process, limit=END_WAIT):
    """Its exit code, or `None` if it had to be killed."""
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def kill(place, moment, number, sent):
    """One run and its end: a row of the table, and what is wrong."""
    mark, output = str(uuid.uuid4()), place.output / str(number)
    before, running = place.directories(), containers(place.args.image)
    process = place.start(output, mark)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    over = process.poll() is not None
    process.send_signal(sent)
    begun = time.monotonic()
    # Not before: to the run this is somebody else's command, and one that is measuring would be invalid for it.
    keys = None if over else place.keys()
    code = end(process)
    took = time.monotonic() - begun
    wrong = []
    if code is None:
        wrong.append(f"did not end within {END_WAIT:.0f} s")
    elif not over and code not in (130, -sent, 0, 1, 3):
        wrong.append(f"exit code {code}{reasons(output)}")
    if left := wait_for(lambda: marked(mark), SETTLE_WAIT):
        wrong.append(f"processes {left} live on")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if left := wait_for(lambda: containers(place.args.image) - running, SETTLE_WAIT):
        wrong.append(f"{len(left)} containers are left")
        subprocess.run(["docker", "rm", "--force", *left], capture_output=True, check=False)
    if sent != signal.SIGKILL and (left := place.directories() - before):
        wrong.append(f"directories are left: {', '.join(sorted(left))}")
    wrong += keys_left(place, sent)
    kind, damage = result(output)
    wrong += [damage] if damage else []
    if kind == "empty" and sent != signal.SIGKILL:
        wrong.append("an empty result directory is left")
    shutil.rmtree(output, ignore_errors=True)
    return code, took, keys, kind, wrong


def keys_left(place, sent):
    """What is wrong with the keys of a cluster that is not the run's own; `clean` may remove those of a killed run."""
    if not place.nodes or not (left := place.keys()):
        return []
    wrong = [] if sent == signal.SIGKILL else [f"{left} keys are left"]
    end = time.monotonic() + SETTLE_WAIT
    # A run that was killed counts as alive until its heartbeat has run out.
    while place.keys() and time.monotonic() < end:
        code, _, err = place.tool("clean", "--nodes", place.nodes)
        if place.keys():
            said = f"{code}: {err.splitlines()[-1] if err else ''}"
            time.sleep(1)
    if left := place.keys():
        wrong.append(f"clean leaves {left} keys ({said})")
        for node in place.nodes.split(","):
            ask(node, "FLUSHALL")
    return wrong


def undisturbed(place):
    """Seconds that a whole run takes."""
    output = place.output / "whole"
    begun = time.monotonic()
    process = place.start(output, place.mark)
    code = end(process, WHOLE_WAIT)
    took = time.monotonic() - begun
    if code not in (0, 2, 3):
        sys.exit(f"{' '.join(place.command(output))} ended with {code}")
    shutil.rmtree(output, ignore_errors=True)
    return took


def kills(place, count, order, deadline):
    """All kills of one provider; the number of those that left something, and how many there were."""
    whole = undisturbed(place)
    print(f"{place.provider}: a whole run takes {whole:.1f} s", flush=True)
    faults = made = 0
    kinds = collections.Counter()
    late = 0
    # All signals equally often, in random order.
    chosen = place.args.signals
    signals = [sent for _ in range(count) for sent in order.sample(chosen, len(chosen))]
    for number, sent in enumerate(signals[:count]):
        if time.monotonic() > deadline:
            print(f"{place.provider}: out of time after {made} of {count} kills")
            break
        share = order.random()
        code, took, keys, kind, wrong = kill(place, share * whole, number, sent)
        made, faults, late = made + 1, faults + bool(wrong), late + (keys is None)
        kinds[kind] += 1
        print(f"{place.provider:<10}{number + 1:>4}  {sent.name:<8}{100 * share:>5.0f} %  exit {code!s:>5}  "
              f"{took:>6.2f} s  {'over' if keys is None else f'{keys} keys' if keys else '':>12}  {kind:<8}  {'; '.join(wrong) or 'nothing left'}",
              flush=True)
    # The next start sweeps what killed runs had to leave.
    undisturbed(place)
    if left := place.directories():
        faults += 1
        print(f"{place.provider}: directories stay even after the next start: {', '.join(sorted(left))}")
    print(f"{place.provider}: {made} kills, {late} of them after the end, {faults} left something; results: "
          f"{', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}\n", flush=True)
    return faults, made


def main():
    # Under nohup it is ignored, by the runs as well: they inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--scenario", default="smoke")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the scenario")
    parser.add_argument("--kills", type=int, default=100, help="in all, over the providers")
    parser.add_argument("--providers", default="local,external,container")
    parser.add_argument("--signals", default="INT,TERM,HUP,KILL")
    parser.add_argument("--image", help="a container image with valkey-server (.ci/build-image.sh makes one)")
    parser.add_argument("--valkey-server", default=os.environ.get("VALKEY_SERVER"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3_600.0, help="seconds in all")
    args = parser.parse_args()
    args.signals = [signal.Signals[f"SIG{name}"] for name in args.signals.split(",")]
    args.tool = str(pathlib.Path(args.tool).resolve())
    providers = args.providers.split(",")
    if "container" in providers and not args.image:
        sys.exit("--image names the image for the container provider; or --providers local,external")
    order = random.Random(args.seed)
    deadline = time.monotonic() + args.limit
    print(f"seed {args.seed}")
    print(f"{'provider':<10}{'no.':>4}  {'signal':<8}{'at':>7}  {'exit':>10}  {'ended in':>8}  {'keys then':>12}  result")
    faults = made = 0
    with tempfile.TemporaryDirectory() as scratch:
        for index, provider in enumerate(providers):
            share = args.kills // len(providers) + (index < args.kills % len(providers))
            with Place(args, provider, scratch) as place:
                found, done = kills(place, share, order, deadline)
            faults, made = faults + found, made + done
    print(f"{made} kills, {faults} left something")
    sys.exit(1 if faults or made < args.kills else 0)


if __name__ == "__main__":
    main()
