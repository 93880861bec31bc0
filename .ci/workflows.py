#!/usr/bin/python3
"""Checks what can be checked of the workflows without the service that runs them: .ci/workflows.py

They are YAML with the keys that there are, their commands are shell, and the files of this repository that they name exist.
Needs python3-yaml.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "docs/ci-workflow.yml"]
# A job's, and a step's.
JOB = {"runs-on", "timeout-minutes", "steps", "if", "permissions"}
STEP = {"name", "id", "if", "uses", "with", "run", "env", "shell"}


def check(file: Path) -> int:
    """The number of commands."""
    # YAML takes the key `on` for a truth value.
    flow = {"on" if key is True else key: value for key, value in yaml.safe_load(file.read_text()).items()}
    unknown = set(flow) - {"name", "on", "permissions", "jobs", "concurrency"}
    assert not unknown and flow["permissions"], f"{file}: {unknown or 'rights are not narrowed'}"
    commands = 0
    for job in flow["jobs"].values():
        assert not set(job) - JOB, f"{file}: {set(job) - JOB}"
        for step in job["steps"]:
            assert not set(step) - STEP and ("run" in step) != ("uses" in step), f"{file}: {step}"
            if "run" not in step:
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@[\w.-]+", step["uses"]), f"{file}: {step['uses']}"
                continue
            done = subprocess.run(["bash", "-n", "-c", step["run"]], capture_output=True, text=True)
            assert done.returncode == 0, f"{file}: {done.stderr}"
            for script in re.findall(r"(?<![\w/$])\.ci/[\w.-]+", step["run"]):
                path = ROOT / script
                assert path.is_file() and path.stat().st_mode & 0o100, f"{file}: {script} is not there to be run"
            commands += 1
    assert commands, f"{file}: no command was found"
    return commands


def main() -> int:
    assert len(FILES) == 3, FILES
    print(f"{len(FILES)} workflows, {sum(check(file) for file in FILES)} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
