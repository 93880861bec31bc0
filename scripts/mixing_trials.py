#!/usr/bin/env python3
"""Shows on this machine that a comparison with several claims in flight says what each arm alone shows.

At each number in flight: lane-ab once (the comparison), then each arm by itself in turns, several times (what users of that
arm alone would see). The comparison's median must lie within the interval of the single-arm runs, and agree with its own
claims per second by Little's law: ratio of the medians times ratio of the throughputs is one.

    scripts/mixing_trials.py TOOL --output DIR [--in-flight 1 4 16 64] [--turns 6] [--claims 40000] [-- EXTRA...]

Prints one line for each number in flight and writes DIR/mixing.json. Exit code 1: one of them does not hold.
"""
import argparse
import json
import math
import statistics
import sys
from pathlib import Path

import runs

ARMS = ("grant-lane", "hget-lane")
# 97.5th percentiles of Student's t by degrees of freedom, up to nine.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}

SINGLE = """schema = 1
name = "{arm}-alone"
summary = "{arm} with the servers for itself"
[population]
executions = 4000
[load]
mode = "staged"
model = "closed"
concurrency = {in_flight}
claims = {claims}
warmup = 1000
[[variant]]
name = "{arm}"
path = "{arm}"
"""


def run(args, scenario, *options):
    """One run; its result."""
    code, result = runs.run(args.tool, scenario, args.output / "runs", *options, *args.extra)
    if code not in (0, 3):
        sys.exit(f"a run of {scenario} with {' '.join(options)}: exit code {code}")
    return result


def compared(args, in_flight):
    """Median and throughput of the candidate over the baseline, in one run of the comparison."""
    result = run(args, "lane-ab", "--concurrency", str(in_flight), "--claims", str(args.claims), "--anyway",
                 "--set", 'compare.metrics=["service_p50","throughput"]')
    if not result["valid"]:
        sys.exit(f"the comparison at {in_flight} in flight is invalid: {result['invalid_reasons']}")
    ratios = {comparison["metric"]: comparison["ratio"] for comparison in result["comparisons"]}
    return ratios["service_p50"], ratios["throughput"], result["control"]


def alone(args, in_flight):
    """Logarithms of the candidate's median over the baseline's, each of two runs of one arm, the order turning."""
    logs = []
    for turn in range(args.turns):
        medians = {}
        for arm in ARMS if turn % 2 == 0 else reversed(ARMS):
            scenario = args.output / f"{arm}-{in_flight}.toml"
            scenario.write_text(SINGLE.format(arm=arm, in_flight=in_flight, claims=args.claims // 2))
            medians[arm] = run(args, scenario)["variants"][0]["service_us"]["p50"]
        logs.append(math.log(medians["hget-lane"] / medians["grant-lane"]))
    return logs


def interval(logs):
    """Mean and 95 % interval of a ratio from its logarithms."""
    mean = statistics.fmean(logs)
    reach = T[len(logs) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def trial(args, in_flight):
    median, throughput, control = compared(args, in_flight)
    single = interval(alone(args, in_flight))
    little = median["estimate"] * throughput["estimate"]
    # As far as the two ratios are known, of which each is uncertain by itself.
    slack = max(0.02, math.hypot(*(math.log(one["high"] / one["low"]) / 2 for one in (median, throughput))))
    within = single[1] <= median["estimate"] <= single[2]
    agrees = abs(math.log(little)) <= slack
    print(f"{in_flight:>3} in flight: compared {median['estimate']:.3f} [{median['low']:.3f}, {median['high']:.3f}], alone "
          f"{single[0]:.3f} [{single[1]:.3f}, {single[2]:.3f}] {'agree' if within else 'DIFFER'}; throughput "
          f"{throughput['estimate']:.3f}, median x throughput {little:.3f} {'as it must be' if agrees else 'WRONG'}; control "
          f"{'passed' if control['passed'] else 'known too badly for a verdict, or failed'}",
          flush=True)
    return {"in_flight": in_flight, "median": median, "throughput": throughput, "control": control, "alone": single,
            "within": within, "agrees": agrees}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--turns", type=int, default=6, choices=range(2, 11))
    parser.add_argument("--claims", type=int, default=40_000)
    parser.add_argument("extra", nargs="*", help="further options of every run, after --")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    trials = [trial(args, in_flight) for in_flight in args.in_flight]
    (args.output / "mixing.json").write_text(json.dumps(trials, indent=1) + "\n")
    sys.exit(0 if all(one["within"] and one["agrees"] for one in trials) else 1)


if __name__ == "__main__":
    main()
