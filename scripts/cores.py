"""The processor as the scripts beside this file see it."""

import os
import pathlib


def physical_cores():
    """The logical cores that this process may use, by physical core: as the tool sees them."""
    cores = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            text = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
            name = int(text.replace("-", ",").split(",")[0])
        except OSError:
            name = cpu
        cores.setdefault(name, []).append(cpu)
    return [cores[name] for name in sorted(cores)]
