"""What the trials beside this file share: a run of the tool, and a table of runs that is kept after each of them."""

import argparse
import json
import pathlib
import subprocess
import sys


def output(command):
    """Exit code and output of a command of the tool that prints JSON. Ends this script where it prints nothing."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done.returncode, json.loads(done.stdout)


def run(tool, scenario, results, *options):
    """One run whose directory goes into results: its exit code and its result."""
    return output([tool, "run", scenario, "--no-progress", "--quiet", "--format", "json", "--output", results, *options])


def options(doc, name, runs, quick):
    """The options of trials that run the tool again and again; whoever calls it may add some."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="target/release/reclaim-bench")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--runs", type=int, help=runs)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--append", action="store_true", help="keep the runs that OUTPUT.json has")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path(f"results/{name}-trials"))
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(name),
                        help="where the table goes: OUTPUT.txt and OUTPUT.json")
    parser.add_argument("extra", nargs="*", help="further options of every run, after --")
    return parser


class Table:
    """A line for each run, shown at once; OUTPUT.json after each, OUTPUT.txt at the end."""

    def __init__(self, output, header, line, append=False):
        self.text, self.json, self.line = output.with_suffix(".txt"), output.with_suffix(".json"), line
        self.rows = json.loads(self.json.read_text()) if append and self.json.exists() else []
        self.lines = [header, *map(line, self.rows)]
        print("\n".join(self.lines), flush=True)

    def add(self, row):
        self.rows.append(row)
        self.lines.append(self.line(row))
        print(self.lines[-1], flush=True)
        self.json.write_text(json.dumps(self.rows, indent=1) + "\n")

    def close(self, *said):
        """Says what the runs come to."""
        print("\n".join(["", *said]))
        self.text.write_text("\n".join([*self.lines, "", *said]) + "\n")
