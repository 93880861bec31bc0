#!/usr/bin/env python3
"""Kills a primary under load again and again, and holds each run against what it must say.

    cargo build --release && scripts/failover_trials.py [--quick] [--runs 10]

Runs the scenario failover with --gate. Of every run: the audit is clean, or what the servers lost is named with its
execution; no grant was claimed twice; another primary had the server down as failed between one and two node timeouts after
the kill, and the replica took over after that; the exit code is what the result says (0 recovered within [slo] recovery, 1
not, 2 invalid). Prints a line for each run, and writes OUTPUT.txt and OUTPUT.json; with --append to what is there. Exit code
1 where a run is off.
"""

import json
import sys

import runs

NODE_TIMEOUT_S = 5.0
# What a look every few hundredths of a second and a busy machine add.
SLACK_S = 0.5
QUICK = ["--duration", "20s", "--rate", "300", "--set", "population.executions=9000", "--set",
         'fault=[{at="4s",kill="busiest primary"}]']
HEADER = (f"{'seed':>4} {'killed':>15} {'marked failed s':>15} {'taken over s':>12} {'first success s':>15} "
          f"{'as before s':>11} {'late claims':>11} {'lost':>4} {'named':>5} {'back a step':>11} {'double':>6} {'exit':>4}")


def run(args, seed):
    """One run: its exit code and its result."""
    return runs.run(args.tool, "failover", args.results, "--gate", "--seed", seed, *(QUICK if args.quick else []), *args.extra)


def row(code, result):
    fault, audit = result["injected"]["faults"][0], result["audit"]
    recovery = result["recoveries"][0] if result["recoveries"] else {}
    violations = {name: audit.get(name, 0) for name in
                  ("lost", "double_claims", "attempt_changed", "epoch_errors", "state_errors", "contract_errors")}
    accounted = sum(audit.get(name, 0) for name in ("claimed", "expired", "outstanding", "lost_by_server"))
    return {
        "seed": result["seed"], "started": result["started"], "server": fault["server"], "heir": fault.get("heir"),
        **{name: recovery.get(name) for name in
           ("marked_failed_s", "took_over_s", "first_success_s", "recovered_s", "late", "slowest_us")},
        "lost_by_server": audit.get("lost_by_server", 0), "rolled_back": audit.get("rolled_back", 0),
        "lost_by_server_ids": audit.get("lost_by_server_ids", []), "violations": violations,
        "unaccounted": audit["grants_issued"] - accounted, "grants_issued": audit["grants_issued"],
        "outcomes": result["variants"][0]["outcomes"], "retries": fault["retries"],
        "valid": result["valid"], "invalid_reasons": result["invalid_reasons"], "exit": code,
        "level_s": seconds(result["scenario"]["slo"]["recovery"]),
    }


def seconds(text):
    """`15s` or `300ms`."""
    return float(text[:-2]) / 1e3 if text.endswith("ms") else float(text[:-1])


def wrong(one):
    """What is not as it must be."""
    found = [f"{name} {n}" for name, n in one["violations"].items() if n]
    if one["unaccounted"]:
        found.append(f"{one['unaccounted']} of {one['grants_issued']} grants are not accounted for")
    lost = one["lost_by_server"] + one["rolled_back"]
    if len(one["lost_by_server_ids"]) < min(lost, 1_000):
        found.append(f"{lost} losses, {len(one['lost_by_server_ids'])} named")
    marked, taken = one["marked_failed_s"], one["took_over_s"]
    if marked is None or not NODE_TIMEOUT_S - SLACK_S <= marked <= 2 * NODE_TIMEOUT_S + SLACK_S:
        found.append(f"marked as failed after {marked} s of a node timeout of {NODE_TIMEOUT_S} s")
    if taken is None or marked is None or taken < marked:
        found.append(f"taken over after {taken} s")
    recovered = one["recovered_s"]
    kept = recovered is not None and recovered <= one["level_s"]
    expected = 2 if not one["valid"] else 0 if kept else 1
    if one["exit"] != expected:
        found.append(f"exit code {one['exit']}, should be {expected}")
    if not one["valid"]:
        found.append(f"INVALID: {json.dumps(one['invalid_reasons'])}")
    return found


def line(one):
    time = lambda s: "-" if s is None else f"{s:.2f}"
    return (f"{one['seed']:>4} {one['server'] or '-':>15} {time(one['marked_failed_s']):>15} {time(one['took_over_s']):>12} "
            f"{time(one['first_success_s']):>15} {time(one['recovered_s']):>11} {one['late'] or 0:>11} "
            f"{one['lost_by_server']:>4} {len(one['lost_by_server_ids']):>5} {one['rolled_back']:>11} "
            f"{one['violations']['double_claims']:>6} {one['exit']:>4}  {'; '.join(wrong(one))}").rstrip()


def main():
    args = runs.options(__doc__, "failover", "10 by default", "one run with a shorter window").parse_args()
    table = runs.Table(args.output, HEADER, line, args.append)
    for seed in range(args.first_seed, args.first_seed + (args.runs or (1 if args.quick else 10))):
        table.add(row(*run(args, seed)))
    rows = table.rows
    off = [one for one in rows if wrong(one)]
    lost = sum(one["lost_by_server"] for one in rows)
    double = sum(one["violations"]["double_claims"] for one in rows)
    table.close(f"{len(rows) - len(off)} of {len(rows)} runs as they must be; {double} claimed twice, {lost} lost by servers, "
                f"of {sum(one['grants_issued'] for one in rows)} grants")
    sys.exit(1 if off else 0)


if __name__ == "__main__":
    main()
