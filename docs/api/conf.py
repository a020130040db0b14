"""Settings of the API pages: `make docs` builds them from the docstrings.

The list of modules is generated (sphinx.ext.apidoc), and so is the output:
docs/api/modules and docs/api/html, neither of them kept.

Authors
 * The MLKD team 2026
"""

project = "mlkd_brain"
author = "The MLKD team"
project_copyright = "2026, The MLKD team"

extensions = [
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",  # reads NumPy docstrings, "Arguments" too
    "sphinx.ext.viewcode",
]
exclude_patterns = ["html"]

apidoc_modules = [
    {
        "path": "../../mlkd_brain",
        "destination": "modules",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]

# Optional packages: a page about an export needs none of them.
autodoc_mock_imports = [
    "nncf",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "opensmile",
    "openvino",
    "ray",
    "silero_vad",
    "webrtcvad",
]
# A name is described where it is defined, not where it is imported to.
autodoc_default_options = {"ignore-module-all": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
# Types are words for the reader ("list of str"), not links.
napoleon_preprocess_types = False

html_theme = "alabaster"
html_theme_options = {"page_width": "auto", "body_max_width": "50em"}
