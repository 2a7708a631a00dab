"""`python -m service` that may open as many files as the variable `NUM_DESCRIPTORS` says."""

import os
import resource
import sys

from service.cli.main import main

if __name__ == "__main__":
    wanted = int(os.environ["NUM_DESCRIPTORS"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    sys.exit(main(["serve", *sys.argv[1:]]))
