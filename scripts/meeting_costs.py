#!/usr/bin/env python3
"""What it costs 2, 4 and 8 generators on this machine to meet, by what goes over the server on which they do (MONITOR).

    cargo build --release && scripts/meeting_costs.py -- --concurrency 64 --claims 4000

First what a message costs the server's main thread with 1 to 511 who hear it. Then for each number of generators: the time from
the last `ready` to `begin` (all are silent, the counters are read) and from the last `done` to `closed` (the counters once more),
the shortest of all windows, since in others the leader itself came last; the time in which the leader takes all records, the
size of one as it goes over the cluster, and the largest message. docs/scale.md quotes them.
"""

import argparse
import json
import os
import pathlib
import re
import selectors
import socket
import subprocess
import tempfile
import threading

# Sent for each number of listeners.
MESSAGES = 300
CHANNEL = b"ff:reclaim-bench:{rendezvous:"
LINE = re.compile(rb'^\+(\d+\.\d+) \[[^\]]*\] "(\w+)" "([^"]*)"(?: "(.*)")?$', re.DOTALL)
ESCAPED = re.compile(rb"\\x[0-9a-f]{2}|\\.", re.DOTALL)


class Watch(threading.Thread):
    """What MONITOR of a server says of the rendezvous, until the server or this is closed."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.seen = []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"MONITOR\r\n")
        self.start()

    def run(self):
        rest = b""
        while True:
            try:
                read = self.socket.recv(1 << 20)
            except OSError:
                return
            if not read:
                return
            *lines, rest = (rest + read).split(b"\r\n")
            for line in lines:
                parsed = LINE.match(line) if CHANNEL in line else None
                if parsed:
                    self.seen.append((float(parsed[1]), parsed[2].upper(), ESCAPED.sub(b"_", parsed[4] or b""),
                                      (parsed[4] or b"").replace(b'\\"', b'"')))


def name(text):
    """In a word, what a message says."""
    said = json.loads(text)
    said = said["says"] if isinstance(said, dict) and "says" in said else said
    return said if isinstance(said, str) else next(iter(said))


def figures(seen):
    """Of all that was seen in one run."""
    last, spans, sizes, pieces = {}, {"begin": [], "closed": [], "received": []}, [], []
    before = {"begin": "ready", "closed": "done", "received": "taken"}
    for at, command, size, text in sorted(seen):
        if command == b"RPUSH":
            pieces.append(len(size))
        elif command == b"LPOP":
            last.setdefault("taken", at)
        elif command == b"SPUBLISH":
            sizes.append(len(size))
            said = name(text)
            last[said] = at
            if said in before:
                spans[said].append(1e3 * (at - last[before[said]]))
    return spans, sizes, pieces


def ask(connection, *words):
    """A command, and the beginning of what comes back."""
    words = [word.encode() for word in words]
    connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    return connection.recv(1 << 16)


def fan_out(port, counts):
    """What a message costs the server's main thread with so many who hear it: a line for each count."""
    def cpu():
        info = ask(own, "INFO", "cpu").decode()
        return sum(float(re.search(rf"used_cpu_{kind}_main_thread:([\d.]+)", info)[1]) for kind in ("user", "sys"))

    address, ended = ("127.0.0.1", port), threading.Event()
    own, listening = socket.create_connection(address), selectors.DefaultSelector()
    channel = next(name for name in map(str, range(1000)) if not ask(own, "SPUBLISH", name, "").startswith(b"-MOVED"))

    def hear():
        while not ended.is_set():
            for key, _ in listening.select(0.1):
                key.fileobj.recv(1 << 16)

    hears = threading.Thread(target=hear)
    hears.start()
    try:
        for count in counts:
            while len(listening.get_map()) < count:
                connection = socket.create_connection(address)
                ask(connection, "SSUBSCRIBE", channel)
                listening.register(connection, selectors.EVENT_READ)
            before = cpu()
            for _ in range(MESSAGES):
                ask(own, "SPUBLISH", channel, "x" * 500)
            print(f"{count:>9}  {1e6 * (cpu() - before) / MESSAGES:>14.1f}", flush=True)
    finally:
        ended.set()
        hears.join()


def watched(tool, nodes, of, scratch, args):
    """A run of so many generators, and its line."""
    watches = [Watch(int(port)) for port in dict.fromkeys(nodes)]
    # What watches is somebody else for the tool, so the run is invalid (2); nothing of it is judged here.
    ran = subprocess.run(
        [tool, "run", args.scenario, "--nodes", f"127.0.0.1:{nodes[0]}", "--generators", str(of), "--anyway",
         "--no-progress", "--quiet", "--output", f"{scratch}/results", *args.extra],
        capture_output=True, text=True)
    for watch in watches:
        watch.socket.close()
    spans, sizes, pieces = figures([one for watch in watches for one in watch.seen])
    if not spans["received"]:
        raise SystemExit(f"{of} generators handed nothing over: exit code {ran.returncode}\n{ran.stderr}")
    return (f"{of:>10}  {len(spans['begin']):>7}  {min(spans['begin']):>14.1f}  {min(spans['closed']):>14.1f}  "
            f"{spans['received'][0]:>21.1f}  {sum(pieces) // (of - 1):>16,}  {max(sizes):>15,}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, default="target/release/reclaim-bench")
    parser.add_argument("--generators", default="2,4,8")
    parser.add_argument("--subscribers", default="1,7,63,511")
    parser.add_argument("--scenario", default="lane-ab")
    parser.add_argument("extra", nargs="*", help="further options of every run, after --")
    args = parser.parse_args()
    tool = args.tool.resolve()
    numbers = lambda text: [int(number) for number in text.split(",") if number]
    with tempfile.TemporaryDirectory() as scratch:
        # A cluster of its own, beside one that the user has.
        environment = {**os.environ, "XDG_STATE_HOME": scratch}
        up = subprocess.run([tool, "cluster", "up"], check=True, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            nodes = re.findall(r"127\.0\.0\.1:(\d+)", up.stdout)
            print("listeners  CPU of a message us", flush=True)
            fan_out(int(nodes[0]), numbers(args.subscribers))
            print("generators  windows  ready-begin ms  done-closed ms  taking the records ms  a record (bytes)  largest message")
            for of in numbers(args.generators):
                print(watched(tool, nodes, of, scratch, args), flush=True)
        finally:
            subprocess.run([tool, "cluster", "down"], check=True, env=environment, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
