"""What ``bench.gpu`` measures, a module a question.

``scheduler`` runs the parts and keeps what they found, ``workplace`` makes the
encoder, the corpus and the noise that they share.

Authors
 * The MLKD team 2026
"""
