"""`python -m service`, whose system calls strace writes into the file `SYSTEM_CALLS`."""

import os
import sys

if __name__ == "__main__":
    # -D: the service keeps this process, and the tracer is another one that ends with it.
    tracer = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", os.environ["SYSTEM_CALLS"]]
    os.execvp(tracer[0], [*tracer, sys.executable, "-m", "service", *sys.argv[1:]])
