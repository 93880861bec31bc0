#!/usr/bin/env python3
"""Shows on this machine what a server duet's verdicts are worth: how often it calls one server different from itself.

    cargo build --release && scripts/server_trials.py --runs 10 --other /usr/bin/valkey-server \\
        --text results/reference/trials/servers.txt

Runs server-duet with the server that runs have anyway on both sides, so that two clusters (and the control's) differ in
nothing but where they lie, and counts the runs that say anything but no change or inconclusive; then once that server
against OTHER. Every run stays in the results directory. Exits 1 where a run is invalid, or where one server is called
different from itself.
"""

import argparse
import pathlib
import sys

import runs

QUIET = {"no_change", "inconclusive"}


def percent(ratio):
    return "-" if ratio is None else (f"{100 * (ratio['estimate'] - 1):+.2f} % "
                                      f"[{100 * (ratio['low'] - 1):+.2f}, {100 * (ratio['high'] - 1):+.2f}]")


def servers(result):
    """What each arm claimed on, the control's aside."""
    arms = [arm["name"] for arm in result["arms"]]
    return "; ".join(f"{' and '.join(arms[arm] for arm in cluster['arms'])} Valkey {cluster['valkey']['version']} "
                     f"({cluster['valkey']['allocator']})"
                     for cluster in result["clusters"] if cluster["arms"])


def one(args, seed, *options):
    """One run: its line of the table, its verdicts, whether it is valid, and which servers it had."""
    words = [word for change in args.set for word in ("--set", change)]
    _, result = runs.run(args.tool, "server-duet", args.results, "--anyway", "--seed", seed, *options, *words)
    comparison = next(c for c in result["comparisons"] if c["metric"] == "service_p50")
    control = result["control"]
    allowance = control.get("allowance")
    cells = [percent(comparison["ratio"]), percent(control["ratio"]), "passed" if control["passed"] else "failed",
             "-" if allowance is None else f"{100 * allowance:.2f} %", comparison["verdict"],
             "yes" if result["valid"] else "NO", f"{result['duration_s']:.0f}"]
    return cells, {c["verdict"] for c in result["comparisons"]}, result["valid"], servers(result)


HEAD = ["run", "candidate over base, p50", "control", "control", "allowed", "verdict", "valid", "s"]


def table(rows):
    widths = [max(len(row[n]) for row in [HEAD, *rows]) for n in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [HEAD, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--runs", type=int, default=10, help="of the server against itself")
    parser.add_argument("--other", help="another valkey-server, which is the base of one more run")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results/server-trials"))
    parser.add_argument("--text", type=pathlib.Path, help="where the table goes as well")
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    rows, said, invalid, same = [], 0, 0, ""

    def add(name, seed, *options):
        cells, verdicts, valid, which = one(args, seed, *options)
        rows.append([name, *cells])
        print("  ".join(rows[-1]), flush=True)
        return verdicts, valid, which

    for n in range(args.runs):
        verdicts, valid, same = add(f"same {n + 1}", args.first_seed + n)
        said += bool(verdicts - QUIET)
        invalid += not valid
    lines = [f"{said} of {args.runs} runs of one server against itself say that something differs ({same})"]
    if args.other:
        _, valid, which = add("two", args.first_seed + args.runs, "--base-server", args.other)
        invalid += not valid
        lines.append(f"two: {which}")
    lines.append(f"{invalid} of {len(rows)} runs are invalid")
    text = table(rows) + "\n\n" + "\n".join(lines) + "\n"
    print("\n" + text, end="")
    if args.text:
        args.text.parent.mkdir(parents=True, exist_ok=True)
        args.text.write_text(text)
    sys.exit(1 if said or invalid else 0)


if __name__ == "__main__":
    main()
