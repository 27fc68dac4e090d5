"""The rendering process: ``python -m postroad.runtime.rendering.process``.

Reads jobs from standard input and answers to standard output, each a length (4 octets, big endian) and
JSON, until its input ends. It has no file and no network to lose, little memory, and its owner kills it
where it takes too long.
"""

import resource
import signal
import struct
import sys
from typing import BinaryIO

import msgspec

from postroad.message.template import render
from postroad.model import Rendered, RenderJob
from postroad.ports import Fault, TemplateFailed

LENGTH = struct.Struct(">I")
JOB_SECONDS = 60
"""The process does not outlive its owner by more, whatever it is at."""
MAX_MEMORY_OCTETS = 1024 * 1024 * 1024
"""Of addresses; what is in use is a small part of it."""


def answer(job: bytes) -> Rendered | Fault:
    """Render one job."""
    try:
        return render(msgspec.json.decode(job, type=RenderJob))
    except TemplateFailed as error:
        return error.fault
    except MemoryError:
        return Fault("it takes too much memory")
    except BaseException as error:  # a panic of a library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return Fault(f"{type(error).__name__}: {error}"[:500])


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the jobs end."""
    while len(head := jobs.read(LENGTH.size)) == LENGTH.size:
        job = jobs.read(LENGTH.unpack(head)[0])
        signal.alarm(JOB_SECONDS)
        made = msgspec.json.encode(answer(job))
        signal.alarm(0)
        answers.write(LENGTH.pack(len(made)) + made)
        answers.flush()


def main() -> int:
    """Run; return the exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_OCTETS, MAX_MEMORY_OCTETS))
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
