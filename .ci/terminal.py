#!/usr/bin/env python3
"""Looks at what the tool prints in a real terminal of 80 columns (tmux): nothing may be cut or wrapped by the terminal.

    .ci/terminal.py TOOL [RESULT...]

Runs commands whose output people read, and a run whose progress line is watched as it changes, each in a terminal of its
own. A line that the terminal had to wrap is one that the tool made too long, and its words are broken wherever the edge was.
Exits 1 where there is one, or where a command did not end as it should.
"""

import argparse
import contextlib
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

WIDTH = 80
# Against a program that hangs: an unoptimised one beside tests may take minutes for what it takes seconds for alone.
LIMIT_S = 1200


class Terminal:
    """One terminal in which one command runs; ends with it."""

    def __init__(self, scratch, command, env=""):
        self.socket = scratch / "tmux"
        self.done = scratch / "done"
        self.done.unlink(missing_ok=True)
        # The command's end is told by a file, not on the screen, which shows its output alone. Then it waits to be looked at.
        line = f"{env} {shlex.join(command)}; echo $? > {shlex.quote(str(self.done))}; exec sleep {LIMIT_S}"
        config = scratch / "tmux.conf"
        config.write_text("set -g history-limit 20000\nset -g status off\nset -g default-terminal tmux-256color\n")
        self.tmux("-f", str(config), "new-session", "-d", "-x", str(WIDTH), "-y", "50", "sh", "-c", line)

    def tmux(self, *words, check=True):
        done = subprocess.run(["tmux", "-S", str(self.socket), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if check and done.returncode:
            sys.exit(f"tmux {' '.join(words)}: {done.stderr}")
        return done.stdout

    def code(self):
        """Exit code of the command; None while it runs."""
        text = self.done.read_text() if self.done.exists() else ""
        return int(text) if text.strip() else None

    def shown(self, *, joined):
        """All lines that it shows and has shown; `joined`: those that it wrapped as the one line that they were."""
        return self.tmux("capture-pane", "-p", "-S", "-", *(["-J"] if joined else [])).splitlines()

    def wrapped(self):
        """Lines that it had to wrap."""
        return [line.rstrip() for line in self.shown(joined=True) if len(line.rstrip()) > WIDTH]

    def close(self):
        self.tmux("kill-server", check=False)


@contextlib.contextmanager
def terminal(command, env=""):
    with tempfile.TemporaryDirectory() as scratch:
        opened = Terminal(pathlib.Path(scratch), command, env)
        try:
            yield opened
        finally:
            opened.close()


def watch(command, codes, failures, *, env=""):
    """Runs it to its end, looking at it as it goes. Returns how many different last lines it showed."""
    name = shlex.join(command)
    last, began = set(), time.monotonic()
    with terminal(command, env) as pane:
        wrapped = []
        while pane.code() is None:
            if time.monotonic() - began > LIMIT_S:
                failures.append(f"{name}: no end within {LIMIT_S} s")
                return len(last)
            lines = [line for line in pane.shown(joined=False) if line.strip()]
            last.update(lines[-1:])
            wrapped += pane.wrapped()
            time.sleep(0.1)
        wrapped += pane.wrapped()
        lines = [line for line in pane.shown(joined=False) if line.strip()]
        code = pane.code()
    if code not in codes:
        failures.append(f"{name}: exit code {code}: {' / '.join(lines[-3:])}")
    if not lines:
        failures.append(f"{name}: shows nothing")
    for line in dict.fromkeys(wrapped):
        # A path or an address that is longer than a line is no word that was broken.
        if max(map(len, line.split())) <= WIDTH:
            failures.append(f"{name}: wrapped: {line}")
    print(f"{len(lines):>5} lines  {name}", flush=True)
    return len(last)


# What a run may end with: what it prints is looked at here, not what it is worth beside other work (2: an invalid result).
RUN_CODES = {0, 2, 3}

# What a full screen of a run shows at some time, and the report that stands there when it has gone.
LIVE = ["claiming", "claims/s", "service p50", "service p99", "grants in stock", "CPU of primary 0", "█"]


def watch_live(command, failures):
    """Runs it on a full screen (`--live`): every figure must be shown, no line may be wrapped, and the report comes after it.
    Returns what was never shown."""
    name = shlex.join(command)
    seen, wrapped, began = set(), [], time.monotonic()
    with terminal(command) as pane:
        while pane.code() is None:
            if time.monotonic() - began > LIMIT_S:
                failures.append(f"{name}: no end within {LIMIT_S} s")
                return []
            screen = "\n".join(pane.shown(joined=False))
            seen.update(part for part in LIVE if part in screen)
            wrapped += pane.wrapped()
            time.sleep(0.1)
        after, code = "\n".join(pane.shown(joined=False)), pane.code()
    failures += [f"{name}: wrapped: {line}" for line in dict.fromkeys(wrapped)]
    missing = [part for part in LIVE if part not in seen]
    failures += [f"{name}: never shows {part!r}" for part in missing]
    if code not in RUN_CODES:
        failures.append(f"{name}: exit code {code}: {after[-300:]}")
    if "Service time" not in after or "grants in stock" in after:
        failures.append(f"{name}: the report does not stand alone after it")
    print(f"{len(seen):>5} parts  {name}", flush=True)
    return missing


def helps(tool):
    """Every command's help."""
    out = subprocess.run([tool, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = out.split("Commands:")[1].split("Options:")[0].splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    return [[tool, "--help"], *([tool, name, "--help"] for name in names if name != "help")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("results", nargs="*", help="results, series, sweeps, capacity searches to report")
    parser.add_argument("--without-run", action="store_true", help="only what needs no servers")
    args = parser.parse_args()
    failures = []
    reports = [[args.tool, "report", result] for result in args.results]
    # Not `scenarios show`, which prints a file as it is.
    for command in [*helps(args.tool), [args.tool, "scenarios", "list"], *reports]:
        watch(command, {0}, failures)
    for one, other in zip(args.results, args.results[1:] or args.results[:1]):
        watch([args.tool, "compare", one, other, "--allow-different"], {0, 1, 2, 3}, failures)
    if not args.without_run:
        with tempfile.TemporaryDirectory() as output:
            run = [args.tool, "run", "smoke", "--output", output, "--anyway"]
            changes = watch(run, RUN_CODES, failures)
            if changes < 3:
                failures.append(f"{shlex.join(run)}: its progress line changed {changes} times")
            # A window must last for longer than what lies between two readings of the servers' CPU, and ends with the
            # population: a faster machine gets a longer one.
            for claims in [4_000, 20_000, 80_000, 320_000]:
                long = [f"--set=load.claims={claims}", f"--set=population.executions={claims}"]
                found = []
                if not watch_live([*run, "--live", *long], found):
                    break
            failures += found
    # What must be found: a full screen that is none.
    planted = []
    watch_live(["printf", "no screen\n"], planted)
    if len(planted) <= len(LIVE):
        failures.append(f"a command without a full screen was taken for one: {planted}")
    # What must be found: a line of 200 characters.
    planted = []
    watch(["printf", "%s\n", "long line " * 20], {0}, planted)
    if not planted:
        failures.append("a line of 200 characters was not found to be too long")
    if failures:
        sys.exit("\n".join(["", *failures]))


if __name__ == "__main__":
    main()
