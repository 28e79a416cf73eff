"""What an earlier run in the same folder means for the next one: nothing is lost."""

from __future__ import annotations

import pytest

from layerwise.errors import UsageError
from layerwise.files import write_json
from layerwise.run_folder import RunFolder

SETTINGS = {"scheme": "finetune-conv4", "epochs": 5.0}


@pytest.fixture
def folder(tmp_path):
    return RunFolder.of(tmp_path, "polyp", "finetune-conv4", "recaffe", 0)


def finish(folder: RunFolder) -> None:
    folder.write_run(SETTINGS)


def test_run_folder_is_named_by_application_scheme_engine_and_seed(folder, tmp_path):
    assert folder.path == tmp_path / "polyp" / "finetune-conv4" / "recaffe-seed0"


def test_finished_run_with_the_same_settings_is_not_trained_again(folder):
    assert folder.open(SETTINGS, resume=False, restart=False)
    finish(folder)
    assert not folder.open(SETTINGS, resume=False, restart=False)


def test_finished_run_with_other_settings_is_kept_aside(folder):
    folder.open(SETTINGS, resume=False, restart=False)
    finish(folder)
    assert folder.open({**SETTINGS, "epochs": 9.0}, resume=False, restart=False)
    assert (folder.path.with_name("recaffe-seed0.old1") / "run.json").is_file()
    assert not folder.run_json.exists()


def test_unfinished_run_is_neither_lost_nor_continued_silently(folder):
    folder.open(SETTINGS, resume=False, restart=False)
    write_json(folder.resume_json, {"iteration": 40})
    with pytest.raises(UsageError, match=r"stopped at iteration 40.*--resume.*--restart"):
        folder.open(SETTINGS, resume=False, restart=False)
    assert folder.resume_json.is_file()


def test_resume_with_other_settings_names_them(folder):
    folder.open(SETTINGS, resume=False, restart=False)
    write_json(folder.resume_json, {"iteration": 40})
    with pytest.raises(UsageError, match=r"epochs was 5\.0, now 9\.0"):
        folder.open({**SETTINGS, "epochs": 9.0}, resume=True, restart=False)


def test_resume_of_nothing_is_refused(folder):
    with pytest.raises(UsageError, match="nothing to resume"):
        folder.open(SETTINGS, resume=True, restart=False)


def test_keep_best_replaces_the_earlier_best(folder, tmp_path):
    folder.path.mkdir(parents=True)
    for text in ("first", "second"):
        source = tmp_path / f"{text}.caffemodel"
        source.write_text(text)
        folder.keep_best(source)
    assert folder.best_caffemodel.read_text() == "second"


def test_commands_refuse_a_folder_that_was_not_trained(folder):
    with pytest.raises(UsageError, match=r"no run\.json"):
        folder.read_run()
