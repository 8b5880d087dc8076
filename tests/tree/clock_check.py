#!/usr/bin/env python3
"""clock_check.py PROGRAM: the daemon's own std::chrono::system_clock::now() is the one that its libraries find, and it does
not itself wait until a time of that clock, which the kernel would compare with the real one."""
import subprocess
import sys

NOW = "_ZNSt6chrono3_V212system_clock3nowEv"
#: pthread_cond_clockwait is told which clock.
WAITS = ("pthread_cond_timedwait", "pthread_mutex_timedlock", "pthread_rwlock_timedrdlock", "pthread_rwlock_timedwrlock", "sem_timedwait")


def symbols(program, which):
    listed = subprocess.run(["nm", "--dynamic", which, program], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in listed.splitlines()}


def main():
    program = sys.argv[1]
    faults = [] if NOW in symbols(program, "--defined-only") else [f"does not export {NOW}"]
    faults += [f"calls {name}" for name in sorted(symbols(program, "--undefined-only"))
               if name in WAITS or ("_M_futex_wait_until" in name and "steady" not in name)]
    print("\n".join(f"{program}: {fault}" for fault in faults) or f"{program}: its own clock, and no wait by another")
    return bool(faults)


sys.exit(main())
