"""Characters that pages are made with beside what was said."""

NEWLINE_MARK = "¶"
TAB_MARK = "⇥"
FILLER_MARK = "▒"  # moves a full-width character to an even column
ESCAPE_OPEN = "⟦"
ESCAPE_CLOSE = "⟧"
MESSAGE_MARK = "▶"
THREAD_MARK = "◆"
#: At the end of the header of a message that goes on on a later page, in place of a blank. It is read well at every
#: tier, as is `MESSAGE_MARK`, of which there are two where a message begins on an earlier page.
CONTINUATION_MARK = ">"
#: Where something has faded: what stood here is gone. Marks right after one another are one gap.
GAP_MARK = "⋯"

#: Cells of a header that consists of marks, at most; others have more.
MARK_HEADER_CELLS = 3

#: Characters with a meaning of their own on a page; literal ones are typeset as escapes.
RESERVED = NEWLINE_MARK + TAB_MARK + FILLER_MARK + ESCAPE_OPEN + ESCAPE_CLOSE + GAP_MARK
#: All characters that pages are made with; literal ones of the last two, which begin messages, need no escape.
MARKS = RESERVED + MESSAGE_MARK + THREAD_MARK
