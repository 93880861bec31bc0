#!/usr/bin/env bash
# Runs the comparison in the checkout. Its verdict is left to the last step, so that reports are made of every run: here only
# the exit code is kept, and where the result is.
set -euo pipefail

if [ -n "$CANDIDATE_SDK" ]; then
    what=sdk scenario=${SCENARIO:-sdk-duet} candidate=$CANDIDATE_SDK base=$BASE_SDK
else
    what=library scenario=${SCENARIO:-library-duet} candidate=$CANDIDATE_LIBRARY base=$BASE_LIBRARY
fi
echo "scenario=$scenario" >>"$GITHUB_OUTPUT"

if [ -z "$base" ]; then
    if [ -z "${GITHUB_BASE_REF:-}" ]; then
        echo "::error::This is no pull request, so there is no base branch: say what to compare with (base-$what)"
        exit 2
    fi
    # A shallow checkout does not hold the base.
    git rev-parse --quiet --verify "origin/$GITHUB_BASE_REF^{commit}" >/dev/null ||
        git fetch --quiet --depth=1 origin "$GITHUB_BASE_REF:refs/remotes/origin/$GITHUB_BASE_REF"
    base=origin/$GITHUB_BASE_REF:${candidate#./}
fi

output=$(mktemp -d "$RUNNER_TEMP/reclaim-bench-XXXXXX")
echo "output=$output" >>"$GITHUB_OUTPUT"
read -ra more <<<"$ARGUMENTS"
code=0
reclaim-bench run "$scenario" "--base-$what" "$base" "--candidate-$what" "$candidate" --gate \
    --output "$output" "${more[@]}" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"

# One run, or one series of runs; none where it could not even begin.
for result in "$output"/*/; do
    [ ! -e "$result/report.html" ] || echo "result=${result%/}" >>"$GITHUB_OUTPUT"
done
