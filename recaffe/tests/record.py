"""Record what real Caffe computes for tests/cases and the training case into tests/recorded.

python recaffe/tests/record.py, with real Caffe as $CAFFE_PYTHON or .caffe/caffe-python (make caffe).
"""

import os
import subprocess
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
    subprocess.run([*command, "layers", TESTS / "cases", recorded / "layers.npz"], env=environment, check=True)
    with tempfile.TemporaryDirectory() as folder:
        training_case.write(Path(folder))
        arguments = ["train", str(training_case.ITERATIONS), recorded / "training.npz"]
        subprocess.run([*command, *arguments], env=environment, cwd=folder, check=True)


if __name__ == "__main__":
    main()
