"""Control characters of a page: marks that are not part of any message."""

NEWLINE_MARK = "¶"
TAB_MARK = "⇥"
FILLER_MARK = "▒"  # moves a full-width character to an even column
ESCAPE_OPEN = "⟦"
ESCAPE_CLOSE = "⟧"
MESSAGE_MARK = "▶"
THREAD_MARK = "◆"
#: Replaces the last blank of the header of a message that continues on a later page. A message that begins on an
#: earlier page has two `MESSAGE_MARK`s. Both marks are legible at every tier.
CONTINUATION_MARK = ">"
#: Stands for text that has faded. Adjacent marks are one gap.
GAP_MARK = "⋯"

#: Maximum number of cells of a header that consists of marks only; full headers are longer.
MARK_HEADER_CELLS = 3

#: Characters with a special meaning on a page; literal ones are typeset as escapes.
RESERVED = NEWLINE_MARK + TAB_MARK + FILLER_MARK + ESCAPE_OPEN + ESCAPE_CLOSE + GAP_MARK
#: All control characters of a page. The last two begin headers; in messages they need no escape.
MARKS = RESERVED + MESSAGE_MARK + THREAD_MARK
