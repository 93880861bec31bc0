#!/usr/bin/env python3
"""What keeping cores awake costs a claim by itself: ways of doing it, in turns, in one go.

    cargo build --release && scripts/awake_costs.py [--rounds 5] [--set load.claims=6000]

Runs lane-ab with threads apart and cores left alone, and keeps the cores awake from outside: not at all, by threads that
spin with the processor's pause hint, by threads that spin without it, and by /dev/cpu_dma_latency where that may be
opened. Prints medians over the rounds, and each over the first: the median claim (which contains what waking a core
takes), and the CPU that a claim costs the generator's thread and the servers (which does not, so a way that takes from
them shows there).
"""

import argparse
import contextlib
import os
import random
import statistics
import struct
import subprocess
import sys

import runs

WAYS = ["may sleep", "spinning with the hint", "spinning without it", "latency limit"]


@contextlib.contextmanager
def awake(args, way):
    if way == "latency limit":
        with open("/dev/cpu_dma_latency", "wb", buffering=0) as limit:
            limit.write(struct.pack("i", 0))
            yield
        return
    if way == "may sleep":
        yield
        return
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    options = ["--without-hint"] if "without" in way else []
    helper = subprocess.Popen([args.tool, "keep-awake", cores, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if helper.stdout.readline().strip() != b"ready":
            sys.exit("no thread can spin here")
        helper.stdin.write(b"1")
        helper.stdin.flush()
        yield
    finally:
        helper.communicate()


def run(args, seed):
    changes = ["machine.placement=apart", "machine.cores=free", *args.set]
    words = [word for change in changes for word in ("--set", change)]
    # --anyway: a few claims do, for nothing is judged here.
    _, result = runs.run(args.tool, "lane-ab", args.output, "--anyway", "--seed", seed, *words)
    first = result["variants"][0]
    claims = sum(second["claimed"] for second in result["timeline"])
    return {
        "claim p50, us": first["service_us"]["p50"],
        "generator CPU per claim, us": 1e6 * result["generator"]["thread_cpu_s"] / claims,
        "server CPU per claim, us": first["server"]["main_thread_cpu_us_per_claim"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", default="results/awake-costs")
    args = parser.parse_args()
    ways = [way for way in WAYS if way != "latency limit" or os.access("/dev/cpu_dma_latency", os.W_OK)]
    measured = {way: [] for way in ways}
    order = random.Random(args.seed)
    for number in range(args.rounds):
        for way in order.sample(ways, len(ways)):
            with awake(args, way):
                measured[way].append(run(args, args.seed + number))
            print(f"round {number + 1}, {way}: {measured[way][-1]}", file=sys.stderr, flush=True)
    names = list(next(iter(measured.values()))[0])
    print(f"{'cores':<24}" + "".join(f"{name:>36}" for name in names))
    for way in ways:
        middle = [statistics.median(run[name] for run in measured[way]) for name in names]
        # Turns of one round are held against each other: the machine's speed changes from round to round.
        over = [statistics.median(a[name] / b[name] for a, b in zip(measured[way], measured[ways[0]])) for name in names]
        print(f"{way:<24}" + "".join(f"{value:>28.1f} ({share:.3f})" for value, share in zip(middle, over)))


if __name__ == "__main__":
    main()
