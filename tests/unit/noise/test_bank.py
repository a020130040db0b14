"""Noise that is the same for everybody, and never shared between parts."""

import hashlib
import multiprocessing
import pickle

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.errors import InputError
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import (
    WEIGHTINGS,
    gain_from_levels,
    measurement_filter,
    noise_level,
    speech_level,
)
from mlkd_brain.noise.sampling import (
    NoiseSample,
    NoiseSampler,
    evaluation_sample,
    uniform,
)
from torch.utils.data import DataLoader

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.epoch_loop import EpochCounter

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
RATES = {"babble": 22050, "hum": 16000, "volvo": 19980}
SECONDS = 10


@pytest.fixture(scope="module")
def noise_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    for number, (name, rate) in enumerate(RATES.items()):
        random = np.random.default_rng(number)
        samples = random.uniform(-0.2, 0.2, (SECONDS * rate, 1 + number % 2))
        soundfile.write(folder / f"{name}.wav", samples, rate)
    return folder


@pytest.fixture(scope="module")
def bank(noise_folder, tmp_path_factory):
    bank = NoiseBank(noise_folder, tmp_path_factory.mktemp("c"), shares=SHARES)
    bank.prepare()
    return bank


@pytest.fixture(scope="module")
def speech():
    time = np.arange(48000) / 16000
    envelope = np.sin(2 * np.pi * 1.1 * time) ** 2
    return (0.2 * envelope * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def test_the_parts_of_a_recording_are_disjoint_and_cover_it(bank):
    for name in bank.types:
        ranges = [bank.part_range(name, part) for part in SHARES]
        assert ranges[0][0] == 0
        for (_, stop), (start, _) in zip(ranges, ranges[1:]):
            assert stop == start
        whole = len(bank.segment(name, "train", 0.0, ranges[0][1]))
        assert whole == pytest.approx(0.6 * SECONDS * 16000, abs=2)


@settings(max_examples=50)
@given(
    st.sampled_from(sorted(RATES)),
    st.sampled_from(sorted(SHARES)),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, SECONDS * 16000),
)
def test_no_segment_leaves_the_range_of_its_part(
    bank, name, part, position, length
):
    first, stop = bank.part_range(name, part)
    start = bank._start(name, part, position, length)
    assert first <= start < stop
    assert start + length <= stop or start == first  # else it is looped


@settings(max_examples=50)
@given(
    st.sampled_from(sorted(RATES)),
    st.sampled_from(sorted(SHARES)),
    st.floats(0, 1, exclude_max=True),
    st.integers(400, 5 * 16000),
    st.sampled_from(WEIGHTINGS),
)
def test_the_level_by_running_sums_is_the_level_of_the_filtered_segment(
    bank, name, part, position, length, weighting
):
    whole = bank.segment(name, "train", 0.0, bank.part_range(name, "train")[1])
    rest = [
        bank.segment(name, p, 0.0, np.diff(bank.part_range(name, p))[0])
        for p in ("valid", "test")
    ]
    recording = np.concatenate([whole, *rest])
    filtered, rate = measurement_filter(recording, weighting)
    factor = 16000 // rate
    start = bank._start(name, part, position, length) // factor
    stop = bank.part_range(name, part)[1] // factor
    wanted = length // factor
    segment = np.resize(filtered[start : min(start + wanted, stop)], wanted)
    expected = 10 * np.log10(np.mean(segment**2) + 1e-20)
    level = bank.level(name, part, position, length, weighting)
    assert level == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("snr_db", [-5, 0, 20])
def test_the_mixture_has_the_wanted_snr(bank, speech, weighting, snr_db):
    draw = NoiseSample("babble", snr_db, 0.3)
    level = speech_level(speech, weighting)
    mixture = bank.mix(speech, level, draw, "train", weighting)
    assert mixture.dtype == np.float32 and np.abs(mixture).max() <= 1.0
    scale = float(mixture @ speech) / float(speech @ speech)
    noise = mixture / scale - speech
    # the tool filters from the recording's start, this check from the segment's
    assert level - noise_level(noise, weighting) == pytest.approx(
        snr_db, abs=0.1
    )


def test_the_stored_levels_give_the_gain_of_the_plain_function(bank, speech):
    segment = bank.segment("volvo", "test", 0.5, len(speech))
    levels = speech_level(speech), noise_level(segment)
    gain = gain_from_levels(*levels, 5.0)
    mixture = bank.mix(
        speech,
        speech_level(speech),
        NoiseSample("volvo", 5.0, 0.5),
        "test",
        "none",
    )
    assert np.allclose(mixture, speech + gain * segment, atol=1e-6)


def test_a_noise_shorter_than_the_speech_is_looped(bank):
    first, stop = bank.part_range("hum", "test")
    period = stop - first
    segment = bank.segment("hum", "test", 0.9, 2 * period + 10)
    assert np.array_equal(segment[:period], segment[period : 2 * period])
    assert np.array_equal(segment[:10], segment[-10:])


def test_silent_speech_comes_back_unchanged_with_its_name(bank):
    silence = np.zeros(16000, dtype=np.float32)
    with pytest.warns(UserWarning, match="utterance_7.*silent"):
        mixture = bank.mix(
            silence,
            -100.0,
            NoiseSample("hum", 0, 0.5),
            "test",
            "none",
            "utterance_7",
        )
    assert np.array_equal(mixture, silence)


def test_preparing_twice_does_nothing_and_new_recordings_are_prepared_anew(
    noise_folder, tmp_path
):
    bank = NoiseBank(noise_folder, tmp_path / "cache", ["hum"], SHARES)
    bank.prepare()
    (first,) = (tmp_path / "cache").glob("[!.]*")
    written = first.stat().st_mtime_ns
    bank.prepare()
    assert first.stat().st_mtime_ns == written
    other = NoiseBank(noise_folder, tmp_path / "cache", ["babble"], SHARES)
    other.prepare()
    assert len(list((tmp_path / "cache").glob("[!.]*"))) == 2
    assert bank.types == ["hum"] and other.types == ["babble"]


def test_a_worker_maps_the_recordings_and_is_not_sent_a_copy(bank):
    bank.segment("hum", "train", 0.0, 100)
    assert isinstance(bank._open("hum", "npy"), np.memmap)
    assert len(pickle.dumps(bank)) < 5000


# ------------------------------------------------------------------ draws


class Epoch:
    current = 1


def test_noise_can_be_one_an_utterance_instead_of_one_an_epoch(bank):
    names = [f"u{number}" for number in range(20)]
    samples = {}
    for noise_per in ("epoch", "utterance"):
        counter = EpochCounter(limit=3)
        noise = drawn(bank, counter, noise_per=noise_per)
        samples[noise_per] = [
            [noise.sample(name) for name in names] for _ in counter
        ]
    first, second, third = samples["utterance"]
    assert first == second == third and len(set(first)) == len(names)
    first, second, third = samples["epoch"]
    assert not set(first) & set(second) and not set(second) & set(third)
    with pytest.raises(InputError, match="'batch' for noise_per, expected"):
        drawn(bank, noise_per="batch")


def drawn(bank, epoch=Epoch, **changes):
    options = {"part": "train", "snrs_db": [0, 5, 10, 15, 20], "seed": 1986}
    noise = NoiseSampler(
        bank, weighting="none", epoch_counter=epoch, **{**options, **changes}
    )
    noise.resolve()
    return noise


def test_a_draw_depends_on_seed_epoch_and_utterance_alone(bank):
    later = EpochCounter(limit=9)
    later.current = 2
    first = drawn(bank).sample("u1")
    assert drawn(bank).sample("u1") == first
    assert drawn(bank, seed=7).sample("u1") != first
    assert drawn(bank, epoch=later).sample("u1") != first
    assert drawn(bank).sample("u2") != first


def test_what_is_mixed_is_what_was_drawn_for_the_utterance(bank, speech):
    noise = drawn(bank)
    mixed = {name: noise(name, speech, -30.0) for name in ("u1", "u2")}
    for name, mixture in mixed.items():
        options = noise.sample(name), "train", "none", name
        assert np.array_equal(mixture, bank.mix(speech, -30.0, *options))
    assert not np.array_equal(mixed["u1"], mixed["u2"])


def hashed(key, count):
    """The first numbers of a key's hash, each of eight bytes, in [0, 1)."""
    digest = hashlib.blake2b(key.encode(), digest_size=8 * count).digest()
    words = [digest[8 * i : 8 * i + 8] for i in range(count)]
    return [int.from_bytes(word, "little") / 2**64 for word in words]


def test_the_key_of_a_draw_stays_as_runs_of_earlier_versions_had_it(bank):
    (position,) = hashed("test\x1fu1\x1fvolvo", 1)
    tested = evaluation_sample("u1", "volvo", 5)
    assert tested == ("volvo", 5, pytest.approx(position, abs=2**-53))
    for epoch, word in ((Epoch, "1"), (None, "fixed")):
        noise, snr, position = hashed(f"train\x1f1986\x1f{word}\x1fu1", 3)
        assert drawn(bank, epoch).sample("u1") == (
            bank.types[int(3 * noise)],
            [0, 5, 10, 15, 20][int(5 * snr)],
            pytest.approx(position, abs=2**-53),
        )


def test_draws_cover_noises_snrs_and_places_evenly(bank):
    noise = drawn(bank)
    draws = [noise.sample(f"u{i}") for i in range(3000)]
    for value in RATES:
        share = np.mean([draw.noise == value for draw in draws])
        assert share == pytest.approx(1 / 3, abs=0.04)
    for value in (0, 5, 10, 15, 20):
        share = np.mean([draw.snr_db == value for draw in draws])
        assert share == pytest.approx(0.2, abs=0.04)
    places = np.array([draw.position for draw in draws])
    assert np.histogram(places, 4, (0, 1))[0] / 3000 == pytest.approx(
        0.25, abs=0.04
    )


def test_a_held_out_noise_is_never_drawn(bank):
    noise = drawn(bank, held_out_noise="volvo")
    heard = {noise.sample(f"u{i}").noise for i in range(200)}
    assert heard == {"babble", "hum"} == set(noise.recordings())


def test_evaluation_draws_are_the_same_for_every_system():
    assert evaluation_sample("u1", "volvo", 0) == evaluation_sample(
        "u1", "volvo", 0
    )
    assert (
        evaluation_sample("u1", "volvo", 0).position
        != evaluation_sample("u1", "babble", 0).position
    )


@given(st.text(), st.integers(0, 2**31))
def test_uniform_lies_in_the_half_open_unit_interval(text, seed):
    assert all(0 <= value < 1 for value in uniform((seed, text), 8))


def heard(bank, speech, workers, batch_size, order, start_method=None):
    """Mixtures of six utterances by ID, as a DataLoader delivers them."""
    noise = drawn(bank)
    dataset = Utterances(noise, speech, order)
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=list,
        multiprocessing_context=start_method if workers else None,
    )
    return {name: wav for batch in loader for name, wav in batch}


class Utterances(torch.utils.data.Dataset):
    def __init__(self, noise, speech, order):
        self.noise, self.speech, self.order = noise, speech, order

    def __len__(self):
        return len(self.order)

    def __getitem__(self, index):
        name = f"u{self.order[index]}"
        return name, self.noise(name, self.speech, -20.0)


def test_workers_batches_and_order_change_no_mixture(bank, speech):
    reference = heard(bank, speech, 0, 1, [0, 1, 2, 3, 4, 5])
    for workers, batch_size, order, method in (
        (0, 8, [5, 4, 3, 2, 1, 0], None),
        (4, 1, [2, 0, 1, 5, 3, 4], "fork"),
        (2, 3, [0, 1, 2, 3, 4, 5], "fork"),
        (1, 2, [3, 2, 1, 0, 5, 4], "spawn"),
    ):
        mixtures = heard(bank, speech, workers, batch_size, order, method)
        assert set(mixtures) == set(reference)
        for name, mixture in reference.items():
            assert np.array_equal(mixture, mixtures[name]), (workers, name)


def draws_of_a_process(folder, cache, queue):
    bank = NoiseBank(folder, cache, shares=SHARES)
    bank.prepare()
    queue.put([drawn(bank).sample(f"u{i}") for i in range(20)])


def test_another_process_draws_the_same(noise_folder, tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(
        target=draws_of_a_process, args=(noise_folder, tmp_path / "c", queue)
    )
    process.start()
    theirs = queue.get(timeout=60)
    process.join()
    bank = NoiseBank(noise_folder, tmp_path / "c", shares=SHARES)
    bank.prepare()
    assert theirs == [drawn(bank).sample(f"u{i}") for i in range(20)]


def test_the_counter_of_a_resumed_run_gives_the_epochs_draws(bank, tmp_path):
    counter = EpochCounter(limit=5)
    for epoch in counter:
        if epoch == 3:
            break
    counter._save(tmp_path / "counter")
    before = drawn(bank, epoch=counter).sample("u1")
    resumed = EpochCounter(limit=5)
    resumed._recover(tmp_path / "counter", end_of_epoch=False)
    next(iter(resumed))
    assert drawn(bank, epoch=resumed).sample("u1") == before


# -------------------------------------------------------------- bad input


def test_a_missing_folder_says_what_to_get(tmp_path):
    with pytest.raises(InputError, match="NOISEX92_ROOT; `make demo` runs"):
        NoiseBank(tmp_path / "none", tmp_path, shares=SHARES).prepare()


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="has no recording of any noise"):
        NoiseBank(tmp_path, tmp_path / "c", shares=SHARES).prepare()


def test_a_missing_type_is_named_beside_those_that_are_there(
    noise_folder, tmp_path
):
    bank = NoiseBank(noise_folder, tmp_path, ["hum", "f16"], SHARES)
    with pytest.raises(
        InputError, match="no recording of f16; it holds babble"
    ):
        bank.prepare()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(32000), "is silent in the train part"),
        (np.ones(100), "at least 1.0 s"),
    ],
)
def test_a_useless_recording_is_named(tmp_path, samples, message):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "dead.wav", samples * 0.1, 16000)
    bank = NoiseBank(tmp_path / "noise", tmp_path / "c", shares=SHARES)
    with pytest.raises(InputError, match=f"dead.wav.*{message}"):
        bank.prepare()
    assert not list((tmp_path / "c").glob("[!.]*"))


def test_unknown_options_are_refused(bank):
    with pytest.raises(InputError, match="'a_weight' for weighting"):
        NoiseSampler(bank, "train", [0], "a_weight", seed=1)
    with pytest.raises(InputError, match="held_out_noise is 'f16'"):
        drawn(bank, held_out_noise="f16")
    message = r"^snrs_db is empty; give at least one, e.g. \[10\].$"
    with pytest.raises(InputError, match=message):
        drawn(bank, snrs_db=[])


def test_the_only_noise_cannot_be_held_out(noise_folder, tmp_path):
    bank = NoiseBank(noise_folder, tmp_path, ["hum"], SHARES)
    bank.prepare()
    message = "'hum' is the only noise; .* another one. Change --held_out_noise"
    with pytest.raises(InputError, match=message):
        drawn(bank, held_out_noise="hum")


def test_the_dataset_of_a_fold_hears_its_drawn_noise(bank, speech, tmp_path):
    from mlkd_brain.data.pipelines import clean_speech, noisy_speech

    soundfile.write(tmp_path / "u1.wav", speech, 16000, "FLOAT")
    noise = drawn(bank)
    level = speech_level(speech)
    dataset = DynamicItemDataset(
        {"u1": {"wav": str(tmp_path / "u1.wav"), "level_none": str(level)}},
        dynamic_items=[clean_speech, noisy_speech(noise)],
        output_keys=["noisy_sig"],
    )
    assert np.allclose(
        dataset[0]["noisy_sig"].numpy(), noise("u1", speech, level), atol=1e-6
    )
