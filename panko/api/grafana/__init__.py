# SPDX-License-Identifier: Apache-2.0
"""The protocol of Grafana's JSON data sources, without HTTP: from request bodies to the members of responses."""
