"""Histories of mail, made by hand after RFC 5322, RFC 2047 and RFC 4155."""

from collections.abc import Callable
from pathlib import Path

from .files import archive, file

QUESTION = """\
Return-Path: <ann@x.org>
Message-ID: <q1@x.org>
Date: Sat, 28 Feb 2026 23:10:01 +0100
From: =?utf-8?q?Ann_M=C3=BCller?= <ann@x.org>
To: bo@x.org
Subject: =?utf-8?q?Der_Zaun?=
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Wie hoch wird der Zaun f=C3=BCr den Garten?
>From here it looks low.
"""
#: A reply with HTML alone, a file, and the quotation of what it replies to.
ANSWER = """\
Message-ID: <a1@x.org>
In-Reply-To: <q1@x.org>
References: <q1@x.org>
Date: Sun, 1 Mar 2026 08:00:00 +0000
From: Bo <bo@x.org>
To: ann@x.org
Subject: Re: Der Zaun
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b1"

--b1
Content-Type: text/html; charset=iso-8859-1

<html><head><style>p {color: red}</style><title>Re</title></head><body><p>1,8&nbsp;m &amp; nicht
h&ouml;her</p><blockquote>Wie hoch wird der Zaun?</blockquote><script>x()</script></body></html>
--b1
Content-Type: application/pdf; name="plan.pdf"
Content-Disposition: attachment; filename="plan.pdf"
Content-Transfer-Encoding: base64

JVBERi0=
--b1--
"""
#: Later in the thread, without References, in an encoding that does not exist, with a date that is none.
THANKS = """\
Received: from a by b; Mon, 2 Mar 2026 09:00:00 -0000
Message-ID: <t1@x.org>
In-Reply-To: <a1@x.org>
Date: gestern
From: ann@x.org
Subject: Re: Der Zaun
MIME-Version: 1.0
Content-Type: text/plain; charset=x-unknown

> 1,8 m
Danke

"""
#: Two alternatives, no id and no subject.
PLAIN_AND_HTML = """\
Date: Tue, 3 Mar 2026 09:00:00 GMT
From: Cy <cy@x.org>
To: ann@x.org
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b2"

--b2
Content-Type: text/plain

plain text
--b2
Content-Type: text/html

<p>HTML text</p>
--b2--
"""


def mbox(*mails: str) -> str:
    return "".join(f"From ann@x.org Sat Feb 28 23:10:01 2026\n{mail}\n" for mail in mails)


#: See `HISTORIES` of the package.
MAILS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "mbox": ("mail", lambda p: file(p, mbox(QUESTION, ANSWER, THANKS, PLAIN_AND_HTML))),
    "mbox with the line ends of Windows": ("mail", lambda p: file(p, mbox(QUESTION, THANKS).replace("\n", "\r\n"))),
    "mbox in a zip archive": ("mail", lambda p: archive(p, {"Takeout/Mail/All mail.mbox": mbox(QUESTION, ANSWER)})),
    "EML": ("mail", lambda p: file(p, ANSWER)),
}
