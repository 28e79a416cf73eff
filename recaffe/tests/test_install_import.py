"""Importing recaffe is quick, and what needs no torch loads none."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import recaffe

PROJECT = Path(recaffe.__file__).resolve().parents[1]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


def test_import_is_quick_and_loads_no_torch():
    modules = ("", ".proto.caffe_pb2", ".net_spec", ".io", ".coord_map", ".draw", ".run", ".parallel", ".timer")
    code = f"""
import time
start = time.process_time()  # a busy machine makes it no slower
import {", ".join(f"recaffe{module}" for module in modules)}
import sys
print(time.process_time() - start, "torch" in sys.modules)
"""
    seconds, has_torch = python(code).split()
    assert has_torch == "False"
    assert float(seconds) < 0.5


def test_every_public_name_is_there():
    assert python("import recaffe; print([n for n in recaffe.__all__ if getattr(recaffe, n, None) is None])") == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'Nett'"):
        recaffe.Nett  # noqa: B018


def test_net_specs_are_written_as_in_pycaffe_without_torch():
    code = """
from recaffe import layers as L, params as P, NetSpec, to_proto
n = NetSpec()
n.data = L.Input(input_param={"shape": {"dim": [1, 3, 8, 8]}})
n.pool = L.Pooling(n.data, kernel_size=2, pool=P.Pooling.MAX)
import sys
print([layer.type for layer in n.to_proto().layer], "torch" in sys.modules)
"""
    assert python(code) == "['Input', 'Pooling'] False"
    assert (
        python("import recaffe.net; from recaffe import layers as L; print(L.ReLU().to_proto().layer[0].type)")
        == "ReLU"
    )


def test_phases_are_those_of_the_schema():
    from recaffe.proto import caffe_pb2

    assert (recaffe.TRAIN, recaffe.TEST) == (caffe_pb2.TRAIN, caffe_pb2.TEST)


def test_wheel_is_complete(tmp_path):
    """A wheel built from the project holds every module and the schema."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    copy = tmp_path / "project"
    ignored = ("*.egg-info", "build", "__pycache__", "tests")
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns(*ignored))
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(copy)], check=True)
    (wheel,) = tmp_path.glob("recaffe-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = PROJECT / "recaffe"
    expected = {str(path.relative_to(PROJECT)) for path in package.rglob("*.py")} | {"recaffe/proto/schema.proto"}
    assert expected <= inside
