# SPDX-License-Identifier: Apache-2.0
"""The filter language: texts in which people write which events they want."""

from panko.filter_language.comparisons import write_comparison, write_existence, write_name
from panko.filter_language.errors import FilterSyntaxError
from panko.filter_language.literals import quote_value
from panko.filter_language.parser import ParsedFilter, parse, parse_all

__all__ = [
    "FilterSyntaxError",
    "ParsedFilter",
    "parse",
    "parse_all",
    "quote_value",
    "write_comparison",
    "write_existence",
    "write_name",
]
