"""Runs a program on a terminal of its own and types for it.

terminal.py SCRIPT PROGRAM ARGUMENTS...: SCRIPT is a JSON list of steps, each {"expect": regular expression, "send": text}:
once the output since the step before matches, the text is typed. Prints JSON: exit code and all output. Fails where
the output does not come."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

DEADLINE = 200  # seconds for one step: a loaded machine is slow


def read_some(terminal, deadline):
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        raise TimeoutError
    try:
        return os.read(terminal, 65536)
    except OSError as error:  # Linux says this when the other side has gone
        if error.errno != errno.EIO:
            raise
        return b""


def main():
    steps = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    output, start = b"", 0
    for step in [*steps, None]:
        deadline = time.monotonic() + DEADLINE
        while True:
            found = step and re.search(step["expect"].encode(), output[start:], re.S)
            if found:
                start += found.end()
                os.write(terminal, step["send"].encode())
                break
            try:
                chunk = read_some(terminal, deadline)
            except TimeoutError:
                sys.exit(f"no {step} within {DEADLINE} s; output: {output!r}")
            if not chunk:
                if step:
                    sys.exit(f"it ended before {step}; output: {output!r}")
                break
            output += chunk
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"code": status, "output": output.decode(errors="replace")}))


main()
