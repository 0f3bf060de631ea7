"""Savings as a table in CSV."""

import csv
import io

from foxing.memory.values.savings import Savings, SavingsRow

COLUMNS = ("key", *(name for name in SavingsRow.model_fields if name != "key"))
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet begins a formula


def savings_csv(savings: Savings) -> str:
    """Returns the rows as CSV with a header. A name that a spreadsheet would calculate is preceded by `'`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([savings.by, *COLUMNS[1:]])
    for row in savings.rows:
        fields = row.model_dump(mode="json")
        key = str(fields["key"])
        writer.writerow([f"'{key}" if key.startswith(_FORMULAS) else key, *(fields[name] for name in COLUMNS[1:])])
    return text.getvalue()
