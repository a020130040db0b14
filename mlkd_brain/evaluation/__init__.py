"""How good is a trained system over noise x SNR, and what does it cost?

Start with ``evaluate``: it scores a run. ``noise_grid`` makes the predictions,
``complexity`` counts and times, ``validation`` compares runs without the test.
"""
