"""The factorisation: what each update guarantees, and what the masks do."""

import pytest
import torch
from hypothesis import (
    given,
    strategies as st,
)
from mlkd_brain.baseline.nmf import (
    FLOOR,
    activate,
    learn_atoms,
    normalised,
    sample_frames,
    wiener_masks,
)

BINS, ATOMS, FRAMES = 9, 4, 6
SEEDS = st.integers(0, 10_000)


def divergence(spectrogram, atoms, activations):
    """Generalised Kullback-Leibler divergence of each frame."""
    model = atoms @ activations + FLOOR
    fit = torch.special.xlogy(spectrogram, spectrogram / model)
    return (fit - spectrogram + model).sum(-2)


def drawn(seed, *shape, silent_share=0.2):
    """Magnitudes over many orders of size, some of them 0."""
    random = torch.Generator().manual_seed(seed)
    values = 10 ** (6 * torch.rand(shape, generator=random) - 4)
    return values * (torch.rand(shape, generator=random) >= silent_share)


@given(SEEDS, st.floats(0, 1), st.integers(1, 12))
def test_the_divergence_never_rises_from_update_to_update(seed, share, updates):
    spectrogram = drawn(seed, BINS, FRAMES, silent_share=share).double()
    atoms = normalised(drawn(seed + 1, BINS, ATOMS).double())
    before, after = (
        divergence(spectrogram, atoms, activate(spectrogram, atoms, n))
        for n in (updates - 1, updates)
    )
    # rounding, relative to what the divergence is a difference of
    slack = 1e-12 * spectrogram.sum(0)
    assert (after <= before + slack).all()
    assert torch.isfinite(after).all()


def test_activations_of_a_mixture_of_the_atoms_are_found_again():
    atoms = normalised(drawn(1, BINS, ATOMS))
    true = drawn(2, ATOMS, FRAMES)
    found = activate(atoms @ true, atoms, iterations=2000)
    assert divergence(atoms @ true, atoms, found).max() < 1e-3 * true.sum()


@given(SEEDS)
def test_a_frame_knows_nothing_of_its_neighbours(seed):
    spectrogram = drawn(seed, BINS, FRAMES)
    atoms = normalised(drawn(seed + 1, BINS, ATOMS))
    together = activate(spectrogram, atoms, 5)
    alone = activate(spectrogram[:, 2:3], atoms, 5)
    torch.testing.assert_close(together[:, 2:3], alone)


def test_a_batch_of_spectrograms_is_activated_as_each_one_alone():
    batch = torch.stack([drawn(seed, BINS, FRAMES) for seed in range(3)])
    atoms = normalised(drawn(9, BINS, ATOMS))
    torch.testing.assert_close(
        activate(batch, atoms, 5),
        torch.stack([activate(one, atoms, 5) for one in batch]),
    )


@given(SEEDS, st.sampled_from([1.0, 2.0]))
def test_the_masks_sum_to_one_and_favour_what_is_louder(seed, exponent):
    speech, noise = drawn(seed, BINS, FRAMES), drawn(seed + 1, BINS, FRAMES)
    speech_mask, noise_mask = wiener_masks(speech, noise, exponent)
    assert torch.equal(speech_mask + noise_mask, torch.ones(BINS, FRAMES))
    assert speech_mask.min() >= 0 and speech_mask.max() <= 1
    assert (speech_mask[speech > noise] >= 0.5).all()
    assert (noise_mask[noise > speech] >= 0.5).all()


def test_frames_are_drawn_from_all_utterances_alike():
    levels = (torch.full((BINS, 200), level) for level in (1.0, 2.0, 3.0, 4.0))
    drawn = sample_frames(levels, 100, seed=1986)
    assert drawn.shape == (BINS, 100)
    counts = [int((drawn[0] == level).sum()) for level in (1, 2, 3, 4)]
    assert sum(counts) == 100 and min(counts) > 12  # 25 expected, 4 deviations


def test_no_frame_is_drawn_twice_and_no_silent_one():
    frames = torch.arange(50.0).expand(BINS, 50)  # the first one is silent
    drawn = sample_frames([frames[:, :20], frames[:, 20:]], 99, seed=1)
    assert sorted(drawn[0].tolist()) == list(range(1, 50))


def test_learned_atoms_explain_what_they_were_learned_from():
    spectrogram = drawn(1, BINS, ATOMS) @ drawn(2, ATOMS, 50)
    atoms = learn_atoms(spectrogram, ATOMS, 300, seed=1986)
    torch.testing.assert_close(atoms.sum(0), torch.ones(ATOMS))
    lost = divergence(spectrogram, atoms, activate(spectrogram, atoms, 300))
    assert lost.sum() < 0.05 * spectrogram.sum()


@pytest.mark.parametrize("seed", [1986, 1987])
def test_atoms_depend_on_the_seed_alone(seed):
    spectrogram = drawn(1, BINS, 50)
    one, two = (learn_atoms(spectrogram, ATOMS, 20, seed) for _ in range(2))
    other = learn_atoms(spectrogram, ATOMS, 20, seed + 1)
    assert torch.equal(one, two) and not torch.equal(one, other)
