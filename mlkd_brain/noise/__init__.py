"""What an SNR is, and which noise an utterance gets.

Start with ``levels.py`` (how loud is it) and ``mixing.py`` (what is added);
``bank.py`` holds recordings, ``sampling.py`` chooses from them.
"""
