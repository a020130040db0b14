"""What does an encoder learn from unlabelled speech, and what is linear in it?

Not of the paper. Start with ``targets``: what is predicted; then ``brain``.
"""
