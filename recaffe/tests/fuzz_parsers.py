"""Coverage-guided fuzzing of what reads files (not part of the tests; findings become cases of test_fuzz_findings.py).

pip install atheris
python recaffe/tests/fuzz_parsers.py TARGET CORPUS [libFuzzer options, as -max_total_time=3600 -rss_limit_mb=4096]

TARGET   text     prototxt of nets and solvers: read, upgraded, written and read again
         binary   caffemodels, solver states and means: read, upgraded
         net      prototxt to net: built for both phases, run forward and backward
CORPUS   a folder for the inputs found; an empty one is first given the nets of the tests

Anything but CaffeError or ValueError that escapes is a finding: libFuzzer prints it and keeps the input as crash-*.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["recaffe"]):
    import recaffe
    from recaffe import blob, io
    from recaffe.net import Net
    from recaffe.proto import caffe_pb2, files, text

TESTS = Path(__file__).resolve().parent
MOST_VALUES = 2**18  # of a blob: nets stay small, and what passes by the limit shows as time or memory


def try_text(data: bytes) -> None:
    message_class = caffe_pb2.SolverParameter if data[:1] == b"s" else caffe_pb2.NetParameter
    upgrade = files.upgrade.upgrade_solver if data[:1] == b"s" else files.upgrade.upgrade_net
    message = files.parse_text(data[1:], message_class, "input")
    upgrade(message)
    written = text.format(message)
    again = text.parse(written, message_class).SerializeToString(deterministic=True)
    assert again == message.SerializeToString(deterministic=True), written


def try_binary(data: bytes) -> None:
    kinds = (caffe_pb2.NetParameter, caffe_pb2.SolverState, caffe_pb2.BlobProto)
    message = files.parse_binary(data[1:], kinds[data[0] % len(kinds)] if data else kinds[0], "input")
    if isinstance(message, caffe_pb2.NetParameter):
        files.upgrade.upgrade_net(message)
        blobs = [proto for layer in message.layer for proto in layer.blobs]
    else:
        blobs = message.history if isinstance(message, caffe_pb2.SolverState) else [message]
    for proto in blobs:
        io.blobproto_to_array(proto)


def try_net(data: bytes) -> None:
    param = files.parse_text(data, caffe_pb2.NetParameter, "input")
    files.upgrade.upgrade_net(param)
    for phase in (recaffe.TRAIN, recaffe.TEST):
        param.state.phase = phase
        net = Net.from_param(param)
        net.forward()
        net.backward()


def seed(corpus: Path, target: str) -> None:
    """Put what the tests have into an empty corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    if any(corpus.iterdir()):
        return
    from test_proto_upgrade import V0_NET, V1_NET  # beside this file

    nets = [path.read_bytes() for path in sorted(TESTS.glob("cases/**/*.prototxt"))]
    for number, content in enumerate([V0_NET.encode(), V1_NET.encode(), *nets]):
        if target == "text":
            content = b"n" + content
        elif target == "binary":
            content = b"\0" + text.parse(content.decode(), caffe_pb2.NetParameter).SerializeToString()
        (corpus / f"seed-{number}").write_bytes(content)


def dictionary(path: Path) -> None:
    """Write the schema's names, for libFuzzer to put into inputs."""
    file = caffe_pb2.DESCRIPTOR
    words = {field.name for message in file.message_types_by_name.values() for field in message.fields}
    words |= {name for message in file.message_types_by_name.values() for name in message.enum_values_by_name}
    words |= {*recaffe.layer_type_list(), "0x7fffffff", "4294967295", "-1", "inf", "nan", "{ }", "shape { dim: 0 }"}
    path.write_text("".join(f'"{word}"\n' for word in sorted(words)))


def main() -> None:
    target, corpus = sys.argv[1], Path(sys.argv[2]).absolute()
    attempt: Any = {"text": try_text, "binary": try_binary, "net": try_net}[target]
    seed(corpus, target)
    blob._MOST_VALUES = MOST_VALUES
    logging.disable()
    warnings.simplefilter("ignore")
    scratch = tempfile.mkdtemp()
    dictionary(Path(scratch) / "words")
    artifacts = Path.cwd()
    os.chdir(scratch)  # a net that writes files writes them there

    def once(data: bytes) -> None:
        with contextlib.suppress(recaffe.CaffeError, ValueError):
            attempt(data)

    options = [f"-dict={scratch}/words", f"-artifact_prefix={artifacts}/", "-timeout=20", *sys.argv[3:]]
    atheris.Setup([sys.argv[0], str(corpus), *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
