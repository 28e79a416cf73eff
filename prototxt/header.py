"""The comments at the head of each generated file: what it is, what it freezes, and what the paper leaves open."""

from __future__ import annotations

from layerwise.applications import Application
from layerwise.nets import MEAN_BGR, NetRecord
from layerwise.schemes import BASE_LR, FC8_FACTOR, WEIGHT_DECAY, Scheme


def train_val_header(application: Application, scheme: Scheme, net: NetRecord, train_batch: int, val_batch: int) -> str:
    lines = [
        f"{scheme.name} of {_about(application)}",
        f"{net.title}.",
        *_learning(application, scheme),
        *_padding(application, net),
        f"chosen: batch {train_batch} in training, {val_batch} in validation; the paper states neither.",
        "chosen: ImageNet's channel means; the paper does not say what it subtracts.",
        "chosen: neither crop nor mirror; patches are cut to size and varied before.",
        "chosen: decay on weights and not on biases, as bvlc_alexnet.",
        "chosen: bias fillers, and the deviations of gaussian ones, as bvlc_alexnet.",
    ]
    return _comment(lines)


def deploy_header(application: Application, net: NetRecord) -> str:
    means = ", ".join(f"{mean:g}" for mean in MEAN_BGR)
    lines = [
        f"Scores patches for {_about(application)}",
        f"{net.title}. It is the same for every scheme.",
        *_padding(application, net),
        f"chosen: ImageNet's channel means; subtract them from the patch first: {means} (blue, green, red).",
    ]
    return _comment(lines)


def solver_header(application: Application, scheme: Scheme, notes: list[str], choices: list[str]) -> str:
    """notes: where stepsize and max_iter come from. choices: what the caller chose beyond the weight decay."""
    lines = [
        f"{scheme.name} of {_about(application)}",
        "Rate, momentum, gamma and policy: equations 1 and 2 and Table II; the layers' factors: train_val.prototxt.",
        *notes,
        f"chosen: weight_decay {WEIGHT_DECAY:g}, as bvlc_alexnet; the paper's equations have none (0 = literally).",
        *_clipping(scheme),
        *(f"chosen: {choice}" for choice in choices),
    ]
    return _comment(lines)


def _about(application: Application) -> str:
    return f"{application.title}: Tajbakhsh et al. 2016, section {application.section}."


def _learning(application: Application, scheme: Scheme) -> list[str]:
    """What is copied, frozen and tuned, with the rates of Table II."""
    if not scheme.copies_source:
        return [
            f"Nothing is copied: all layers are filled ({scheme.filler}) and learn at {BASE_LR:g}, biases at twice."
        ]
    frozen = scheme.frozen_layers
    tuned = [layer for layer in scheme.copied_layers if layer not in frozen]
    dropout = "; dropout acts in them all the same" if "fc6" in frozen else ""
    return [
        f"Copied from the source weights: {' '.join(scheme.copied_layers)}. New: {application.fc8}.",
        f"Frozen (lr_mult 0: no update, no decay, no backward): {' '.join(frozen) or 'nothing'}{dropout}.",
        f"Tuned at {BASE_LR:g}: {' '.join(tuned) or 'nothing'}. "
        f"At {BASE_LR * FC8_FACTOR:g}: {application.fc8}. Biases at twice the rate.",
    ]


def _padding(application: Application, net: NetRecord) -> list[str]:
    if application.padded:
        return []
    return [
        f"chosen: no padding, and patches of {net.patch_size(application)} px that show what {net.input_size} px and "
        "zeros would hide;",
        "  so a pass over a whole region gives every score that patches give one by one (layerwise/net_surgery.py).",
    ]


def _clipping(scheme: Scheme) -> list[str]:
    if scheme.clip_gradients is None:
        return []
    return [
        f"chosen: clip_gradients {scheme.clip_gradients:g}; {scheme.filler} on unscaled pixels diverges without it."
    ]


def _comment(lines: list[str]) -> str:
    return "".join(f"# {line}\n" for line in (*lines, "Written by prototxt/generate.py: change that, not this file."))
