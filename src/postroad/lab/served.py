"""``python -m postroad.lab.served FILE``: a server of the lab in a process of its own."""

import sys
from pathlib import Path

from postroad.runtime.lifecycle import serve

if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
