"""Two hundred messages that a hostile model might write. The address of a listening server stands in many of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

LARGEST = 1 << 20
COUNT = 200

_FETCHES = (
    '<img src="{0}/a.png">',
    "![image]({0}/b.png)",
    "![image]({0}/b.png 'title')",
    "![r][1]\n\n[1]: {0}/c.png",
    '<script src="{0}/d.js"></script><script>fetch("{0}/e")</script>',
    '<iframe src="{0}/f"></iframe><object data="{0}/g"></object><embed src="{0}/h">',
    '<link rel="stylesheet" href="{0}/i.css"><style>@import url({0}/j.css); body {{background:url({0}/k)}}</style>',
    '<p style="background-image:url({0}/l.png)">text</p><table background="{0}/m.png"><tr><td>a</table>',
    '<video src="{0}/n" poster="{0}/o" autoplay></video><audio src="{0}/p" autoplay></audio>',
    '<meta http-equiv="refresh" content="0; url={0}/q"><base href="{0}/"><body onload="location={0}">',
    '<svg><image href="{0}/r"/><use href="{0}/s#a"/></svg>',
    "[click]({0}/t) <{0}/u> {0}/v",
    "![file](file:///etc/passwd) [file](file:///etc/passwd) <file:///etc/passwd>",
    "![data](data:image/svg+xml;base64,PHN2Zz48aW1hZ2UgaHJlZj0i{0}) [js](javascript:alert(1))",
    "![unc](\\\\10.0.0.1\\share\\a.png) ![qrc](qrc:/icons/a.svg) ![smb](smb://10.0.0.1/a)",
    '[a](<{0}/" onmouseover="x>) [b]({0}/%22%3E%3Cimg%20src={0}/w%3E)',
    "```html\n<img src={0}/x.png>\n```\n\n    <img src={0}/y.png>",
    "| a | ![]({0}/z.png) |\n|---|---|\n| <img src={0}/A> | [b]({0}/B) |",
    "> ![]({0}/C)\n> <img src={0}/D>",
    "# ![]({0}/E) <img src='{0}/F'>\n\n* ![]({0}/G)\n  1. <img src={0}/H>",
    "<!--[if IE]><img src={0}/I><![endif]--> <?php system('id') ?> <![CDATA[<img src={0}/J>]]>",
    "&lt;img src={0}/K&gt; &#60;img src={0}/L&#62;",
    "$\\includegraphics{{{0}/M}}$ $$\\input{{/etc/passwd}}$$",
    "<qt><img src='{0}/N'></qt>",
)
_TRICKS = (
    "\x1b[31mred\x1b[0m \x1b]8;;{0}\x07link\x1b]8;;\x07 \x1b[2J\x07\x08\x00\x7f",
    "\u202eexe.tpircs\u202c \u2066a\u2069 \u200f\u200e",
    "a\u200bb\u200cc\u200dd\ufeffe\u2060f " * 50,
    "Z" + "\u0300\u0301\u0302\u0303" * 500,
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 200,
    "\ud800 lone \udfff",
    "\u0e33" * 300 + "\ufdfd" * 300 + "𒐫" * 100,
    "\r\n\r\n\n\n\x0b\x0c\x85\u2028\u2029" * 100,
    "\uffff\ufffe\ue000\U000f0000" * 50,
    "مرحبا hello שלום 12345 " * 100,
)
_FLOODS = (
    "a", "a ", "\n", "* ", "> ", "# a\n", "[", "](", "![", "<", "<b>", "&", "`", "```\n", "**a", "*a**", "_", "~~", "|",
    "|a|b|\n|-|-|\n", "- a\n", "1. a\n", "  - a\n", "\\", "$", "$$", "[a](http://a.b)", "http://a.b/c ", "<http://a.b>",
    "[a]: b\n", "[a][b] ", "😀", "\u200b", "\u202e", "e\u0301", "漢", "مر", "\t", "---\n", "a\n\n", "`a` ", "*a* ",
    "**b** ", "![a](b) ", "&lt;", "\x00", "\x1b[31m", "    a\n", "> > a\n", "<img src=x>", "a\\\n", "a  \n",
)  # fmt: skip


def corpus(address: str) -> Iterator[tuple[str, str]]:
    """Name and text of each. address: such as http://127.0.0.1:1234, without a slash at its end."""
    made: list[tuple[str, str]] = []
    for number, text in enumerate((*_FETCHES, *_TRICKS)):
        made.append((f"short-{number}", text.replace("{0}", address).replace("{{", "{").replace("}}", "}")))
    for number, unit in enumerate(_FLOODS):
        made.append((f"flood-{number}-{unit.strip()[:12]!r}", (unit * (LARGEST // len(unit.encode()) + 1))[:LARGEST]))
    for number, unit in enumerate(_FLOODS):
        made.append((f"flood-60k-{number}-{unit.strip()[:12]!r}", (unit * (60_000 // len(unit.encode()) + 1))[:60_000]))
    made.append(("nested-quotes", "".join(">" * depth + " a\n" for depth in range(300))))
    made.append(("nested-lists", "".join("  " * depth + "* a\n" for depth in range(300))))
    made.append(("nested-links", "[" * 5000 + "a" + "](b)" * 5000))
    made.append(("wide-table", "|a" * 1500 + "|\n" + "|-" * 1500 + "|\n" + "|b" * 1500 + "|\n"))
    made.append(("long-table", "|a|b|\n|-|-|\n" + "|c|d|\n" * 900))
    made.append(("long-code", "```python\n" + "x = '" * 12_000 + "\n```\n"))
    made.append(("strange-language", "```" + "x" * 5000 + "\ncode\n```\n"))
    made.append(("regex-trap", "```javascript\n" + "/" * 20_000 + "\n```\n```html\n" + "<!--" * 5000 + "\n```"))
    chance = random.Random(5)
    parts = [text.replace("{0}", address) for text in (*_FETCHES, *_TRICKS)] + [unit * 30 for unit in _FLOODS]
    while len(made) < COUNT:
        length = chance.choice((300, 5000, 60_000, LARGEST))
        text = ""
        while len(text) < length:
            text += chance.choice(parts) + chance.choice(("", " ", "\n", "\n\n"))
        made.append((f"mixed-{len(made)}", text[:length]))
    return iter(made)
