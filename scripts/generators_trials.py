#!/usr/bin/env python3
"""One load by 1, 2 and 4 generators, in turns: what making one run of several costs, and whether its answer is the same.

    cargo build --release && scripts/generators_trials.py --output results/reference/trials/generators

Claims of one variant at a fixed rate (an open loop, so that the load is the same whoever makes it), round by round in random
order, a cluster of its own for each run. Threads run where the system puts them, also with one generator: more than there are
cores for cannot be bound. Counts must be the plan's, nothing lost or claimed twice, and the servers' counters must agree with
what all generators sent: a run of which that is not true ends this with exit code 1. Then the p50 with several beside the 95 %
interval of the p50 with one, over the rounds, and a generator's CPU per claim, of which 4 may take 10 % more than one. A thread
that makes fewer claims pays more for each, whoever else there is: so one generator alone makes the part of the load as well that
is each one's of the most.
"""

import math
import random
import statistics
import sys

import runs

MOST_GROWTH = 1.10

SCENARIO = """\
schema = 1
name = "one-load"
summary = "the same load by any number of generators"
[population]
executions = {executions}
lanes = 4
[load]
mode = "staged"
model = "open"
rate = {rate:.1f}
duration = "{seconds}s"
warmup = 400
[[variant]]
name = "grant-lane"
path = "grant-lane"
"""

# Two-sided 95 % points of Student's t by degrees of freedom, from 1; beyond the last one that of the normal distribution.
T_95 = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13]


def interval(values):
    """Mean of the runs and its 95 % interval."""
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return mean, -math.inf, math.inf
    half = (T_95[n - 2] if n - 2 < len(T_95) else 1.96) * statistics.stdev(values) / math.sqrt(n)
    return mean, mean - half, mean + half


def one(args, generators, rate, seed):
    """One run: its row. Ends this script where it has not done what its plan says, to the last claim."""
    scenario = args.results / "one-load.toml"
    scenario.write_text(SCENARIO.format(rate=rate, seconds=args.seconds, executions=round(1.2 * rate * args.seconds) + 1000))
    code, result = runs.run(args.tool, scenario, args.results, "--anyway", "--seed", seed, "--generators", generators,
                            "--set", "machine.placement=free", *args.extra)
    variant, audit, claims = result["variants"][0], result["audit"], round(rate * args.seconds)
    claimed = variant["outcomes"]["claimed"]
    faults = [fault["fault"] for fault in result["invalid_reasons"]]
    if claimed != claims or audit["lost"] or audit["double_claims"] or "counters_disagree" in faults:
        sys.exit(f"{generators} generators: {claimed} of {claims} claims, {faults}, {audit}")
    return {
        "generators": generators, "rate": rate, "seed": seed, "exit": code, "valid": result["valid"], "invalid": faults,
        "p50_us": variant["service_us"]["p50"], "p99_us": variant["service_us"]["p99"],
        "cpu_us": 1e6 * result["generator"]["thread_cpu_s"] / claimed,
        "lag_p99_us": variant["send_lag_us"]["p99"],
    }


HEAD = "generators  claims/s   p50 us   p99 us  generator's CPU/claim  send lag p99  valid"


def line(row):
    return (f"{row['generators']:>10}  {row['rate']:8,.0f}  {row['p50_us']:7.1f}  {row['p99_us']:7.1f}  {row['cpu_us']:18.1f} us  "
            f"{row['lag_p99_us']:9.1f} us  {'yes' if row['valid'] else 'no: ' + ', '.join(row['invalid'])}")


def answer(rows, counts, rate):
    """What the runs say, line by line, and whether something is not as wanted."""
    of = lambda n, key, rate=rate: [row[key] for row in sorted(rows, key=lambda row: row["seed"])
                                    if (row["generators"], row["rate"]) == (n, rate)]
    # Round by round: a machine's speed changes from one to the next.
    over = lambda these, those: statistics.median(a / b for a, b in zip(these, those))
    said, missed = [], False
    mean, low, high = interval(of(counts[0], "p50_us"))
    cpu = of(counts[0], "cpu_us")
    said.append(f"{counts[0]}: p50 {mean:.1f} us [{low:.1f}, {high:.1f}], {statistics.median(cpu):.1f} us of its CPU per claim")
    for n in counts[1:]:
        several, growth = interval(of(n, "p50_us")), over(of(n, "cpu_us"), cpu)
        # Two means, each with an interval of its own: apart where these do not meet.
        apart = several[1] > high or several[2] < low
        said.append(f"{n}: p50 {several[0]:.1f} us [{several[1]:.1f}, {several[2]:.1f}]{': apart' if apart else ''}, "
                    f"CPU per claim x {growth:.2f}{': more than ' + format(MOST_GROWTH, '.2f') if growth > MOST_GROWTH else ''}")
        missed |= apart or growth > MOST_GROWTH
    invalid = sum(not row["valid"] for row in rows)
    alone = of(1, "cpu_us", rate / counts[-1])
    said.append(f"one alone with the part of each of {counts[-1]}: {statistics.median(alone):.1f} us of CPU per claim; "
                f"{counts[-1]} take x {over(of(counts[-1], 'cpu_us'), alone):.2f} of that")
    said.append(f"every run made all of its claims, none lost or claimed twice; {invalid} of {len(rows)} runs are invalid")
    return said, missed or invalid > 0


def main():
    parser = runs.options(__doc__, "generators", "rounds of one run by each number of generators (6)", "three short rounds")
    parser.add_argument("--generators", default="1,2,4", help="numbers of them, the one to compare with first")
    parser.add_argument("--rate", type=float, default=1000.0, help="claims per second, by all together")
    parser.add_argument("--seconds", type=int, help="of each run (20)")
    args = parser.parse_args()
    args.seconds = args.seconds or (5 if args.quick else 20)
    rounds = args.runs or (3 if args.quick else 6)
    args.results.mkdir(parents=True, exist_ok=True)
    counts = [int(n) for n in args.generators.split(",")]
    table = runs.Table(args.output, HEAD, line, args.append)
    order = random.Random(args.first_seed)
    for number in range(rounds):
        turns = [*((n, args.rate) for n in counts), (1, args.rate / counts[-1])]
        for generators, rate in order.sample(turns, len(turns)):
            table.add(one(args, generators, rate, args.first_seed + number))
    said, missed = answer(table.rows, counts, args.rate)
    table.close(*said)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
