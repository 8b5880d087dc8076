"""deny_syscall.py NUMBER ERRNO COMMAND...: runs a command for which one system call fails, as in a sandbox.

The number must mean the same call on all machines, as those above 423 do.
"""
import ctypes
import os
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("if_true", ctypes.c_uint8), ("if_false", ctypes.c_uint8),
                ("value", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]


def main():
    number, os_errno, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    instructions = (Instruction * 4)(
        Instruction(LOAD_WORD, 0, 0, 0),  # the number of the call
        Instruction(JUMP_IF_EQUAL, 0, 1, number),
        Instruction(RETURN, 0, 0, FAIL_WITH | os_errno),
        Instruction(RETURN, 0, 0, ALLOW))
    program = Program(len(instructions), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    for arguments in ((PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero),
                      (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(program), zero, zero)):
        if libc.prctl(*arguments) != 0:
            sys.exit(f"prctl({arguments[0]}): {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
