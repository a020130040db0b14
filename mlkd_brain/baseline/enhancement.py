"""Speech enhancement by non-negative matrix factorisation.

Authors
 * The MLKD team 2026
"""

import json
from collections.abc import Iterable

import numpy as np
import torch
from mlkd_brain.baseline.nmf import (
    activate,
    learn_atoms,
    sample_frames,
    wiener_masks,
)
from mlkd_brain.errors import InputError

KNOWLEDGE = ("oracle", "pooled", "blind")
TYPES = "noise_types"  # in the state: their names as json, bytes


class NmfEnhancement(torch.nn.Module):
    """Removes noise from speech with spectral shapes, atoms, of both.

    A noisy spectrogram is explained by atoms of speech and of noise; a Wiener
    mask keeps the speech, the phase stays noisy. The atoms are buffers, zero
    until ``learn`` fills them.

    Arguments
    ---------
    noise_types : list of str, optional
        Types that have atoms; None: those that ``learn`` is given, which are
        then kept with the atoms.
    knowledge : str
        Noise atoms to use: of the true type ("oracle"), of all types
        ("pooled"), or of the utterance's own quietest frames ("blind").
    n_fft, hop : int
        Samples of a Hann window, and from one to the next, at most half of it.
    speech_atoms, noise_atoms : int
        Number of atoms of speech, and of each noise type.
    learning_frames : int
        Random frames that atoms are learned from, at most.
    learning_iterations, iterations : int
        Updates when atoms are learned, and of the activations.
    mask_exponent : float
        2 compares powers, 1 magnitudes.
    quiet_share : float
        Share of the frames that "blind" takes for noise, in (0, 1].
    seed : int
        Of the random frames and of the start of the factorisation.

    Raises
    ------
    InputError
        If a value cannot be used.

    Example
    -------
    >>> random = torch.Generator().manual_seed(0)
    >>> hiss = 0.1 * torch.randn(16000, generator=random)
    >>> tone = torch.sin(torch.arange(16000) * 2 * torch.pi * 440 / 16000)
    >>> enhance = NmfEnhancement(
    ...     ["hiss"], "oracle", 512, 160, 4, 4, 1000, 50, 20, 2.0, 0.1, 1986
    ... )
    >>> enhance.learn([tone], {"hiss": hiss})
    >>> error = enhance(tone + hiss, "hiss") - tone
    >>> bool(error.square().mean() < hiss.square().mean() / 10)
    True
    """

    speech_atoms: torch.Tensor
    noise_atoms: torch.Tensor

    def __init__(
        self,
        noise_types: list[str] | None,
        knowledge: str,
        n_fft: int,
        hop: int,
        speech_atoms: int,
        noise_atoms: int,
        learning_frames: int,
        learning_iterations: int,
        iterations: int,
        mask_exponent: float,
        quiet_share: float,
        seed: int,
    ):
        super().__init__()
        if knowledge not in KNOWLEDGE:
            raise InputError(
                f"Bad value '{knowledge}' for knowledge, expected one of "
                f"{list(KNOWLEDGE)}."
            )
        if noise_types is not None and not noise_types:
            raise InputError(
                "noise_types is empty; name the noises that the enhancement "
                "learns, e.g. [babble, volvo], or null for all in the folder."
            )
        if not 0 < hop <= n_fft // 2:
            raise InputError(
                f"hop is {hop} and n_fft {n_fft}; windows overlap by half at "
                "least, so that the waveform can be put together again."
            )
        if not (0 < quiet_share <= 1 and mask_exponent > 0):
            raise InputError(
                f"quiet_share is {quiet_share} and mask_exponent "
                f"{mask_exponent}; the first is a share, above 0 and at most "
                "1, the second is above 0."
            )
        _refuse_below_one(
            speech_atoms=speech_atoms,
            noise_atoms=noise_atoms,
            learning_frames=learning_frames,
            learning_iterations=learning_iterations,
            iterations=iterations,
        )
        self.takes_all = noise_types is None
        self.noise_types = list(noise_types or ())
        self.knowledge, self.seed = knowledge, seed
        self.n_fft, self.hop = n_fft, hop
        self.learning_frames = learning_frames
        self.learning_iterations = learning_iterations
        self.iterations = iterations
        self.mask_exponent, self.quiet_share = mask_exponent, quiet_share
        bins = n_fft // 2 + 1
        shape = len(self.noise_types), bins, noise_atoms
        self.register_buffer("speech_atoms", torch.zeros(bins, speech_atoms))
        self.register_buffer("noise_atoms", torch.zeros(shape))
        self.register_buffer("window", torch.hann_window(n_fft), False)

    @torch.no_grad()
    def learn(
        self, speech: Iterable[torch.Tensor], noises: dict[str, np.ndarray]
    ) -> None:
        """Learn the atoms.

        Arguments
        ---------
        speech : iterable of torch.Tensor
            Clean training utterances at 16 kHz, each (time,), float32.
        noises : dict
            Noise type to the training range of its recording, (time,), float32.
            A type that is missing, because it is held out, keeps atoms of
            zeros, which explain nothing.

        Raises
        ------
        InputError
            If nothing is left that is not silent.
        """
        if self.takes_all:
            self._take_types(list(noises))
        self.speech_atoms.copy_(self._learn(speech, self.speech_atoms))
        for name, recording in noises.items():
            atoms = self.noise_atoms[self.noise_types.index(name)]
            waveform = torch.as_tensor(recording, dtype=torch.float32)
            atoms.copy_(self._learn([waveform], atoms))

    def _take_types(self, names):
        self.noise_types = names
        shape = len(names), *self.noise_atoms.shape[1:]
        self.noise_atoms = self.noise_atoms.new_zeros(shape)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """The types go with the atoms where the settings do not name them."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.takes_all:
            names = json.dumps(self.noise_types).encode()
            destination[prefix + TYPES] = torch.tensor(
                [*names], dtype=torch.uint8
            )

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        if self.takes_all and prefix + TYPES in state_dict:
            names = bytes(state_dict.pop(prefix + TYPES).tolist())
            self._take_types(json.loads(names))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def forward(
        self, waveform: torch.Tensor, noise: str | None = None
    ) -> torch.Tensor:
        """The utterance without most of its noise; see ``separate``."""
        return self.separate(waveform, noise)[0]

    @torch.no_grad()
    def separate(
        self, waveform: torch.Tensor, noise: str | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Speech and noise, which add up to the utterance.

        Arguments
        ---------
        waveform : torch.Tensor
            (time,)
        noise : str, optional
            True type, used by "oracle" alone; None for clean speech, which
            "oracle" returns as it is.

        Raises
        ------
        InputError
            If nothing was learned, or "oracle" has no atoms of this noise.

        Returns
        -------
        speech, noise : torch.Tensor
            Each (time,).
        """
        spectrum = self._spectrum(waveform)
        magnitudes = spectrum.abs()
        noise_atoms = self._noise_atoms(magnitudes, noise)
        if noise_atoms is None:
            return waveform, torch.zeros_like(waveform)
        atoms = torch.cat([self.speech_atoms, noise_atoms], dim=1)
        activations = activate(magnitudes, atoms, self.iterations)
        count = self.speech_atoms.shape[1]
        speech_mask, noise_mask = wiener_masks(
            self.speech_atoms @ activations[:count],
            noise_atoms @ activations[count:],
            self.mask_exponent,
        )
        return (
            self._waveform(speech_mask * spectrum, len(waveform)),
            self._waveform(noise_mask * spectrum, len(waveform)),
        )

    def _noise_atoms(self, magnitudes, noise):
        """(bins, atoms), or None where there is no noise."""
        if not self.speech_atoms.any():
            raise InputError(
                "The enhancement has no atoms yet; train it first."
            )
        if self.knowledge == "pooled":
            return self.noise_atoms.transpose(0, 1).flatten(1)
        if self.knowledge == "blind":
            return self._quietest(magnitudes)
        if noise is None:
            return None
        learned = {
            name: atoms
            for name, atoms in zip(self.noise_types, self.noise_atoms)
            if atoms.any()
        }
        if noise not in learned:
            raise InputError(
                f"knowledge is 'oracle' and the noise '{noise}', which has no "
                f"atoms; {', '.join(learned) or 'no noise'} has. Use 'pooled' "
                "or 'blind'."
            )
        return learned[noise]

    def _quietest(self, magnitudes):
        """Atoms of the quietest frames, digital silence left out."""
        loudness = magnitudes.sum(0)
        audible = int((loudness > 0).sum())
        if not audible:
            return None
        count = self.noise_atoms.shape[-1]
        wanted = max(count, round(self.quiet_share * audible))
        silent_last = loudness.masked_fill(loudness == 0, torch.inf)
        quietest = silent_last.argsort(stable=True)[: min(wanted, audible)]
        return learn_atoms(
            magnitudes[:, quietest], count, self.learning_iterations, self.seed
        )

    def _learn(self, waveforms, atoms):
        """Atoms of random frames of all waveforms, as many as ``atoms``."""
        spectrograms = (
            self._spectrum(wav.to(atoms)).abs() for wav in waveforms
        )
        frames = sample_frames(spectrograms, self.learning_frames, self.seed)
        if not frames.shape[1]:
            raise InputError("Atoms cannot be learned from silence.")
        return learn_atoms(
            frames, atoms.shape[-1], self.learning_iterations, self.seed
        )

    def _spectrum(self, waveform):
        return torch.stft(
            waveform,
            self.n_fft,
            self.hop,
            window=self.window,
            pad_mode="constant",  # reflection needs more samples than one
            return_complex=True,
        )

    def _waveform(self, spectrum, length):
        return torch.istft(
            spectrum, self.n_fft, self.hop, window=self.window, length=length
        )


def _refuse_below_one(**counts):
    for key, count in counts.items():
        if count < 1:
            raise InputError(f"{key} is {count}; it is a number of at least 1.")
