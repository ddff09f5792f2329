# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the documentation."""

import importlib.metadata
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # for the extension in doc

# A style of Pygments that Furo uses makes all libraries log to the terminal.
logging.getLogger("reno").setLevel(logging.WARNING)
logging.getLogger("oslo_service").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", "\nEventlet is deprecated")  # oslo.messaging lists the options of its backends.

project = "Panko"
author = "The Panko founders"
project_copyright = "The Panko founders"
release = importlib.metadata.version("panko")
extensions = ["doc.reference"]
html_theme = "furo"
html_title = f"Panko {release}"
html_static_path = ["_static"]
html_css_files = ["panko.css"]
