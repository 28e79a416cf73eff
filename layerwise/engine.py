"""Who executes: recaffe in our process, or real Caffe as a child that speaks JSON lines.

Our process never imports real caffe: two copies of Caffe's schema in one process collide.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from layerwise import pycaffe_worker
from layerwise.errors import EngineError, UsageError

Event = dict[str, Any]
OnEvent = Callable[[Event], Event | None]

ENGINES = ("recaffe", "caffe")
WRAPPER = Path(".caffe") / "caffe-python"  # what `make caffe` writes
LOG_TAIL_LINES = 15


class Engine(Protocol):
    """Runs one job of `pycaffe_worker` and hands each event to `on_event`, whose answer goes back to the worker."""

    name: str

    def device(self, wanted: str) -> str | int:
        """Turn "auto", "cpu", "gpu" or a GPU's index into "cpu" or an index."""
        ...

    def run(self, task: str, job: dict[str, Any], on_event: OnEvent, log_path: Path) -> None:
        """Run `task` ("train", "predict" or "maps"); Caffe's log goes to `log_path` (appended). Raises EngineError."""
        ...


def open_engine(name: str) -> Engine:
    """The engine called `name`; EngineError if it is not on this machine, with the command that brings it."""
    if name == "recaffe":
        return RecaffeEngine()
    if name == "caffe":
        return CaffeEngine(find_caffe_python())
    raise UsageError(f"unknown engine '{name}': expected one of {', '.join(ENGINES)}")


def load_recaffe() -> Any:
    """recaffe as a caffe module, for a command that is no run: making and probing source weights."""
    import recaffe

    return recaffe


def find_caffe_python() -> Path:
    """The Python that has real pycaffe: $CAFFE_PYTHON, else what `make caffe` made."""
    named = os.environ.get("CAFFE_PYTHON")
    python = Path(named) if named else Path(__file__).parents[1] / WRAPPER
    if not python.is_file():
        where = "named by CAFFE_PYTHON" if named else "made by `make caffe`"
        raise EngineError(
            f"ENGINE=caffe needs a Python with real pycaffe, and {python} ({where}) is not there. "
            "Run `make caffe`, or set CAFFE_PYTHON, or use ENGINE=recaffe."
        )
    return python


class RecaffeEngine:
    name = "recaffe"

    def device(self, wanted: str) -> str | int:
        import torch

        index = 0 if wanted in ("auto", "cpu", "gpu") else _gpu_index(wanted)
        if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
            return "cpu"
        if not torch.cuda.is_available():
            raise EngineError(f"device '{wanted}' was asked for, but torch sees no CUDA device; use --device cpu")
        return index

    def run(self, task: str, job: dict[str, Any], on_event: OnEvent, log_path: Path) -> None:
        import recaffe

        with _recaffe_log_to(log_path):
            worker: Generator[Event, Event, None] = getattr(pycaffe_worker, task)(recaffe, job)
            try:
                event = next(worker)
                while True:
                    event = worker.send(on_event(event) or {})
            except StopIteration:
                return
            except (recaffe.CaffeError, FloatingPointError) as error:
                raise EngineError(f"recaffe stopped: {error}") from error
            finally:
                worker.close()


@contextmanager
def _recaffe_log_to(path: Path) -> Iterator[None]:
    """Append recaffe's log, in glog's form, to `path`."""
    from recaffe.glog import GlogFormatter

    path.parent.mkdir(parents=True, exist_ok=True)
    logger, handler = logging.getLogger("recaffe"), logging.FileHandler(path)
    handler.setFormatter(GlogFormatter())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


class CaffeEngine:
    name = "caffe"

    def __init__(self, python: Path) -> None:
        self.python = python

    def device(self, wanted: str) -> str | int:
        """A CPU-only Caffe aborts when it is asked for a GPU, so a child of its own finds out."""
        if wanted == "cpu":
            return "cpu"
        index = 0 if wanted in ("auto", "gpu") else _gpu_index(wanted)
        probe = f"import caffe; caffe.set_device({index}); caffe.set_mode_gpu()"
        works = subprocess.run([str(self.python), "-c", probe], capture_output=True, check=False).returncode == 0
        if works:
            return index
        if wanted == "auto":
            return "cpu"
        raise EngineError(
            f"device '{wanted}' was asked for, but {self.python} cannot use GPU {index}; use --device cpu"
        )

    def run(self, task: str, job: dict[str, Any], on_event: OnEvent, log_path: Path) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder, log_path.open("ab") as log:
            job_path = Path(folder) / "job.json"
            job_path.write_text(json.dumps({**job, "task": task}))
            child = subprocess.Popen(
                [str(self.python), str(Path(pycaffe_worker.__file__).resolve()), str(job_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches us alone; we then ask the child to snapshot
            )
            with child:
                try:
                    finished = self._converse(child, on_event)
                except BaseException:
                    child.kill()
                    raise
        if not finished:
            raise EngineError(
                f"real Caffe died (exit status {child.returncode}) during {task}. The end of {log_path}:\n"
                + "\n".join(f"  {line}" for line in tail(log_path))
            )

    @staticmethod
    def _converse(child: subprocess.Popen[str], on_event: OnEvent) -> bool:
        """Pass events and replies until the last event; False if the child's output ends before it."""
        assert child.stdout is not None and child.stdin is not None
        for line in child.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                raise EngineError(f"real Caffe stopped: {event['reason']}")
            reply = on_event(event) or {}
            try:
                child.stdin.write(json.dumps(reply) + "\n")
                child.stdin.flush()
            except BrokenPipeError:
                return event["event"] == "done"
            if event["event"] == "done":
                return True
        return False


def _gpu_index(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"unknown device '{text}': expected auto, cpu, gpu or the index of a GPU")
    return int(text)


def tail(path: Path, lines: int = LOG_TAIL_LINES) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:]
