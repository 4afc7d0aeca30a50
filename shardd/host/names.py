"""Names that come from people and from other machines, made fit to show."""

import unicodedata

# Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def clean_name(text: str, limit: int = 64) -> str:
    """Return `text` on one line, without invisible characters, in at most `limit` characters.

    The text is normalised (NFC), and white space is squeezed to single spaces. The result may be empty.
    """
    # Cut before the costly part: normalising is not linear in hostile text.
    text = unicodedata.normalize("NFC", text[: limit * 4])
    spaced = "".join(" " if character.isspace() else character for character in text)
    shown = "".join(character for character in spaced if unicodedata.category(character) not in _HIDDEN)
    return " ".join(shown.split())[:limit].strip()
