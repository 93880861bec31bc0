#!/usr/bin/env python3
"""Shows on this machine whether the headline of `lane-ab` is one that another run would repeat.

    cargo build --release && scripts/headline_trials.py [--set load.claims=20000]

Runs lane-ab eight times as it is by default (threads apart, cores awake) and eight times with both left to the system,
in turns: four runs of each on the machine as it is, three beside a busy loop (on the servers' core, on the generator's,
on either) and one beside a compiler. Prints a table, and writes it with every figure to --output, which belongs in
results/reference/trials/ when the machine was otherwise idle. Exits 1 where a target is missed by the arranged runs:
ratios within 0.03 of each other, the saving in round trips (where results have it) within 6 %, at most one pair of runs
whose intervals do not meet.

With --repeat N each of them is a series of N runs on servers of their own, and the intervals are the series'.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import runs
from cores import physical_cores

ARMS = {"apart, awake": [], "free, free": ["machine.placement=free", "machine.cores=free"]}
BESIDE = ["nothing", "loop on the servers' core", "nothing", "loop on the generator's core", "nothing", "loop anywhere",
          "nothing", "a compiler"]
RATIOS_WITHIN = 0.03
ROUND_TRIPS_WITHIN = 0.06
PAIRS_APART = 1

LOOP = "while True: pass"
PROGRAM = """
use std::collections::BTreeMap;
fn main() { let mut all = BTreeMap::new(); %s println!("{}", all.len()); }
"""


def cores_of(beside):
    """Where a loop runs; None is anywhere. The generator has the last core, its servers the ones before."""
    cores = physical_cores()
    if len(cores) < 2 or "core" not in beside:
        return None
    return set(cores[-2] if "servers" in beside else cores[-1])


def started(command, cpus=None, **kwargs):
    """A child in a process group of its own, so that all that it starts can be ended with it."""
    def place():
        os.setpgid(0, 0)
        if cpus:
            os.sched_setaffinity(0, cpus)
    return subprocess.Popen(command, preexec_fn=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)


def compiler(scratch):
    """A shell that compiles the same program over and over."""
    source = scratch / "busy.rs"
    body = " ".join(f'all.insert({n}u64, format!("{{:?}}", ({n}u8 as char, "{n}")));' for n in range(200))
    source.write_text(PROGRAM % body)
    script = 'while :; do "$1" -O -o "$3" "$2" || exit 1; done'
    return started(["sh", "-c", script, "compile", os.environ.get("RUSTC", "rustc"), str(source), str(scratch / "busy")])


@contextlib.contextmanager
def company(beside):
    """Something else that runs meanwhile, and ends in any case."""
    if beside == "nothing":
        yield
        return
    with tempfile.TemporaryDirectory() as scratch:
        if beside == "a compiler":
            child = compiler(pathlib.Path(scratch))
        else:
            child = started([sys.executable, "-c", LOOP], cores_of(beside))
        try:
            yield
            if child.poll() is not None:
                sys.exit(f"what was to run beside ({beside}) ended by itself with {child.returncode}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def run(args, changes, seed):
    """A run, or a series of them; and a run of it, which says what it was made under."""
    words = [word for change in changes + args.set for word in ("--set", change)]
    if args.repeat:
        words += ["--repeat", args.repeat]
    result = runs.run(args.tool, args.scenario, args.results, "--seed", seed, "--anyway", *words)[1]
    if not args.repeat:
        return result, result
    # A series has a folder of its own.
    of_one = next(args.results.glob(f"*/{result['runs'][0]}/result.json"))
    return result, json.loads(of_one.read_text())


def compared(result, metric):
    """Ratio, difference and the baseline's value of one metric; of a series over all of its runs. None where it has none."""
    named = [c for c in result["comparisons"] if c["metric"] == metric]
    if not named:
        return None, None, None
    one = named[0]
    if "per_run" not in one:
        return one["ratio"], one.get("difference"), one["baseline_value"]
    over_all = one.get("difference") or {}
    return one["ratio"], over_all.get("mean"), over_all.get("baseline_value")


def allowed_for_others(result, metric="service_p50"):
    """Share of the effect by which the interval is wider for what ran beside the run; of a series its mean's."""
    allowed = next((c.get("allowed_for_others") for c in result["comparisons"] if c["metric"] == metric), None)
    return allowed["of_mean"] if isinstance(allowed, dict) else allowed


def figures(result, of_one, arm, beside):
    """One row: the ratio with its interval, the saving in microseconds and in round trips."""
    ratio, difference, base = compared(result, "service_p50")
    conditions = of_one["environment"].get("conditions") or {}
    control = result["control"]
    return {
        "arm": arm,
        "beside": beside,
        "runs": len(result.get("runs", [1])),
        "valid": result["valid"],
        "control_passed": result["control_passed"] if "control_passed" in result else bool(control and control["passed"]),
        "placement": conditions.get("placement", "free"),
        "cores": conditions.get("cores", "free"),
        "awake_by": conditions.get("awake_by"),
        "ratio": ratio,
        "allowed_for_others": allowed_for_others(result),
        "baseline_us": base,
        "saving_us": difference and difference["estimate"],
        "saving_round_trips": compared(result, "service_p50_round_trips")[1],
        "seed": result["seed"],
        "started": of_one["started"],
    }


def line(row):
    ratio = row["ratio"]
    said = f"{ratio['estimate']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]" if ratio else "none"
    saving = f"{row['saving_us']:.1f}" if row["saving_us"] is not None else "-"
    trips = row["saving_round_trips"]
    trips = f"{trips['estimate']:.2f} [{trips['low']:.2f}, {trips['high']:.2f}]" if trips else "-"
    allowed = row["allowed_for_others"]
    remarks = [text for text, wrong in [("INVALID", not row["valid"]), ("control failed", not row["control_passed"]),
                                        (f"wider by {100 * (allowed or 0):.0f} % of the effect", allowed),
                                        (f"really {row['placement']}, {row['cores']}",
                                         f"{row['placement']}, {row['cores']}" != row["arm"])] if wrong]
    base = f"{row['baseline_us']:.1f}" if row["baseline_us"] is not None else "-"
    return (f"{row['arm']:<14} {row['beside']:<30} {said:>22} {base:>9} {saving:>8} {trips:>19}  "
            f"{'; '.join(remarks)}").rstrip()


HEADER = (f"{'conditions':<14} {'beside':<30} {'ratio':>22} {'base us':>9} {'saves us':>8} {'in round trips':>19}")


def spread(values):
    return max(values) - min(values) if values else float("nan")


def apart(intervals):
    """Pairs of intervals that do not meet."""
    return sum(a["low"] > b["high"] or b["low"] > a["high"] for a, b in itertools.combinations(intervals, 2))


def by_itself(row):
    """The ratio's interval without what it allows for programs beside the run."""
    ratio = row["ratio"]
    by = math.exp((row["allowed_for_others"] or 0.0) * abs(math.log(ratio["estimate"])))
    return {"low": ratio["low"] * by, "high": ratio["high"] / by}


def summary(rows):
    """Per arm: how far the runs lie apart. Returns the lines, and what the first arm missed."""
    lines, missed = [], []
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm and row["ratio"]]
        if not own and not any(row["arm"] == arm for row in rows):
            continue
        if not own:
            missed.append(f"{arm}: no ratio")
            continue
        ratios = [row["ratio"]["estimate"] for row in own]
        trips = [row["saving_round_trips"] for row in own if row["saving_round_trips"]]
        savings = [row["saving_us"] for row in own if row["saving_us"] is not None] or [float("nan")]
        ratios_apart = apart([row["ratio"] for row in own])
        text = (f"{arm}: ratios {min(ratios):.3f}-{max(ratios):.3f}, {spread(ratios):.3f} apart; savings "
                f"{min(savings):.1f}-{max(savings):.1f} us; {ratios_apart} pairs of the ratios' intervals apart "
                f"({apart([by_itself(row) for row in own])} without what they allow for others)")
        within, trips_apart = 0.0, 0
        if trips:
            estimates = sorted(trip["estimate"] for trip in trips)
            within, trips_apart = spread(estimates) / estimates[len(estimates) // 2], apart(trips)
            text += (f"; {estimates[0]:.2f}-{estimates[-1]:.2f} round trips, {100 * within:.1f} % apart, {trips_apart} pairs of "
                     "their intervals")
        lines.append(text)
        if arm == next(iter(ARMS)):
            made = sum(row["arm"] == arm for row in rows)
            targets = [("a ratio of each run", len(own) == made), ("round trips of each run", len(trips) == made),
                       ("ratios", spread(ratios) <= RATIOS_WITHIN), ("round trips", within <= ROUND_TRIPS_WITHIN),
                       ("intervals of the ratio", ratios_apart <= PAIRS_APART),
                       ("intervals in round trips", trips_apart <= PAIRS_APART),
                       ("validity", all(row["valid"] and row["control_passed"] for row in own))]
            missed += [f"{arm}: {what}" for what, met in targets if not met]
    return lines, missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--scenario", default="lane-ab")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=0, metavar="N", help="series of N runs, three or more; without: runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results/headline-trials"))
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("headline"),
                        help="where the table goes: OUTPUT.txt and OUTPUT.json")
    parser.add_argument("--arranged-alone", action="store_true", help="leave the runs out that nothing is arranged for")
    args = parser.parse_args()
    # So that what runs beside ends with this.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("ended"))
    table = runs.Table(args.output, HEADER, line)
    for n, beside in enumerate(BESIDE):
        # Which arm is first changes from pair to pair, so that neither always meets the warmer machine.
        order = list(ARMS) if n % 2 == 0 else list(ARMS)[::-1]
        for arm in [arm for arm in order if ARMS[arm] == [] or not args.arranged_alone]:
            with company(beside):
                result, of_one = run(args, ARMS[arm], args.first_seed + n)
            table.add(figures(result, of_one, arm, beside))
    said, missed = summary(table.rows)
    table.close(*said, f"missed: {', '.join(missed)}" if missed else "every target met")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
