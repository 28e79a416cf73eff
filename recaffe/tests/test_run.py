"""python -m recaffe.run: a script that says `import caffe`, and the name caffe within a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import caffe, caffe.io, caffe.coord_map
import recaffe
import caffe.proto.caffe_pb2 as pb
from caffe import layers as L, params as P, NetSpec
from caffe.proto import caffe_pb2
from caffe.coord_map import crop
from caffe.io import Transformer
import helper_beside_the_script
assert caffe is recaffe and pb is caffe_pb2 is recaffe.proto.caffe_pb2 and caffe.io is recaffe.io
assert caffe.__spec__.name == "recaffe" and caffe.io.__spec__.name == "recaffe.io"
assert not hasattr(caffe.io, "__path__")
assert Transformer is recaffe.io.Transformer and crop is caffe.coord_map.crop
try:
    import caffe.no_such_module
except ModuleNotFoundError as error:
    print(error)
print(__name__, sys.argv, helper_beside_the_script.WHERE, str(L.Pooling(pool=P.Pooling.MAX).to_proto().layer[0].type))
if len(sys.argv) > 2:
    sys.exit(7)
"""
FOREIGN = 'raise RuntimeError("another caffe was loaded")\n'


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recaffe.run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment or None)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with the script, a module beside it, and a package `caffe` that is not ours."""
    folder = tmp_path / "scripts"
    (folder / "caffe").mkdir(parents=True)
    (folder / "caffe" / "__init__.py").write_text(FOREIGN)
    (folder / "script.py").write_text(SCRIPT)
    (folder / "helper_beside_the_script.py").write_text("WHERE = 'beside'\n")
    return folder


def test_script_runs_as_main_with_its_arguments_and_no_other_caffe(scripts, tmp_path):
    done = run(str(scripts / "script.py"), "--lr", cwd=tmp_path)
    assert done.stderr == ""
    path = str(scripts / "script.py")
    assert done.stdout.splitlines() == [
        "No module named 'caffe.no_such_module' (recaffe has none)",
        f"__main__ {[path, '--lr']} beside Pooling",
    ]


def test_exit_status_is_the_scripts(scripts):
    assert run("script.py", "a", "b", cwd=scripts).returncode == 7


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--allow-python-layers",), ("nowhere.py",)])
def test_no_script_is_said(arguments, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "recaffe.run" in done.stderr or "there is no file nowhere.py" in done.stderr


def test_name_caffe_is_taken_only_where_it_is_free():
    code = """
import sys, types
sys.modules["caffe"] = another = types.ModuleType("caffe")
from recaffe.alias import serve_as_caffe
serve_as_caffe()
import caffe
assert caffe is another
del sys.modules["caffe"]
serve_as_caffe()
serve_as_caffe()
import caffe, recaffe
assert caffe is recaffe and len([f for f in sys.meta_path if type(f).__module__ == "recaffe.alias"]) == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)
