#!/usr/bin/env python3
"""The generator next to valkey-benchmark, on one server, in turns.

    cargo build --release
    VALKEY_BENCHMARK=/usr/bin/valkey-benchmark VALKEY_SERVER=/usr/bin/valkey-server scripts/side-by-side.py

Their median comes in steps of 8 us, their mean does not: with one in flight 1 / (requests/s) is compared, between
neighbours, several times in a round.

Starts one local server with the function library, then measures in random order, round by round, what each program
reaches with `FCALL ff_version 0`, a function that does nothing, and what a real claim with 64 in flight costs the
generator's thread and the server. Prints medians over the rounds next to what is wanted of the generator and exits 1
where a target is missed. Wants an idle machine.

Both programs work under the same conditions, which are printed: on one core, the server on another, and both cores kept
awake, as runs do by default; --placement free and --cores free leave either to the system.
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile

from cores import physical_cores

MOST_OVERHEAD = 1.10
# Of what a claim costs the servers.
MOST_SHARE = 0.20
MULTIPLEXED_GAIN = 3.0
FLAT = 1.20
SEND_LAG_US = 100.0
WORKERS = [8, 64, 512, 4096]


def server_process(node):
    """Process id of the server at host:port, as it says itself."""
    host, port = node.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as link:
        link.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
        text = b""
        while b"process_id:" not in text or b"\r\n" not in text.split(b"process_id:")[1]:
            more = link.recv(4096)
            if not more:
                sys.exit(f"{node} does not say its process id")
            text += more
    return int(text.split(b"process_id:")[1].split()[0])


@contextlib.contextmanager
def conditions(args, node):
    """Puts the server on its core and keeps cores awake, for whichever program is measured."""
    cores = physical_cores()
    args.client_on = None
    if len(cores) < 2 and (args.placement, args.cores) != ("free", "free"):
        print("one core: threads run where the scheduler puts them, and it may sleep", file=sys.stderr)
        args.placement = args.cores = "free"
    if args.placement == "apart":
        args.client_on = {cores[-1][0]}
        server = server_process(node)
        for task in os.listdir(f"/proc/{server}/task"):
            os.sched_setaffinity(int(task), set(cores[-2]))
    helper = None
    if args.cores == "awake":
        awake = ",".join(str(core[0]) for core in (cores if args.placement == "free" else cores[-2:]))
        helper = subprocess.Popen([args.tool, "keep-awake", awake], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if helper.stdout.readline().strip() != b"ready":
            sys.exit("cores cannot be kept awake; leave them alone with --cores free")
        helper.stdin.write(b"1")
        helper.stdin.flush()
    try:
        yield
    finally:
        if helper:
            # Its input ends, and so does it.
            helper.communicate()


def theirs(args, node, connections, requests):
    """Requests per second, median in us and client CPU in us per request of valkey-benchmark."""
    host, port = node.rsplit(":", 1)
    command = [args.benchmark, "-h", host, "-p", port, "-c", str(connections), "-n", str(requests), "--csv"]
    child = subprocess.Popen(
        [*command, "FCALL", "ff_version", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: args.client_on and os.sched_setaffinity(0, args.client_on)
    )
    out, err = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    rows = list(csv.DictReader(line for line in out.splitlines() if line.startswith('"')))
    if status != 0 or len(rows) != 1:
        sys.exit(f"valkey-benchmark failed: {out}{err}")
    cpu = (usage.ru_utime + usage.ru_stime) / requests
    return {
        "per_sec": float(rows[0]["rps"]),
        "p50_us": 1e3 * float(rows[0]["p50_latency_ms"]),
        "cpu_us": 1e6 * cpu,
    }


def calibrate(args, node, output, *options):
    """One narrowed calibration, as JSON."""
    # The server's core and the cores' sleep are arranged already.
    command = [args.tool, "calibrate", "--nodes", node, "--format", "json", "--quiet", "--output", output,
               "--placement", args.placement, "--cores", "free"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"calibrate failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def ours(args, node, output, connections, in_flight):
    options = ["--only", "levels", "--connections", str(connections), "--in-flight", str(in_flight)]
    level = calibrate(args, node, output, *options)["level_summaries"][0]
    return {
        "per_sec": level["per_sec"],
        "p50_us": level["service_us"]["p50"],
        "cpu_us": level["client_cpu_us"],
    }


def cpu_by_workers(args, node, output):
    options = ["--only", "levels", "--connections", "1", "--in-flight", ",".join(map(str, WORKERS))]
    levels = calibrate(args, node, output, *options)["level_summaries"]
    return {f"cpu_us_{level['in_flight']}": level["client_cpu_us"] for level in levels}


def send_lag(args, node, output):
    cells = calibrate(args, node, output, "--only", "send-lag", "--rates", "1000")["send_lag_summaries"]
    return {f"p99_us_{cell['arrivals']}": cell["send_lag_us"]["p99"] for cell in cells}


CLAIMS = """\
schema = 1
name = "real-claims"
summary = "claims of one variant, 64 in flight"
[population]
executions = 20000
lanes = 4
[load]
mode = "staged"
model = "closed"
concurrency = 64
claims = 20000
warmup = 1000
[[variant]]
name = "grant-lane"
path = "grant-lane"
"""


def real_claims(args, node, output):
    """CPU in us per claim of the generator's thread and of the server's main thread, both over the same window."""
    scenario = pathlib.Path(output) / "real-claims.toml"
    scenario.write_text(CLAIMS)
    command = [args.tool, "run", scenario, "--nodes", node, "--no-progress", "--quiet", "--anyway", "--format", "json",
               "--output", output, "--set", f"machine.placement={args.placement}", "--set", "machine.cores=free"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode not in {0, 3}:
        sys.exit(f"the run of real claims failed: {done.stdout[-2000:]}{done.stderr}")
    result = json.loads(done.stdout)
    variant, generator = result["variants"][0], result["generator"]
    claimed = variant["outcomes"]["claimed"]
    return {
        "real_per_sec": claimed / generator["window_s"],
        "generator_us": 1e6 * generator["thread_cpu_s"] / claimed,
        "server_us": variant["server"]["main_thread_cpu_us_per_claim"],
    }


# Neighbours in each round: the host's speed changes from minute to minute, and what is compared shall share it.
PAIR = ("valkey-benchmark, 1 in flight", "reclaim-bench, 1 in flight")
PAIRS_PER_ROUND = 4


def measure(args, node, output):
    """What every cell measured, by cell and round; of the pair, several in a round."""
    cells = {
        "valkey-benchmark, 64 in flight, 64 connections": lambda: theirs(args, node, 64, args.requests),
        "reclaim-bench, 64 in flight, 64 connections": lambda: ours(args, node, output, 64, 64),
        "reclaim-bench, 64 in flight, 1 connection": lambda: ours(args, node, output, 1, 64),
        "valkey-benchmark, 1 in flight": lambda: theirs(args, node, 1, args.requests // 4),
        "reclaim-bench, 1 in flight": lambda: ours(args, node, output, 1, 1),
        "workers": lambda: cpu_by_workers(args, node, output),
        "send lag": lambda: send_lag(args, node, output),
        "claims": lambda: real_claims(args, node, output),
    }
    rounds = {name: [] for name in cells}
    order = random.Random(args.seed)
    turns = [(name,) for name in cells if name not in PAIR] + [PAIR] * PAIRS_PER_ROUND
    for number in range(args.rounds):
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
        for turn in order.sample(turns, len(turns)):
            for name in order.sample(turn, len(turn)):
                rounds[name].append(cells[name]())
    return rounds


def middles(rounds):
    """Medians over the rounds, by cell."""
    return {
        name: {key: statistics.median(r[key] for r in measured) for key in measured[0]}
        for name, measured in rounds.items()
    }


def verdicts(rounds, medians):
    """What is wanted, what was measured, whether that is it."""
    their, equal = [medians[f"{who}, 64 in flight, 64 connections"] for who in ("valkey-benchmark", "reclaim-bench")]
    multiplexed = medians["reclaim-bench, 64 in flight, 1 connection"]
    growth = [medians["workers"][f"cpu_us_{n}"] for n in WORKERS]
    lag = max(medians["send lag"].values())
    gain = equal["per_sec"] / their["per_sec"]
    yield "throughput at equal connections, over theirs", ">= 1.00", f"{gain:.2f}", gain >= 1
    gain = multiplexed["per_sec"] / their["per_sec"]
    wanted = f">= {MULTIPLEXED_GAIN:.2f}"
    yield "throughput on 1 connection, over theirs on 64", wanted, f"{gain:.2f}", gain >= MULTIPLEXED_GAIN
    # What a round trip took on average: their median comes in steps of 8 us.
    over = statistics.median(their["per_sec"] / our["per_sec"] for their, our in zip(*(rounds[name] for name in PAIR)))
    yield "a round trip with one in flight, over theirs (neighbours)", f"<= {MOST_OVERHEAD:.2f}", f"{over:.2f}", over <= MOST_OVERHEAD
    # It falls while more requests share a write; what must not be is that it grows with the workers.
    grown = max(growth) / growth[0]
    what = f"CPU per no-op with {WORKERS[-1]:,} workers or fewer, over that of {WORKERS[0]}"
    yield what, f"<= {FLAT:.2f}", f"{grown:.2f}", grown <= FLAT
    yield "send lag p99 at 1,000/s, us", f"< {SEND_LAG_US:.0f}", f"{lag:.0f}", lag < SEND_LAG_US
    share = medians["claims"]["generator_us"] / medians["claims"]["server_us"]
    yield "generator's CPU per real claim, over the server's", f"<= {MOST_SHARE:.2f}", f"{share:.2f}", share <= MOST_SHARE


def show(args, rounds):
    """Prints everything; returns how many targets were missed."""
    medians = middles(rounds)
    threads = "apart, both clients on one core" if args.placement == "apart" else "where the scheduler put them"
    cores = "kept awake" if args.cores == "awake" else "could sleep"
    print(f"conditions, for both programs: threads {threads}; cores {cores}\n")
    print(f"{'median over rounds':<48} {'requests/s':>11} {'p50 us':>8} {'client CPU us':>14}")
    for name, cell in medians.items():
        if "per_sec" in cell:
            print(f"{name:<48} {cell['per_sec']:>11,.0f} {cell['p50_us']:>8.1f} {cell['cpu_us']:>14.2f}")
    workers = ", ".join(f"{n}: {medians['workers'][f'cpu_us_{n}']:.2f}" for n in WORKERS)
    print(f"client CPU per no-op by virtual workers, 1 connection (us)   {workers}")
    lag = ", ".join(f"{key.removeprefix('p99_us_')}: {value:.0f}" for key, value in medians["send lag"].items())
    print(f"send lag p99 at 1,000/s (us)   {lag}")
    claims = medians["claims"]
    print(f"real claims, 64 in flight   {claims['real_per_sec']:,.0f}/s, the generator's thread {claims['generator_us']:.1f} us, "
          f"the server {claims['server_us']:.1f} us of CPU per claim\n")
    missed = 0
    print(f"{'target':<66} {'wanted':>8} {'measured':>9}")
    for what, wanted, measured, met in verdicts(rounds, medians):
        missed += not met
        print(f"{what:<66} {wanted:>8} {measured:>9}  {'met' if met else 'MISSED'}")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--benchmark", default=os.environ.get("VALKEY_BENCHMARK", "valkey-benchmark"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--placement", choices=["apart", "free"], default="apart")
    parser.add_argument("--cores", choices=["awake", "free"], default="awake")
    args = parser.parse_args()
    args.tool = str(pathlib.Path(args.tool).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        # A state of its own: a cluster that the user has up stays as it is.
        os.environ["XDG_STATE_HOME"] = scratch
        up = [args.tool, "cluster", "up", "--primaries", "1"]
        node = subprocess.run(up, capture_output=True, text=True, check=False)
        if node.returncode != 0:
            sys.exit(f"no server: {node.stderr}")
        try:
            with conditions(args, node.stdout.strip()):
                rounds = measure(args, node.stdout.strip(), scratch)
        finally:
            subprocess.run([args.tool, "cluster", "down"], capture_output=True, check=True)
    sys.exit(1 if show(args, rounds) else 0)


if __name__ == "__main__":
    main()
