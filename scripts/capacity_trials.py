#!/usr/bin/env python3
"""Shows on this machine what the answers of `reclaim-bench capacity` are worth.

    cargo build --release && scripts/capacity_trials.py [--within 8m] [--loop-us 300]

Searches twice on clusters of one kind: the rates must agree within 10 %. Then runs 0.9 x and 1.3 x the found rate for ten
seconds: the first must meet the service level, the second must miss it. Then searches with a busy loop of a known length
planted into every claim: the rate must fall by about the factor by which the CPU of a claim grew, and the limit must be
the servers. Keep the machine idle meanwhile. Every run stays in the output directory. Exits 1 where a target is missed.
"""

import argparse
import json
import pathlib
import sys

import runs
import trials

WINDOW_S = 10  # one stall must not decide


def search(args, *changes):
    _, found = runs.output([args.tool, "capacity", "capacity", "--within", args.within, "--no-usl", "--no-progress",
                            "--format", "json", "--output", args.output, *changes, *args.extra])
    limit = (found["limit"] or {}).get("limit")
    cpu = (found["sizing_basis"] or {}).get("cpu_us_per_claim")
    boundary = (found["boundary"] or {}).get("rate_per_s")
    shown = boundary and f"{boundary['estimate']:.0f} [{boundary['low']:.0f}, {boundary['high']:.0f}]"
    print(f"{found['conclusion']}: {shown}; {found['sustained_per_s']} passed, {found['failed_per_s']} not, limit {limit}, "
          f"{cpu and round(cpu, 1)} us of server CPU per claim, {len(found['probes'])} probes", flush=True)
    if not boundary:
        sys.exit(f"no rate was found: {found['no_boundary'] or found['conclusion']}")
    return boundary["estimate"], limit, cpu


def cores(rate, cpu):
    """Cores that the servers use at the rate: what stays the same where a machine's speed changes."""
    return f"{rate:.0f}/s x {cpu:.1f} us = {rate * cpu / 1e6:.2f} cores"


def response_p99_us(args, rate):
    claims = int(max(30_000, WINDOW_S * rate))
    code, result = runs.run(args.tool, "capacity", args.output, "--rate", rate, "--claims", claims,
                            "--set", f"population.executions={int(2_000 + 1.15 * claims)}", *args.extra)
    p99 = result["variants"][0]["response_us"]["p99"]
    print(f"run at {rate:.0f}/s: exit {code}, response p99 {p99 / 1000:.2f} ms, {result['invalid_reasons']}")
    # What the level is judged by on the way up: an invalid run shows neither.
    return p99 if result["valid"] else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("results/capacity-trials"))
    parser.add_argument("--within", default="8m")
    parser.add_argument("--loop-us", type=float, default=300.0)
    parser.add_argument("--level-us", type=float, default=20_000.0, help="the scenario's service level")
    parser.add_argument("extra", nargs="*", help="further options of the tool, after --")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    missed = []

    def target(good, text):
        print(("met: " if good else "MISSED: ") + text)
        if not good:
            missed.append(text)

    first, _, cpu = search(args)
    second, _, second_cpu = search(args)
    print(f"servers at the rate: {cores(first, cpu)}; {cores(second, second_cpu)}")
    ratio = max(first, second) / min(first, second)
    target(ratio <= 1.10, f"two searches agree within 10 %: {first:.0f} and {second:.0f}, {100 * (ratio - 1):.1f} % apart")
    # Everything else is held against the later search, whose machine is the more like theirs.
    for factor, meets in [(0.9, True), (1.3, False)]:
        p99 = response_p99_us(args, factor * second)
        good = p99 is not None and (p99 <= args.level_us) == meets
        target(good, f"{factor} x the later rate {'meets' if meets else 'misses'} the level")

    slow = args.output / "slowed.lua"
    slow.write_text(trials.slowed(trials.published(), args.loop_us / 1e6))
    slowed, limit, slow_cpu = search(args, "--set", f"library.source={json.dumps(str(slow))}")
    expected, seen = slow_cpu / second_cpu, second / slowed
    target(0.75 <= seen / expected <= 1.33, f"CPU per claim x {expected:.2f}, rate / {seen:.2f}")
    target(limit in ("server", "servers_on_shared_cores"), f"the limit is named {limit}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
