#!/usr/bin/env bash
# The job's end is the run's: the exit code of `reclaim-bench run --gate`.
set -euo pipefail
case ${EXIT_CODE:-2} in
0) echo "no regression" ;;
1) echo "::error::reclaim-bench: regression; the summary says which" && exit 1 ;;
3)
    echo "::warning::reclaim-bench: inconclusive, too noisy to say; more claims narrow the interval"
    [ "$FAIL_ON_INCONCLUSIVE" != true ] || exit 3
    ;;
*) echo "::error::reclaim-bench: no valid run; the log says why" && exit "${EXIT_CODE:-2}" ;;
esac
