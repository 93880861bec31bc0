#!/usr/bin/env python3
"""Writes one comment on the pull request: brings its own up to date, so that a branch with many pushes has one.

Reads the environment of a GitHub action, and uses `gh`, which every runner has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# GitHub takes no more in one comment.
MOST = 65_000


def gh(*arguments: str, body: str | None = None) -> str:
    given = [] if body is None else ["--input", "-"]
    text = None if body is None else json.dumps({"body": body})
    done = subprocess.run(["gh", "api", *arguments, *given], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"gh exits with {done.returncode}")
    return done.stdout


def pages(text: str) -> list[dict]:
    """The comments of every page: `gh --paginate` prints one list after the other."""
    decoder, comments, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        page, at = decoder.raw_decode(text, at)
        comments.extend(page)
        at += len(text[at:]) - len(text[at:].lstrip())
    return comments


def write(marker: str, body: str, repository: str, number: int) -> str:
    comments = pages(gh("--paginate", f"repos/{repository}/issues/{number}/comments?per_page=100"))
    own = [comment for comment in comments if comment["body"].startswith(marker)]
    if own:
        gh("--method", "PATCH", f"repos/{repository}/issues/comments/{own[0]['id']}", body=body)
        return "brought up to date"
    gh("--method", "POST", f"repos/{repository}/issues/{number}/comments", body=body)
    return "written"


def main() -> int:
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text())
    number = event.get("pull_request", {}).get("number")
    if number is None:
        print("no pull request, no comment")
        return 0
    # A marker that no reader sees, one for each scenario.
    marker = f"<!-- reclaim-bench: {os.environ['SCENARIO']} -->"
    said = (Path(os.environ["OUTPUT"]) / "comment.md").read_text()
    if len(said) > MOST:
        said = said[:MOST] + "\n\n(cut off here: the artifact has all of it)\n"
    server, repository = os.environ["GITHUB_SERVER_URL"], os.environ["GITHUB_REPOSITORY"]
    run = f"{server}/{repository}/actions/runs/{os.environ['GITHUB_RUN_ID']}"
    body = f"{marker}\n{said}\n[report.html and everything measured]({run})\n"
    try:
        print(f"comment on #{number} {write(marker, body, repository, number)}")
    except RuntimeError as error:
        # A pull request from a fork has a token that only reads. The summary says the same.
        print(f"::warning::The comment on #{number} could not be written: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
