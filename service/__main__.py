"""`python -m service` is `pellucid serve`."""

import sys

from service.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
