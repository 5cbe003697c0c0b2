"""How is a picture put into Markdown?"""

from __future__ import annotations

import base64

from selection.reports.escaping import escape

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(png: bytes, alt: str) -> str:
    """Embed a picture in Markdown.

    Parameters
    ----------
    png : bytes
        A PNG file.
    alt : str
        What the picture shows, for those who cannot see it.

    Returns
    -------
    str
        Markdown image whose address holds the picture itself, in base64.

    Raises
    ------
    ValueError
        If the bytes are not a PNG file.
    """
    if not png.startswith(_PNG_SIGNATURE):
        raise ValueError(f"the picture {alt!r} is not a PNG file: it starts with {png[:8]!r}.")
    return f"![{escape(alt)}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
