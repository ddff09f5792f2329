# SPDX-License-Identifier: Apache-2.0
"""The API as clients use it, from the paste file to the database."""
