# SPDX-License-Identifier: Apache-2.0
"""Pages and fragments of HTML, made of templates."""

import functools
import hashlib
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pecan
import webob

HTML = "text/html"

PACKAGE_FILES = Path(str(importlib.resources.files("panko.explorer")))
TEMPLATES = PACKAGE_FILES / "templates"
STATIC = PACKAGE_FILES / "static"

SCRIPTS = sorted(each.name for each in STATIC.glob("*.js"))
"""The JavaScript modules, all of which each page loads. None imports another one, whose URL would lack the hash."""

EXPLORER_PATH = "/explorer"
"""Where the explorer is mounted."""


_INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\u2421",
    **{code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), *range(0xD800, 0xE000))},
}
"""What stands in pages for characters that HTML cannot contain, or that nobody sees."""


def show_text(text: str) -> str:
    """Return a text with signs for its control characters."""
    return text if text.isprintable() else text.translate(_INVISIBLE)


class PageRenderer:
    """Pecan's renderer for templates, all of whose values are text: Pecan's own one does not escape them.

    :param path: directory of the templates
    :param extra_vars: Pecan's variables for all templates
    """

    def __init__(self, path: str, extra_vars: Any):
        self._extra_vars = extra_vars
        self._environment = load_templates(path)

    def render(self, template_path: str, namespace: Mapping[str, Any]) -> str:
        """Return the text of a template."""
        return _render(self._environment, template_path, self._extra_vars.make_ns(namespace))


@functools.cache
def load_templates(path: str) -> jinja2.Environment:
    """Return the templates of a directory."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["shown"] = show_text
    environment.globals |= {"static": static_url, "scripts": SCRIPTS}
    # Pages outside of a request that Pecan handles have no menu of the caller.
    environment.globals["find_caller"] = lambda: None
    return environment


def render_alone(template: str, **names: Any) -> str:
    """Return a template's text outside of a request that Pecan handles, such as for an error before it.

    :param template: name of its file
    :param names: the template's values
    """
    return _render(load_templates(str(TEMPLATES)), template, names)


def _render(environment: jinja2.Environment, template: str, names: Mapping[str, Any]) -> str:
    # A browser reads a carriage return as a line feed, unless it is an escape. Templates have none.
    return environment.get_template(template).render(names).replace("\r", "&#13;")


def render(template: str, status: int = 200, **names: Any) -> webob.Response:
    """Return the response with a template's text.

    :param template: name of its file
    :param names: the template's values
    """
    return webob.Response(render_text(template, **names), status, content_type=HTML, charset="utf-8")


def render_text(template: str, **names: Any) -> str:
    """Return a template's text.

    :param template: name of its file
    :param names: the template's values
    """
    text: str = pecan.render(f"page:{template}", names)
    return text


@functools.cache
def static_url(name: str) -> str:
    """Return the URL of a static file; it changes with the file, so that browsers may keep the file."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"{EXPLORER_PATH}/static/{name}?v={digest}"
