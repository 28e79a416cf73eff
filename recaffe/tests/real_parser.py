"""Real Caffe's own reading of prototxt and binary messages, one after the other: run by real Caffe's Python (3.6+).

Reads lines `[MESSAGE, FORM, UPGRADE, PATH, OUT]` in JSON: MESSAGE NetParameter or SolverParameter; FORM text or binary;
UPGRADE whether to. Answers each with a word: "read" (and OUT is the message in binary), "refused" (by its parser),
"complains" (its upgrade does, but goes on: OUT is what it makes), or "died" (a failed check, which aborts the process,
a child of this one).
It calls libcaffe's functions themselves, because pycaffe gives no way to them that does not end the process.
"""

import ctypes
import json
import os
import resource
import sys

ANSWERS = ("read", "refused", "complains")
LIBRARY = ctypes.CDLL("libcaffe.so.1.0.0")
READ = {
    "text": LIBRARY._ZN5caffe21ReadProtoFromTextFileEPKcPN6google8protobuf7MessageE,
    "binary": LIBRARY._ZN5caffe23ReadProtoFromBinaryFileEPKcPN6google8protobuf7MessageE,
}
CONSTRUCT = {
    "NetParameter": LIBRARY._ZN5caffe12NetParameterC1EPN6google8protobuf5ArenaE,
    "SolverParameter": LIBRARY._ZN5caffe15SolverParameterC1EPN6google8protobuf5ArenaE,
}
STRING = "ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
UPGRADE = {
    "NetParameter": LIBRARY["_ZN5caffe18UpgradeNetAsNeeded" + STRING + "PNS_12NetParameterE"],
    "SolverParameter": LIBRARY["_ZN5caffe21UpgradeSolverAsNeeded" + STRING + "PNS_15SolverParameterE"],
}
WRITE = LIBRARY._ZN5caffe22WriteProtoToBinaryFileERKN6google8protobuf7MessageEPKc
for function in (*READ.values(), *UPGRADE.values()):
    function.restype = ctypes.c_bool


class String(ctypes.Structure):
    """A std::string of libstdc++ that is only read."""

    _fields_ = [("data", ctypes.c_char_p), ("length", ctypes.c_size_t), ("local", ctypes.c_char * 16)]


def convert(kind, form, upgrade, path, out):
    """An index into ANSWERS; where the file can be read, `out` is written."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    message = ctypes.create_string_buffer(1 << 14)  # more than any message's own fields take
    CONSTRUCT[kind](message, None)
    if not READ[form](path.encode(), message):
        return 1
    name = b"case"
    is_fine = not upgrade or UPGRADE[kind](ctypes.byref(String(name, len(name))), message)
    WRITE(message, out.encode())
    return 0 if is_fine else 2


def main():
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(convert(*json.loads(line)))
        status = os.waitpid(child, 0)[1]
        print(ANSWERS[os.WEXITSTATUS(status)] if os.WIFEXITED(status) else "died", flush=True)


if __name__ == "__main__":
    main()
