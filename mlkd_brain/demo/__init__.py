"""What do the systems make of a recording? A page in the browser.

The command is ``command``; what is on the page and what happens there is
``page``. Gradio is optional: nothing else of the library imports it.
"""
