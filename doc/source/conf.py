# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the documentation."""

import importlib.metadata

project = "Panko"
author = "The Panko founders"
project_copyright = "The Panko founders"
release = importlib.metadata.version("panko")
extensions = ["reno.sphinxext"]
html_theme = "furo"
html_title = f"Panko {release}"
