#!/usr/bin/env python3
"""Holds the tool's clock against the one thing that is known beforehand: what a stall does to response times.

    cargo build --release && scripts/stall_trials.py [--quick] [--setting S,T,RATE ...]

One primary is stopped for S seconds in an open loop of T seconds, with a pause of [[fault]]. Everything that is due meanwhile
waits, so that the response time's quantile q must be S - (1 - q) T (1 - rho), rho being the share of the window in which the
server computes. A clock that starts when a claim is sent, or a schedule that waits for the server, shows nothing of it. Each
setting runs several times; each run's p99 must lie within 5 % of what is predicted from the setting, and the run must be
valid but for late sending, which on a busy machine is no fault of the clock: it counts into the response time as it must.

Beside it stands the share of the window in which the server waited for a core: on a machine that is full it cannot work off
what has come together as quickly as its CPU time says, and p99 is longer than predicted.

Settings that are no tests are refused: p99 shows a stall only where more than a hundredth of the claims meet it.
Prints a line for each run, and writes OUTPUT.txt and OUTPUT.json. Exit code 1 where a run is off.
"""

import argparse
import json
import sys

import runs

Q = 0.99
WITHIN = 0.05
# Stall and window in seconds, claims per second.
SETTINGS = [(0.5, 5, 1_000), (0.25, 5, 500), (0.8, 5, 400), (1.0, 20, 500), (1.0, 10, 2_000), (0.6, 30, 1_000),
            (3.0, 20, 800), (2.0, 60, 300), (0.5, 10, 4_000)]
QUICK = [(0.5, 5, 1_000), (0.8, 6, 300)]
HEADER = (f"{'stall s':>7} {'window s':>8} {'claims/s':>8} {'seed':>4} {'rho':>5} {'waited':>6} {'stood s':>7} {'predicted ms':>12} "
          f"{'response p99 ms':>15} {'share':>6} {'service p99 ms':>14}")


def setting(text):
    stall, window, rate = (float(part) for part in text.split(","))
    if (1 - Q) * window >= 0.8 * stall:
        raise argparse.ArgumentTypeError(f"{text}: too few of the claims meet the stall for p99 to show it; use a longer "
                                         "stall or a shorter window")
    return stall, int(window), int(rate)


def run(args, stall, window, rate, seed):
    """One run: its result."""
    fault = f'[{{at="{1000 * (window - stall) / 2:.0f}ms",for="{1000 * stall:.0f}ms",pause="busiest primary"}}]'
    _, result = runs.run(args.tool, "stall", args.results, "--primaries", 1, "--rate", rate, "--duration", f"{window}s",
                         "--seed", seed, "--warmup", 200, "--set", f"fault={fault}",
                         "--set", f"population.executions={int(1.15 * rate * window) + 1_000}", *args.extra)
    return result


def row(result, stall, window, rate, seed):
    fault = result["injected"]["faults"][0]
    arm = result["variants"][0]
    rho = min(1.0, sum(p["counters"]["main_thread_cpu_us"] for p in result["primaries"]) / 1e6 / window)
    predicted = 1e3 * (stall - (1 - Q) * window * (1 - rho))
    seen = arm["response_us"]["p99"] / 1e3
    other = [reason for reason in result["invalid_reasons"] if "send_lag" not in json.dumps(reason)]
    return {
        "stall_s": stall, "window_s": window, "rate_per_s": rate, "seed": seed, "rho": rho,
        "waited": (result["generator"].get("servers_waited_s") or 0.0) / window,
        "stood_s": fault["ended_s"] - fault["struck_s"], "predicted_ms": predicted, "response_p99_ms": seen,
        "share": seen / predicted, "service_p99_ms": arm["service_us"]["p99"] / 1e3, "invalid": other,
        "late": len(result["invalid_reasons"]) > len(other), "started": result["started"],
    }


def line(one):
    remarks = [*(["OFF"] if abs(one["share"] - 1) > WITHIN else []), *(["sent late"] if one["late"] else []),
               *(f"INVALID: {json.dumps(reason)}" for reason in one["invalid"])]
    return (f"{one['stall_s']:>7} {one['window_s']:>8} {one['rate_per_s']:>8} {one['seed']:>4} {one['rho']:>5.2f} "
            f"{one['waited']:>6.2f} {one['stood_s']:>7.3f} {one['predicted_ms']:>12.1f} {one['response_p99_ms']:>15.1f} {one['share']:>6.3f} "
            f"{one['service_p99_ms']:>14.1f}  {'; '.join(remarks)}").rstrip()


def main():
    parser = runs.options(__doc__, "stall", "of each setting; 3 by default", "two settings, once each")
    parser.add_argument("--setting", type=setting, action="append", metavar="S,T,RATE",
                        help="instead of those that are in here: seconds of stall and window, claims per second")
    args = parser.parse_args()
    each = args.runs or (1 if args.quick else 3)
    table = runs.Table(args.output, HEADER, line, args.append)
    for chosen in args.setting or (QUICK if args.quick else SETTINGS):
        for seed in range(args.first_seed, args.first_seed + each):
            table.add(row(run(args, *chosen, seed), *chosen, seed))
    rows = table.rows
    off = [one for one in rows if abs(one["share"] - 1) > WITHIN or one["invalid"]]
    farthest = max(rows, key=lambda one: abs(one["share"] - 1))
    table.close(f"{len(rows) - len(off)} of {len(rows)} runs within {100 * WITHIN:.0f} %; the farthest is "
                f"{100 * (farthest['share'] - 1):+.2f} % off")
    sys.exit(1 if off else 0)


if __name__ == "__main__":
    main()
