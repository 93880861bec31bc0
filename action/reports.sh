#!/usr/bin/env bash
# What other programs read, beside the result: junit.xml, comment.md.
set -euo pipefail
if [ -n "$RESULT" ]; then
    reclaim-bench report "$RESULT" --format junit >"$OUTPUT/junit.xml"
    reclaim-bench report "$RESULT" --format pull-request >"$OUTPUT/comment.md"
else
    printf '## reclaim-bench: no result\n\nThe run could not be made. The step'"'"'s log says why.\n' >"$OUTPUT/comment.md"
fi
