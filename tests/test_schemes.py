"""The records of schemes, applications and nets against the paper's tables, typed in here once more."""

from __future__ import annotations

import pytest

from layerwise.applications import APPLICATIONS, get_application
from layerwise.errors import UsageError
from layerwise.nets import NETS, get_net
from layerwise.schemes import BASE_LR, GAMMA, LEARNED_LAYERS, MOMENTUM, SCHEMES, bias_filler, get_scheme, lr_mult
from layerwise.schemes import weight_filler as filler_of

# Table II: rates of the weights of conv1 to fc8.
TABLE_2 = {
    "finetune-conv1": (0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.01),
    "finetune-conv2": (0.0, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.01),
    "finetune-conv3": (0.0, 0.0, 0.001, 0.001, 0.001, 0.001, 0.001, 0.01),
    "finetune-conv4": (0.0, 0.0, 0.0, 0.001, 0.001, 0.001, 0.001, 0.01),
    "finetune-conv5": (0.0, 0.0, 0.0, 0.0, 0.001, 0.001, 0.001, 0.01),
    "finetune-fc6": (0.0, 0.0, 0.0, 0.0, 0.0, 0.001, 0.001, 0.01),
    "finetune-fc7": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.001, 0.01),
    "finetune-fc8": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01),
    "scratch-gaussian": (0.001,) * 8,
    "scratch-xavier": (0.001,) * 8,
    "scratch-msra": (0.001,) * 8,
}


def test_there_are_the_eleven_schemes_of_the_study():
    assert set(SCHEMES) == set(TABLE_2)


@pytest.mark.parametrize("name", TABLE_2)
def test_rates_are_those_of_table_2_and_a_bias_learns_twice_as_fast(name):
    for layer, rate in zip(LEARNED_LAYERS, TABLE_2[name], strict=True):
        weight, bias = lr_mult(SCHEMES[name], layer)
        assert BASE_LR * weight == pytest.approx(rate, abs=1e-12)
        assert bias == 2 * weight


def test_momentum_and_gamma_are_those_of_table_2():
    assert (MOMENTUM, GAMMA) == (0.9, 0.95)


@pytest.mark.parametrize("name", TABLE_2)
def test_fine_tuning_copies_all_but_fc8_and_scratch_copies_nothing(name):
    expected = LEARNED_LAYERS[:-1] if name.startswith("finetune") else ()
    assert SCHEMES[name].copied_layers == expected


@pytest.mark.parametrize("kind", ["xavier", "msra"])
def test_scratch_filler_is_used_in_every_layer(kind):
    assert {filler_of(SCHEMES[f"scratch-{kind}"], layer)["type"] for layer in LEARNED_LAYERS} == {kind}


def test_gaussian_fillers_and_biases_are_bvlc_alexnets():
    deviations = [filler_of(SCHEMES["scratch-gaussian"], layer)["std"] for layer in LEARNED_LAYERS]
    assert deviations == [0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01]
    assert [bias_filler(layer)["value"] for layer in LEARNED_LAYERS] == [0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0]


@pytest.mark.parametrize(
    ("look_up", "wrong", "nearest"),
    [
        (get_scheme, "finetune-con4", "finetune-conv4"),
        (get_application, "polyps", "polyp"),
        (get_net, "alexnet-half", "alexnet_half"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(look_up, wrong, nearest):
    with pytest.raises(UsageError, match=f"unknown .* '{wrong}': did you mean '{nearest}'"):
        look_up(wrong)


def test_name_like_no_other_is_answered_with_all():
    with pytest.raises(UsageError, match="polyp, embolism, frames, intima") as caught:
        get_application("xyz")
    assert "did you mean" not in str(caught.value)


def test_training_sets_have_the_papers_sizes_and_a_fifth_validates():
    sizes = {name: application.n_training_patches for name, application in APPLICATIONS.items()}
    assert sizes == {"polyp": 100_000, "embolism": 81_000, "frames": 40_000, "intima": 200_000}
    assert {name: application.n_train_patches for name, application in APPLICATIONS.items()} == {
        "polyp": 80_000,
        "embolism": 64_800,
        "frames": 32_000,
        "intima": 160_000,
    }


def test_only_intima_media_has_three_classes():
    assert {name: application.n_classes for name, application in APPLICATIONS.items()} == {
        "polyp": 2,
        "embolism": 2,
        "frames": 2,
        "intima": 3,
    }


def test_default_validation_batch_divides_every_validation_set():
    """Caffe's Data layer never rewinds, so a pass of whole batches must end with the database."""
    for application in APPLICATIONS.values():
        assert application.n_validation_patches % NETS["alexnet"].val_batch == 0
