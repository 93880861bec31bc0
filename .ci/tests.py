#!/usr/bin/env python3
"""Runs `cargo test` with these arguments and shows what it prints; tests against real servers that fail get a second try.

.ci/tests.py AGAIN [ARGUMENT...]: the names of those that passed at the second try only are appended to the file AGAIN.

A test of the targets below starts clusters on a machine that other programs share, and may meet a moment in which the machine does
nothing for seconds. It is run once more, alone, and named; it fails where it fails again. Everything else has one try, and so
have more than MOST: that is no moment. A program of tests that prints nothing for SILENT seconds is ended, and what it was at has
failed.
"""

import os
import re
import selectors
import signal
import subprocess
import sys

SECOND_TRY = ("live", "runs", "equipped")
MOST = 3
SILENT = 1200


def children(process: int) -> list[int]:
    return [int(child) for child in open(f"/proc/{process}/task/{process}/children", encoding="ascii").read().split()]


def run(command: list[str]) -> tuple[int, list[str]]:
    text = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        waiting = selectors.DefaultSelector()
        waiting.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not waiting.select(SILENT):
                print(f"--- nothing was printed for {SILENT} s: what runs is ended", flush=True)
                for child in children(process.pid):
                    os.kill(child, signal.SIGKILL)
                continue
            read = os.read(process.stdout.fileno(), 65536)
            if not read:
                break
            sys.stdout.buffer.write(read)
            sys.stdout.flush()
            text += read
    return process.returncode, text.decode(errors="replace").splitlines()


def failures(lines: list[str]) -> dict[str, list[str]]:
    """Tests that failed, by target ("" where it has no name of its own)."""
    found: dict[str, list[str]] = {}
    target, names = "", []
    running: set[str] = set()
    for line in lines:
        if long := re.match(r"test (\S+) has been running for over", line):
            running.add(long.group(1))
        elif ended := re.match(r"test (\S+) +\.\.\. ", line):
            running.discard(ended.group(1))
        if line.startswith("error: test failed") or re.match(r"\s+(Running|Doc-tests) ", line):
            # What was ended says nothing of what it was at.
            if running:
                found.setdefault(target, []).extend(sorted(running))
            running = set()
        if re.match(r"\s+(Running|Doc-tests) ", line):
            named = re.match(r"\s+Running tests/(\w+)(?:/main)?\.rs ", line)
            target, names = named.group(1) if named else "", []
        elif line == "failures:":
            # The last such list of a target is the one of names alone; before it stands what they printed.
            names = []
        elif re.fullmatch(r"    \S+", line):
            names.append(line.strip())
        elif line.startswith("test result: FAILED"):
            found.setdefault(target, []).extend(names)
    return found


def failed_targets(lines: list[str]) -> list[str]:
    """Targets that cargo names as failed, so that one that broke off without a list of its tests is not missed."""
    return [
        named.group(1) if (named := re.search(r"--test (\w+)`", line)) else ""
        for line in lines
        if re.fullmatch(r"    `-p .*`", line) or line.startswith("error: test failed, to rerun pass `")
    ]


def main() -> int:
    again, arguments = sys.argv[1], sys.argv[2:]
    harness = arguments.index("--") if "--" in arguments else len(arguments)
    build = [argument for argument in arguments[:harness] if argument.startswith("-")]
    # Values of options stand behind them; what cargo's own filter or target says is said for each test below.
    if "--features" in arguments:
        build.insert(build.index("--features") + 1, arguments[arguments.index("--features") + 1])
    build = [option for option in build if option not in ("--test", "--lib")]
    # All that fails, not the first alone: a run of CI is long, and only so is every other test known to pass.
    code, lines = run(["cargo", "test", "--no-fail-fast", *arguments])
    if code == 0:
        return 0
    found = failures(lines)
    targets = set(failed_targets(lines))
    tests = [(target, name) for target in targets for name in found.get(target, [])]
    if not targets or not all(target in SECOND_TRY and found.get(target) for target in targets) or len(tests) > MOST:
        return code
    for target, name in tests:
        print(f"\n--- once more, alone: {target} {name}", flush=True)
        code, lines = run(["cargo", "test", *build, "--test", target, "--", "--exact", name])
        if code != 0 or not any(line.startswith("test result: ok. 1 passed") for line in lines):
            return code or 1
        with open(again, "a", encoding="utf-8") as file:
            file.write(f"{target} {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
