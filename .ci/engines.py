#!/usr/bin/env python3
"""What .ci/engines.sh asks of deploy/ and of results.

engines.py kubernetes INDEX TOOL NODES RESULTS [OPTION...]: becomes a pod of deploy/kubernetes.yaml's Job, on this machine.
engines.py table GENERATORS RESULTS RUN...: a line for each run; ends with exit code 1 where one is not what the plan says.
engines.py ports COUNT: so many ports that nobody listens on, and that no connection of somebody else can be given.
"""

import json
import os
import pathlib
import random
import socket
import sys

import yaml

DEPLOY = pathlib.Path("deploy")


def pod(index, tool, nodes, results, *options):
    documents = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").open())}
    for name, text in documents["ConfigMap", "reclaim-bench"]["data"].items():
        if text != (DEPLOY / name).read_text():
            sys.exit(f"deploy/kubernetes.yaml: {name} is not what deploy/{name} is")
    job = documents["Job", "reclaim-bench"]["spec"]
    container = job["template"]["spec"]["containers"][0]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    if not int(variables["RECLAIM_BENCH_PARTS"]) == job["completions"] == job["parallelism"]:
        sys.exit("deploy/kubernetes.yaml: completions, parallelism and RECLAIM_BENCH_PARTS are not one number")
    # What is elsewhere here than in a pod.
    variables |= {"RECLAIM_BENCH_NODES": nodes, "JOB_COMPLETION_INDEX": index}
    here = {"/deploy/shared.toml": str(DEPLOY / "shared.toml"), "/results": results}
    arguments = [here.get(argument, argument) for argument in container["args"]]
    os.execve(tool, [tool, *arguments, *options], os.environ | variables)


def checked(name, result, generators):
    """What is wrong with a run beside what a busy machine does to it, as words."""
    audit = result["audit"]
    arms = {variant["name"]: variant["outcomes"] for variant in result["variants"]}
    claims = {outcomes["claimed"] for outcomes in arms.values()}
    parts = [one["part"] for one in result.get("generators", [])]
    # Six programs share two cores: one of the generators may begin late, or stand still for a while.
    busy = lambda fault: fault["fault"] in ("began_late", "late_beginnings") or (
        fault["fault"] == "of_generator" and fault["what"]["fault"] == "stalled")
    faults = [fault["fault"] for fault in result["invalid_reasons"] if not busy(fault)]
    wrong = []
    if claims != {3000}:
        wrong.append(f"claims by arm are {claims}, not 3000")
    if audit["lost"] or audit["double_claims"] or audit["grants_issued"] != audit["claimed"]:
        wrong.append(f"audit: {audit}")
    if sorted(parts) != ([] if generators == 1 else list(range(1, generators + 1))):
        wrong.append(f"generators are {parts}")
    if faults:
        wrong.append(f"invalid: {faults}")
    return [f"{name}: {what}" for what in wrong]


def table(generators, results, *names):
    wrong, one = [], None
    print("run         generators  claims  lost  twice  p50 us of grant-lane, hget-lane   CPU us/claim  shares of the generators")
    for name in names:
        found = list(pathlib.Path(results, name).glob("*/result.json"))
        if len(found) != 1:
            sys.exit(f"{name}: {len(found)} results, one was expected")
        result = json.loads(found[0].read_text())
        expected = 1 if name == "one" else int(generators)
        wrong += checked(name, result, expected)
        p50 = {variant["name"]: variant["service_us"]["p50"] for variant in result["variants"]}
        claimed, audit = sum(v["outcomes"]["claimed"] for v in result["variants"]), result["audit"]
        shares = " ".join(f"{100 * part['claims_share']:.0f} %" for part in result.get("generator_summaries", [])) or "100 %"
        cpu = 1e6 * result["generator"]["thread_cpu_s"] / max(1, audit["claimed"])
        print(f"{name:<12}{expected:>9}  {claimed:>7}  {audit['lost']:>4}  {audit['double_claims']:>5}  "
              f"{p50['grant-lane']:>14.0f}, {p50['hget-lane']:>9.0f}      {cpu:>14.1f}  {shares}")
    if wrong:
        sys.exit("\n".join(wrong))


def ports(count):
    first_given = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    free = []
    for port in random.sample(range(min(10_000, first_given // 2), first_given), 1000):
        with socket.socket() as one:
            try:
                one.bind(("", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == int(count):
            return print(*free)
    sys.exit("no free ports below those that the kernel gives to connections")


if __name__ == "__main__":
    {"kubernetes": pod, "table": table, "ports": ports}[sys.argv[1]](*sys.argv[2:])
