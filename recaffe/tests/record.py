"""Record what real Caffe computes for tests/cases/FAMILY and the training case into tests/recorded/FAMILY.npz.

python recaffe/tests/record.py [FAMILY ...], with real Caffe as $CAFFE_PYTHON or .caffe/caffe-python (make caffe).
Without arguments: every family, and "training".
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import training_case

TESTS = Path(__file__).resolve().parent


def main() -> None:
    python = os.environ.get("CAFFE_PYTHON", str(TESTS.parents[1] / ".caffe" / "caffe-python"))
    command = [python, str(TESTS / "oracle.py")]
    environment = {**os.environ, "GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}
    recorded = TESTS / "recorded"
    recorded.mkdir(exist_ok=True)
    families = sys.argv[1:] or [*sorted(path.name for path in (TESTS / "cases").iterdir()), "training"]
    for family in families:
        out = recorded / f"{family}.npz"
        if family != "training":
            subprocess.run([*command, "layers", TESTS / "cases" / family, out], env=environment, check=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            training_case.write(Path(folder))
            arguments = ["train", str(training_case.ITERATIONS), out]
            subprocess.run([*command, *arguments], env=environment, cwd=folder, check=True)


if __name__ == "__main__":
    main()
