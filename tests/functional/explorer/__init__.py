# SPDX-License-Identifier: Apache-2.0
"""The explorer as browsers use it, from the URL to the database."""
