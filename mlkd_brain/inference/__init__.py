"""How is a trained model loaded and used? Start with ``recognizer``.

The command is ``command``; what all backends share is ``recognition``.
"""
