# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the documentation."""

import importlib.metadata

project = "Panko"
author = "The Panko founders"
project_copyright = "The Panko founders"
release = importlib.metadata.version("panko")
extensions = ["reno.sphinxext"]
html_theme = "alabaster"
html_theme_options = {"description": "Store and REST API for OpenStack events", "page_width": "1100px"}
