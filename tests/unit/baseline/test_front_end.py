"""Both steps, in either order, and the ablations without one or both."""

import pytest
import torch
from mlkd_brain.baseline.front_end import ORDERS, FrontEnd
from mlkd_brain.errors import InputError


class Halving(torch.nn.Module):
    """Stands for an enhancement: halves, and notes what it was told."""

    def __init__(self):
        super().__init__()
        self.register_buffer("atoms", torch.zeros(1))
        self.heard = []

    def learn(self, speech, noises):
        self.atoms.fill_(sum(wav.sum() for wav in speech) + len(noises))

    def forward(self, waveform, noise=None):
        self.heard.append((len(waveform), noise))
        return waveform / 2


def drop_below_one(waveform):
    """Stands for a VAD that sees the level."""
    return waveform[waveform >= 1]


WAV = torch.tensor([0.5, 1.0, 3.0])


@pytest.mark.parametrize(
    ("order", "kept"),
    [("nmf_then_vad", [1.5]), ("vad_then_nmf", [0.5, 1.5])],
)
def test_the_order_decides_which_step_sees_the_other_s_work(order, kept):
    front_end = FrontEnd(Halving(), drop_below_one, order)
    assert front_end(WAV, "volvo").tolist() == kept
    heard = 3 if order == "nmf_then_vad" else 2
    assert front_end.enhancement.heard == [(heard, "volvo")]


@pytest.mark.parametrize("order", ORDERS)
def test_each_step_can_be_left_out(order):
    assert FrontEnd(Halving(), None, order)(WAV).tolist() == [0.25, 0.5, 1.5]
    assert FrontEnd(None, drop_below_one, order)(WAV).tolist() == [1.0, 3.0]
    assert FrontEnd(None, None, order)(WAV) is WAV


def test_what_is_learned_is_the_enhancement_s_and_travels_in_the_state():
    front_end = FrontEnd(Halving(), drop_below_one)
    front_end.learn(iter([WAV]), {"volvo": WAV})
    assert front_end.state_dict() == {"enhancement.atoms": torch.tensor([5.5])}
    FrontEnd().learn(iter([WAV]), {})  # nothing to learn, nothing happens


def test_an_unknown_order_is_named():
    with pytest.raises(InputError, match="'both' for order, expected one of"):
        FrontEnd(order="both")
