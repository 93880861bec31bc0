#!/usr/bin/env python3
"""Checks every dependency's licence against deny.toml: python3 .ci/licences.py < output of `cargo metadata`.

For machines without cargo-deny. Reads SPDX expressions of AND, OR, WITH and parentheses, and the old `A/B` for OR.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ALLOWED = set(tomllib.loads(Path("deny.toml").read_text())["licenses"]["allow"])


def allowed(expression: str) -> bool:
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    # SPDX operators are upper case, but one dependency writes them otherwise.
    tokens = [token.upper() if token.lower() in ("or", "and", "with") else token for token in tokens]

    def either() -> bool:
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            other = both()
            result = result or other
        return result

    def both() -> bool:
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            other = one()
            result = result and other
        return result

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        if tokens[:1] == ["WITH"]:
            token = f"{token} WITH {tokens[1]}"
            del tokens[:2]
        return token in ALLOWED

    return either() and not tokens


def main() -> int:
    packages = json.load(sys.stdin)["packages"]
    refused = [
        f"{package['name']} {package['version']}: {package['license'] or 'no licence'}"
        for package in packages
        if not (package["license"] and allowed(package["license"]))
    ]
    print("\n".join(refused) or f"licences of {len(packages)} packages are allowed")
    return 1 if refused else 0


# The checker checks itself first: a parser that lets everything through would be worse than none.
assert allowed("MIT OR GPL-3.0-only") and allowed("(MIT OR GPL-3.0-only) AND ISC") and allowed("MIT/Foo")
assert not allowed("GPL-3.0-only") and not allowed("MIT AND GPL-3.0-only")

if __name__ == "__main__":
    sys.exit(main())
