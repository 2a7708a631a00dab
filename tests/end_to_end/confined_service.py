"""`python -m service` within the control group and on the CPUs that variables name.

`CGROUP_PROCESSES` is the file of the group, `SERVER_CPUS` has numbers, separated by ','.
"""

import os
import sys
from pathlib import Path

from service.cli.main import main

if __name__ == "__main__":
    if group := os.environ.get("CGROUP_PROCESSES"):
        Path(group).write_text(str(os.getpid()), "ascii")
    if cpus := os.environ.get("SERVER_CPUS"):
        os.sched_setaffinity(0, {int(number) for number in cpus.split(",")})
    sys.exit(main(["serve", *sys.argv[1:]]))
