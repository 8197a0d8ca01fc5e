"""Starts a program as on a machine that is set up badly, without touching the machine.

    afflict.py [memlock|rings|pages]... -- PROGRAM ARGUMENT...

memlock  no capability to lock memory, and a soft limit of 64 KiB
rings    a seccomp filter that refuses io_uring_setup
pages    no huge pages
"""

import ctypes
import os
import resource
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_THP_DISABLE = 24, 38, 22, 41
CAP_IPC_LOCK, EPERM = 14, 1
IO_URING_SETUP = 425  # on every architecture


def prctl(*words):
    words = [ctypes.c_ulong(word) for word in words] + [ctypes.c_ulong(0)] * (5 - len(words))
    if LIBC.prctl(*words) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def memlock():
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, hard))
    # What is not in the bounding set is gone after the next exec.
    prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK)


def rings():
    load, equal, give = 0x20, 0x15, 0x06
    filters = [
        struct.pack("HBBI", load, 0, 0, 0),  # the number of the call
        struct.pack("HBBI", equal, 0, 1, IO_URING_SETUP),
        struct.pack("HBBI", give, 0, 0, 0x00050000 | EPERM),
        struct.pack("HBBI", give, 0, 0, 0x7FFF0000),  # all others pass
    ]
    code = ctypes.create_string_buffer(b"".join(filters))
    program = struct.pack("HxxxxxxP", len(filters), ctypes.addressof(code))
    program = ctypes.create_string_buffer(program)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(program))


def pages():
    prctl(PR_SET_THP_DISABLE, 1)


AILMENTS = {"memlock": memlock, "rings": rings, "pages": pages}

end = sys.argv.index("--")
for name in sys.argv[1:end]:
    AILMENTS[name]()
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
