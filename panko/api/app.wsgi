# SPDX-License-Identifier: Apache-2.0
"""The API for web servers that load a file, such as mod_wsgi; deployment tools copy this one."""

from panko.wsgi.api import application as application
