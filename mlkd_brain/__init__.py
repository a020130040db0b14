"""Noise-robust, distilled speech emotion recognition."""
