"""Reading a study or a yaml changes nothing on disk."""

import pytest
import yaml
from mlkd_brain.study.command import read_study
from places import REPOSITORY

STUDIES = sorted(REPOSITORY.glob("recipes/*/MLKD/hparams/study*.yml"))
#: What a yaml may call when it is read: none of them writes.
READERS = {
    "os.getenv",
    "len",
    "speechbrain.utils.seed_everything",
    "mlkd_brain.data.own_corpus.folder_of",
    "mlkd_brain.data.own_corpus.labels",
    "mlkd_brain.pretraining.brain.drop_blocks",
}


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_reading_a_study_writes_nothing(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_study([str(study)], study.parents[1])
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_a_yaml_calls_writes():
    files = sorted(REPOSITORY.glob("recipes/*/*/hparams/*.y*ml"))
    called = {
        event.tag.removeprefix("!apply:")
        for file in files
        for event in yaml.parse(file.read_text(encoding="utf-8"))
        if (getattr(event, "tag", None) or "").startswith("!apply:")
    }
    assert len(files) >= 12 and called and called <= READERS
