"""What the demo page does, without a browser; with one: test_browser.py."""

import re
import socket

import numpy as np
import pytest
import soundfile
import torch
from demo_study import RATE, SYSTEMS, fabricate_demo_study
from mlkd_brain.__main__ import main
from mlkd_brain.demo.command import parser
from mlkd_brain.demo.pictures import decisions_html
from mlkd_brain.demo.sound import LONGEST_SECONDS, Noises, read_upload
from mlkd_brain.demo.systems import Decision, choose_runs
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognizer import load_recognizer
from mlkd_brain.noise.levels import noise_level, speech_level
from places import REPOSITORY
from portable_signals import speechlike


@pytest.fixture(scope="module")
def results(tmp_path_factory, tiny_wav2vec2):
    return fabricate_demo_study(tmp_path_factory.mktemp("demo"), tiny_wav2vec2)


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    pytest.importorskip("gradio", reason="the page needs Gradio")
    from mlkd_brain.demo.serving import load_page

    options = parser().parse_args([str(results)])
    return load_page(options, tmp_path_factory.mktemp("temporary"))


def shown(html):
    """System to the percentages of its bars."""
    cards = re.findall(r'data-system="(\w+)"(.*?)</section>', html, re.S)
    return {
        name: [float(p) for p in re.findall(r"([\d.]+) %", card)]
        for name, card in cards
    }


def test_the_page_shows_what_each_system_makes_of_the_mixture(page, results):
    (rate, mixture), _, html, message = page.listen("ang: u0", None, "hiss", 5)
    assert rate == RATE and message == ""
    found = shown(html)
    assert list(found) == SYSTEMS
    assert len({tuple(values) for values in found.values()}) == len(SYSTEMS)
    wav = torch.from_numpy(mixture / 32767).float()
    for system in SYSTEMS:
        own = load_recognizer(results / system / "1986" / "fold_3")
        wanted = 100 * own.classify_batch(wav)[0][0].numpy()
        # 16 bits of the player, one decimal on the page
        assert np.allclose(found[system], wanted, atol=0.2)


def test_the_mixture_has_the_snr_that_was_asked_for(page):
    (_, clean), *_ = page.listen("ang: u0", None, "none (clean speech)", 5)
    (_, mixture), *_ = page.listen("ang: u0", None, "hiss", 5)
    speech, noise = clean / 32767, (mixture - clean.astype(float)) / 32767
    # the player's 16 bits cost less than this
    assert speech_level(speech) - noise_level(noise) == pytest.approx(
        5, abs=0.1
    )


def test_the_noise_is_from_seconds_that_no_training_used(page):
    (_, clean), *_ = page.listen("ang: u0", None, "none (clean speech)", 0)
    (_, mixture), *_ = page.listen("ang: u0", None, "tones", 0)
    spectrum = np.abs(np.fft.rfft(mixture - clean.astype(float)))
    assert spectrum.argmax() * RATE / len(clean) == pytest.approx(3000, abs=2)


def test_a_sweep_and_a_timeline_are_drawn_for_every_system(page):
    figure, message = page.sweep("sad: u1", None, "hiss")
    assert message == ""
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == [name.replace("_", " ") for name in SYSTEMS]
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert ticks == ["clean", "20", "15", "10", "5", "0", "-5"]
    curve = figure.axes[0].lines[0].get_ydata()
    html = page.listen("sad: u1", None, "hiss", -5)[2]
    assert curve[-1] == pytest.approx(shown(html)["teacher"][0], abs=0.06)
    figure, message = page.timeline("sad: u1", None, "hiss", 0)
    assert message == "" and len(figure.axes) == len(SYSTEMS)


def test_without_input_the_page_says_what_to_do(page):
    assert page.listen("", None, "hiss", 0) == (None, None, "", "")
    assert "upload" in page.sweep("", None, "hiss")[1]
    assert "Choose a noise" in page.sweep("ang: u0", None, page_no_noise())[1]


def page_no_noise():
    from mlkd_brain.demo.page import NO_NOISE

    return NO_NOISE


def test_a_long_recording_is_decided_on_its_beginning(page, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(speechlike(seconds=4), 8), RATE)
    *_, message = page.listen("", str(path), "hiss", 10)
    assert "first 30 s" in message and "Over time" in message


def write_text(path):
    path.write_text("no audio")


def write_silence(path):
    soundfile.write(path, np.zeros(RATE), RATE)


def write_hours(path):
    soundfile.write(path, np.zeros((LONGEST_SECONDS + 1) * 100), 100)


def write_instant(path):
    soundfile.write(path, np.ones(10), RATE)


@pytest.mark.parametrize(
    "write, complaint",
    [
        (write_text, "cannot be read as audio"),
        (write_silence, "is silent"),
        (write_hours, "lasts 301 s, this page takes 300 s"),
        (write_instant, "at least 0.025 s"),
    ],
)
def test_an_upload_that_cannot_be_used_is_named_and_clears_the_page(
    page, tmp_path, write, complaint
):
    path = tmp_path / "mine.wav"
    write(path)
    mixture, picture, html, message = page.listen("", str(path), "hiss", 0)
    assert (mixture, picture, html) == (None, None, "")
    assert "mine.wav: " in message and complaint in message
    assert str(tmp_path) not in message
    with pytest.raises(InputError, match=complaint):
        read_upload(path)


def test_without_a_noise_folder_noise_is_made(tmp_path):
    settings = {
        "noise_folder": "/there/is/none",
        "noise_shares": {"train": 0.6, "valid": 0.2, "test": 0.2},
        "weighting": "g712",
    }
    noises = Noises(settings, tmp_path)
    assert noises.are_made_up and noises.types == ["pink", "white"]


def test_the_study_is_shown_in_a_frame_without_scripts(page, results):
    assert "mlkd report" in page.study()
    report = results / "report"
    (report / "figures").mkdir(parents=True)
    (report / "figures" / "a.png").write_bytes(b"picture")
    (report / "report.html").write_text('<img src="figures/a.png">')
    frame = page.study()
    assert frame.startswith("<iframe") and " sandbox " in frame
    assert "data:image/png;base64,cGljdHVyZQ==" in frame


def test_names_of_classes_are_no_markup():
    html = decisions_html({"<b>": Decision({"<script>": 1.0}, 0.0)})
    assert "<script>" not in html and 'data-system="&lt;b&gt;"' in html


def test_the_fold_with_most_systems_is_compared(results, tmp_path):
    assert [run.key for run in choose_runs(results)] == [
        (system, "1986", 3) for system in SYSTEMS
    ]
    (only,) = choose_runs(results, systems=["student"])
    assert only.key[0] == "student"
    with pytest.raises(InputError, match="holds no trained model.*make demo"):
        choose_runs(results, fold=1)


def test_a_folder_without_models_is_one_line(tmp_path, capsys):
    pytest.importorskip("gradio", reason="the page needs Gradio")
    with pytest.raises(SystemExit) as stopped:
        main(["demo", str(tmp_path)])
    assert stopped.value.code == 2
    assert "holds no trained model" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(page, results, tmp_path):
    from mlkd_brain.demo.serving import serve

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = parser().parse_args([str(results), "--port", str(port)])
        with pytest.raises(InputError, match="Give another --port"):
            serve(options, tmp_path)


def test_gradio_is_used_by_the_page_alone():
    library = REPOSITORY / "mlkd_brain"
    users = {
        path.parent.name
        for path in library.rglob("*.py")
        if re.search(r"^\s*(import|from) gradio", path.read_text(), re.M)
    }
    assert users == {"demo"}
