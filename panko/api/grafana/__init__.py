# SPDX-License-Identifier: Apache-2.0
"""The protocol of Grafana's JSON data sources, from the bodies of requests to the members of answers."""
