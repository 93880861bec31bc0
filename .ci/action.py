#!/usr/bin/python3
"""Runs the steps of action.yml as a runner would, in a repository with two versions of the function library and
of the SDK.

.ci/action.py SCRATCH_DIRECTORY. Needs python3-yaml, cargo, git, and what a run needs. `gh` and the service behind it are
made up, and `cargo install` builds without optimisation; everything else is real: the installation, the servers, the runs, the reports. An expression or a key of action.yml
that is not understood here ends the test: a step that is not run as it would be says nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "crates/ff-script/src/flowfabric.lua"
SDK = "crates/ff-sdk"
# What is tested is that the steps work, not what a long run finds.
SMALL = (
    "--no-progress --primaries 1 --anyway --set population.executions=200 --set population.partitions=16 "
    "--set load.claims=400 --set load.warmup=20 --set compare.strata=10 --set compare.block_claims=20 "
    "--set compare.counter_blocks=2"
)
CLAIM = "'ff_claim_resumed_execution', function(keys, args)"
# Where the SDK's worker has a grant of a resume and consumes it.
SDK_CLAIM = "        let args = ff_core::contracts::ClaimResumedExecutionArgs {\n"

GH = '''#!/usr/bin/env python3
"""A service with the comments of one pull request, in a file."""
import json, os, sys
from pathlib import Path
store, arguments = Path(os.environ["FAKE_COMMENTS"]), sys.argv[1:]
assert arguments.pop(0) == "api" and os.environ["GH_TOKEN"] == "a-token", "an api call with the token"
if os.environ.get("FAKE_READ_ONLY") and "--method" in arguments:
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
comments = json.loads(store.read_text())
if arguments[0] == "--paginate":
    assert arguments[1:] == ["repos/some/fabric/issues/7/comments?per_page=100"], arguments
    # Two pages, one list after the other.
    print(json.dumps(comments[:1]) + json.dumps(comments[1:]))
    sys.exit()
method, path, body = arguments[1], arguments[2], json.load(sys.stdin)["body"]
assert arguments[0] == "--method" and arguments[3:] == ["--input", "-"], arguments
if method == "POST":
    assert path == "repos/some/fabric/issues/7/comments", path
    comments.append({"id": 100 + len(comments), "body": body})
else:
    assert method == "PATCH" and path.startswith("repos/some/fabric/issues/comments/"), (method, path)
    next(one for one in comments if str(one["id"]) == path.rsplit("/", 1)[1])["body"] = body
store.write_text(json.dumps(comments))
'''

# What the action installs is built as the tests are: nothing judges how fast it is, and most of it is there already.
CARGO = '''#!/bin/sh
if [ "$1" = install ]; then
    shift
    set -- install --debug "$@"
fi
exec {cargo} "$@"
'''


class Runner:
    """One job with the action as its only step."""

    def __init__(self, scratch: Path, repository: Path, inputs: dict[str, str], **environment: str):
        self.scratch, self.repository = scratch, repository
        self.action = yaml.safe_load((ROOT / "action.yml").read_text())
        assert set(self.action) == {"name", "description", "author", "inputs", "outputs", "runs"}, set(self.action)
        assert not set(inputs) - set(self.action["inputs"]), inputs
        self.inputs = {key: given["default"] for key, given in self.action["inputs"].items()} | inputs
        self.steps: dict[str, dict[str, str]] = {}
        self.failed, self.uploaded, self.path = False, {}, []
        self.environment = environment
        scratch.mkdir()
        for file in ("path", "summary"):
            (scratch / file).touch()

    def expression(self, text: str) -> str:
        """The value of what stands between the braces of an expression."""
        if found := re.fullmatch(r"inputs\.([\w-]+)", text):
            return self.substituted(self.inputs[found[1]])
        if found := re.fullmatch(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text):
            assert any(step.get("id") == found[1] for step in self.action["runs"]["steps"]), text
            return self.steps.get(found[1], {}).get(found[2], "")
        if text == "github.token":
            return "a-token"
        raise ValueError(f"an expression that is not understood here: {text}")

    def substituted(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.expression(found[1]), text)

    def wanted(self, condition: str | None) -> bool:
        terms = condition.split(" && ") if condition else []
        holds = "always()" in terms or not self.failed
        for term in terms:
            if found := re.fullmatch(r"(\S+) (==|!=) '(.*)'", term):
                equal = self.expression(found[1]) == found[3]
                holds = holds and equal == (found[2] == "==")
            else:
                assert term == "always()", f"a condition that is not understood here: {term}"
        return holds

    def run(self, leave_out: tuple[str, ...] = ()) -> "Runner":
        names = [step["name"] for step in self.action["runs"]["steps"]]
        assert self.action["runs"]["using"] == "composite" and not set(leave_out) - set(names), leave_out
        for step in self.action["runs"]["steps"]:
            assert not set(step) - {"name", "id", "if", "shell", "env", "run", "uses", "with"}, step
            if step["name"] in leave_out or not self.wanted(step.get("if")):
                continue
            print(f"--- {step['name']}", flush=True)
            if "uses" in step:
                assert step["uses"].startswith("actions/upload-artifact@"), step["uses"]
                self.uploaded = {key: self.substituted(value) for key, value in step["with"].items()}
            else:
                self.shell(step)
        return self

    def shell(self, step: dict) -> None:
        assert step["shell"] == "bash", step
        output = self.scratch / "output"
        output.write_text("")
        event = self.scratch / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "RECLAIM_BENCH_"))},
            "PATH": ":".join([*self.path, os.environ["PATH"]]),
            "RUNNER_TEMP": str(self.scratch),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_PATH": str(self.scratch / "path"),
            "GITHUB_STEP_SUMMARY": str(self.scratch / "summary"),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "some/fabric",
            "GITHUB_SERVER_URL": "https://forge.example",
            "GITHUB_RUN_ID": "42",
            "GITHUB_BASE_REF": "main",
            **self.environment,
            **{key: self.substituted(value) for key, value in step.get("env", {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.repository, env=environment)
        self.failed = self.failed or done.returncode != 0
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        self.steps[step.get("id", step["name"])] = outputs | {"code": str(done.returncode)}
        self.path = (self.scratch / "path").read_text().split() + [p for p in self.path if p.endswith("fakes")]

    def code(self, name: str) -> int:
        return int(self.steps[name]["code"])


def git(repository: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, stdout=subprocess.DEVNULL)


def published(crate: str) -> Path:
    """The sources of a crate as FlowFabric publishes it."""
    described = ["cargo", "metadata", "--locked", "--all-features", "--format-version", "1"]
    packages = json.loads(subprocess.run(described, cwd=ROOT, check=True, capture_output=True).stdout)["packages"]
    return Path(next(package["manifest_path"] for package in packages if package["name"] == crate)).parent


def checkout(scratch: Path, library: str) -> Path:
    """A shallow checkout of a branch: without its base, which is fetched from the repository that it is of."""
    origin, here = scratch / "origin", scratch / "checkout"
    (origin / LIBRARY).parent.mkdir(parents=True)
    (origin / LIBRARY).write_text(library)
    shutil.copytree(published("ff-sdk"), origin / SDK)
    git(origin, "init", "--quiet", ".")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "base")
    git(origin, "checkout", "--quiet", "-b", "change")
    (origin / "note").write_text("more\n")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "change")
    git(scratch, "clone", "--quiet", "--depth=1", "--branch=change", f"file://{origin}", str(here))
    return here


def main() -> int:
    scratch = Path(sys.argv[1]).resolve() / "action"
    fakes = scratch / "fakes"
    fakes.mkdir(parents=True)
    for name, text in (("gh", GH), ("cargo", CARGO.format(cargo=shutil.which("cargo")))):
        (fakes / name).write_text(text)
        (fakes / name).chmod(0o755)
    comments = scratch / "comments.json"
    comments.write_text(json.dumps([{"id": 1, "body": "Looks good to me"}]))
    library = (published("ff-script") / "src/flowfabric.lua").read_text()
    repository = checkout(scratch, library)
    before, after = library.split(CLAIM)
    worse = f"{before}{CLAIM}\n  redis.call('EXISTS', keys[1]){after}"

    def job(name: str, inputs: dict[str, str], **environment: str) -> Runner:
        runner = Runner(scratch / name, repository, inputs, FAKE_COMMENTS=str(comments), **environment)
        runner.path = [str(fakes)]
        return runner

    def own() -> list[dict]:
        return [one for one in json.loads(comments.read_text()) if one["body"].startswith("<!-- reclaim-bench: ")]

    # By its label where the gate gives its reasons, by its name in the table of what is not equal.
    def names_it(text: str) -> bool:
        return "EXISTS calls" in text or "calls.exists" in text

    # A library with one call more: it is found, said, kept, and fails the job.
    (repository / LIBRARY).write_text(worse)
    first = job("worse", {"arguments": SMALL}).run()
    duet = first.steps["duet"]
    assert duet["exit-code"] == "1" and first.code("Verdict") == 1 and first.failed, first.steps
    [comment] = own()
    assert names_it(comment["body"]) and "forge.example/some/fabric/actions/runs/42" in comment["body"], comment
    assert names_it((first.scratch / "summary").read_text())
    assert xml.parse(Path(duet["output"]) / "junit.xml").getroot().findall(".//failure"), "JUnit has no failure"
    assert first.uploaded == {"name": "reclaim-bench", "path": duet["output"]}, first.uploaded
    assert (Path(duet["result"]) / "report.html").is_file() and duet["result"].startswith(duet["output"])
    installed = first.path[:1]

    # The same as the base: not worse, and the comment that is there is brought up to date.
    (repository / LIBRARY).write_text(library)
    second = job("same", {"arguments": SMALL})
    second.environment["PATH"] = ":".join([*installed, str(fakes), os.environ["PATH"]])
    second.run(leave_out=("Install reclaim-bench",))
    assert second.steps["duet"]["exit-code"] in ("0", "3") and second.code("Verdict") == 0, second.steps
    [again] = own()
    assert again["id"] == comment["id"] and not names_it(again["body"]), again

    # An SDK with one command more, against that of the base branch: workers of both are built.
    worker = repository / SDK / "src/worker.rs"
    before, after = worker.read_text().split(SDK_CLAIM)
    worker.write_text(f"{before}        let _ = self.backend.read_current_attempt_index(execution_id).await;\n{SDK_CLAIM}{after}")
    sdk = job("sdk", {"arguments": SMALL, "candidate-sdk": SDK})
    sdk.environment["PATH"] = second.environment["PATH"]
    sdk.run(leave_out=("Install reclaim-bench",))
    assert sdk.steps["duet"]["exit-code"] == "1" and sdk.steps["duet"]["scenario"] == "sdk-duet", sdk.steps
    [of_sdk] = [one for one in own() if "reclaim-bench: sdk-duet" in one["body"]]
    assert "calls.hget" in of_sdk["body"] or "HGET calls" in of_sdk["body"], of_sdk
    comments.write_text(json.dumps([one for one in json.loads(comments.read_text()) if one != of_sdk]))

    # A base that is not there: no result, which the comment says too, and which a token that only reads does not hide.
    third = job("none", {"arguments": SMALL, "base-library": "nowhere:lib.lua"}, FAKE_READ_ONLY="yes")
    third.environment["PATH"] = second.environment["PATH"]
    third.run(leave_out=("Install reclaim-bench",))
    assert third.steps["duet"]["exit-code"] == "2" and third.code("Verdict") == 2, third.steps
    assert "no result" in (Path(third.steps["duet"]["output"]) / "comment.md").read_text()
    assert third.code("Comment") == 0 and own() == [again], "the comment is another"
    assert "nowhere:lib.lua" in (third.scratch / "summary").read_text()

    # What is inconclusive fails where that is asked for, and only there.
    verdict = ROOT / "action/verdict.sh"
    for asked, code in (("true", 3), ("false", 0)):
        environment = {**os.environ, "EXIT_CODE": "3", "FAIL_ON_INCONCLUSIVE": asked}
        assert subprocess.run([verdict], env=environment).returncode == code, asked
    print("action.yml: 4 jobs run, 2 comments")
    return 0


if __name__ == "__main__":
    sys.exit(main())
