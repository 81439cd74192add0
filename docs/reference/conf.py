"""The reference of the Python package, from its docstrings. Run by `./run docs`.

Nothing is compiled: the extension module, which is private, is replaced by a mock.
"""

import pathlib
import re
import sys

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "client" / "python"
sys.path.insert(0, str(PACKAGE / "src"))
sys.dont_write_bytecode = True

project = "taskpipe"
version = re.search(r'^version = "(.*)"$', (PACKAGE / "pyproject.toml").read_text(), re.M)[1]
html_show_copyright = False
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["index.rst"]
html_theme = "alabaster"
html_theme_options = {"description": "The Python package", "page_width": "70em"}
html_show_sphinx = False
html_copy_source = False
default_role = "code"

autodoc_mock_imports = ["taskpipe._native"]
autodoc_default_options = {"members": True, "inherited-members": "BaseException,OSError"}
autodoc_member_order = "bysource"
autoclass_content = "both"  # the class, and what it is made of
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
