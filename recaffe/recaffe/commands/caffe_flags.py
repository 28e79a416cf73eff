"""What train, test, time and device_query have in common: one set of flags, as the program `caffe` has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import recaffe
from recaffe.commands.flags import UsageError, flag, no_words, parse
from recaffe.errors import CaffeError
from recaffe.permissions import allow_python_layers

PHASES = {"": recaffe.TRAIN, "TRAIN": recaffe.TRAIN, "TEST": recaffe.TEST}


@dataclass
class Flags:
    gpu: str = flag("", "The GPU to compute on, counted from 0, or 'all' where there is one. Default: the CPU.")
    solver: str = flag("", "The solver prototxt.")
    model: str = flag("", "The net prototxt.")
    phase: str = flag("", "TRAIN (default) or TEST, for 'time'.")
    level: int = flag(0, "The net's level.")
    stage: str = flag("", "The net's stages (not its phase), separated by ','.")
    snapshot: str = flag("", "The solverstate to resume training from.")
    weights: str = flag("", "The caffemodels to start from, separated by ','. Not together with snapshot.")
    iterations: int = flag(50, "How many iterations 'test' and 'time' run.")
    sigint_effect: str = flag("stop", "What Ctrl-C does to a training: snapshot, stop or none.")
    sighup_effect: str = flag("snapshot", "What a hang-up signal does to a training: snapshot, stop or none.")
    allow_python_layers: bool = flag(
        False, "Run the code that layers of type Python name. Only for nets that you trust as you trust a program."
    )

    @property
    def stages(self) -> list[str]:
        """As Caffe splits them: one empty stage where none is given."""
        return self.stage.split(",")


def read_flags(argv: Sequence[str]) -> Flags:
    """The flags in argv; Python layers are allowed from here on if they say so."""
    flags, words = parse(Flags, argv)
    no_words(words)
    if flags.iterations < 1:
        raise UsageError(f"flag --iterations is {flags.iterations}, expected 1 or more")
    if flags.phase not in PHASES:
        raise UsageError(f"flag --phase is {flags.phase!r}, expected TRAIN or TEST")
    if flags.allow_python_layers:
        allow_python_layers()
    return flags


def gpus(asked: str) -> list[int]:
    """The GPUs that a --gpu flag names; none for the CPU. Raises UsageError for what is no number."""
    if asked == "all":
        import torch

        found = torch.cuda.device_count()
        if not found:
            raise CaffeError("there is no GPU: PyTorch finds no CUDA device here")
        return list(range(found))
    names = asked.split(",") if asked else []
    wrong = [name for name in names if not name.strip().isdecimal()]
    if wrong:
        raise UsageError(f"flag --gpu is {asked!r}, expected a number, or 'all'")
    return [int(name) for name in names]


def use_device(asked: str) -> int | None:
    """Compute on the GPU that --gpu names, or on the CPU; returns its number. Raises CaffeError for several."""
    chosen = gpus(asked)
    if len(chosen) > 1:
        raise CaffeError(
            f"--gpu {asked}: {len(chosen)} GPUs, but recaffe trains and runs on one; name one, as in --gpu {chosen[0]}"
        )
    if not chosen:
        recaffe.set_mode_cpu()
        return None
    recaffe.set_device(chosen[0])
    recaffe.set_mode_gpu()
    return chosen[0]
