#!/usr/bin/env python3
"""Shows on this machine what the gate's claims are worth: how often it fires on nothing, and on five per cent.

    cargo build --release && scripts/trials.py [--quiet-runs 40] [--slow-runs 20] [--share 0.05]

Runs library-duet with the published library on both sides, then with a busy loop planted into the claim that costs the
given share of its median (measured, not assumed). Keep the machine idle meanwhile. Every run stays in the output
directory. Exits 1 where a target is missed.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import runs

PLACE = "  -- 3. Must be attempt_interrupted (resumed after suspension/delay)\n"
FUNCTION = "'ff_claim_resumed_execution', function"


def published():
    """Source of the library that is built into the tool."""
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
    manifest = next(p["manifest_path"] for p in metadata["packages"] if p["name"] == "ff-script")
    return (pathlib.Path(manifest).parent / "src" / "flowfabric.lua").read_text()


def slowed(source, seconds):
    """The library with a loop of that much CPU time inside every claim."""
    before, after = source.split(FUNCTION, 1)
    head, tail = after.split(PLACE, 1)
    loop = f"  local stop = os.clock() + {seconds:.7f} while os.clock() < stop do end\n"
    return before + FUNCTION + head + loop + PLACE + tail


def run(args, candidate, seed):
    """One gated run: its exit code and its result. --anyway: a noisy run, after which the tool would refuse the next as too
    short, is an inconclusive one and no end of the trial."""
    words = [word for change in args.set for word in ("--set", change)]
    return runs.run(args.tool, args.scenario, args.output, "--gate", "--anyway", "--seed", seed,
                    "--candidate-library", candidate, *words)


def p50(result):
    return next(c for c in result["comparisons"] if c["metric"] == "service_p50")


def series(args, name, candidate, count, first_seed):
    codes, comparisons = [], []
    for n in range(count):
        code, result = run(args, candidate, first_seed + n)
        comparison = p50(result)
        ratio = comparison["ratio"]
        codes.append(code)
        comparisons.append((comparison, {c["verdict"] for c in result["comparisons"]}))
        print(f"{name} {n + 1:3}: exit {code}, p50 {100 * (ratio['estimate'] - 1):+.2f} % "
              f"[{100 * (ratio['low'] - 1):+.2f}, {100 * (ratio['high'] - 1):+.2f}], {comparison['verdict']}, "
              f"control {'passed' if result['control']['passed'] else 'failed'}, {result['duration_s']:.0f} s", flush=True)
    if not comparisons:
        return codes, comparisons
    halves = [(c["ratio"]["high"] - c["ratio"]["low"]) / 2 for c, _ in comparisons]
    print(f"{name}: exits {sorted(codes)}, median half-width {100 * statistics.median(halves):.2f} %")
    return codes, comparisons


def calibrate(args, source, path):
    """Writes the slowed library; returns the share that it was measured to cost."""
    path.write_text(source)
    _, result = run(args, path, 1)
    wanted_us = args.share * p50(result)["baseline_value"]
    seconds = wanted_us / 1e6
    for seed in (2, 3):
        path.write_text(slowed(source, seconds))
        _, result = run(args, path, seed)
        measured = p50(result)["ratio"]["estimate"] - 1
        print(f"a loop of {1e6 * seconds:.1f} us costs {100 * measured:+.2f} % at p50")
        if measured > 0:
            seconds *= args.share / measured
    path.write_text(slowed(source, seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--scenario", default="library-duet")
    parser.add_argument("--quiet-runs", type=int, default=40)
    parser.add_argument("--slow-runs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1_000, help="of the runs with equal libraries")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("trials"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    source = published()
    missed = []

    codes, comparisons = series(args, "same", "published", args.quiet_runs, args.first_seed)
    said = sum(1 for _, verdicts in comparisons if verdicts & {"regression", "improvement"})
    print(f"same: {said} of {len(codes)} say that something differs")
    if said > 3 * args.quiet_runs / 40 or 1 in codes:
        missed.append("false alarms")

    if args.slow_runs == 0:
        sys.exit(f"missed: {', '.join(missed)}" if missed else 0)
    slow = args.output / "slowed.lua"
    calibrate(args, source, slow)
    codes, comparisons = series(args, "slow", slow, args.slow_runs, args.first_seed + 1_000)
    measured = statistics.median(c["ratio"]["estimate"] - 1 for c, _ in comparisons)
    print(f"slow: {codes.count(1)} of {len(codes)} regressions at a measured {100 * measured:+.2f} %")
    if codes.count(1) < 0.9 * args.slow_runs:
        missed.append("regressions not found")
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
