# SPDX-License-Identifier: Apache-2.0
"""The API as clients see it, from the paste file down to the database."""
