"""`python -m service` within the control group that the variable `CGROUP_PROCESSES` names."""

import os
import sys
from pathlib import Path

from service.cli.main import main

if __name__ == "__main__":
    if group := os.environ.get("CGROUP_PROCESSES"):
        Path(group).write_text(str(os.getpid()), "ascii")
    sys.exit(main(["serve", *sys.argv[1:]]))
