"""Character sets as mail names them, mapped to codecs that are safe to use.

Only codecs in the table below are ever used, so that a message cannot name one
that is slow, or that is no character set (attack: ``charset=idna``).
"""

from __future__ import annotations

import re
from encodings.aliases import aliases as _PYTHON_ALIASES
from functools import lru_cache

#: No charset is named: octets are UTF-8 or Latin-1.
UNDECLARED = ""
#: Longer names are unknown ones.
MAX_NAME = 64

#: Python's codecs that are character sets, by the names of their modules.
_CODECS = frozenset(
    """
    ascii latin_1 utf_8 utf_8_sig utf_16 utf_16_le utf_16_be utf_32 utf_32_le
    utf_32_be utf_7
    iso8859_1 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8
    iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858 cp860 cp861 cp862
    cp863 cp864 cp865 cp866 cp869 cp874 cp1006 cp1125
    cp037 cp273 cp424 cp500 cp875 cp1026 cp1140
    koi8_r koi8_t koi8_u kz1048 ptcp154 tis_620 hp_roman8 palmos
    mac_arabic mac_croatian mac_cyrillic mac_farsi mac_greek mac_iceland mac_latin2
    mac_roman mac_romanian mac_turkish
    euc_kr cp949 johab iso2022_kr
    gb2312 gbk gb18030 hz big5 big5hkscs cp950
    shift_jis cp932 shift_jis_2004 shift_jisx0213 euc_jp euc_jis_2004 euc_jisx0213
    iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext
    """.split()  # noqa: SIM905 - a hundred quoted names would be no table
)

#: What the name stands for in practice: senders use the vendor's superset.
_SUPERSETS = {
    "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "latin_1": "cp1252", "iso8859_1": "cp1252", "utf_8_sig": "utf_8",
    "iso2022_jp": "iso2022_jp_ext",
}

#: Names seen in mail that Python does not know.
_ALIASES = {
    "ansi": "cp1252", "ansi_x3_110_1983": "latin_1", "unicode": "utf_16",
    "ucs_2": "utf_16", "iso_10646_ucs_2": "utf_16", "iso_10646_ucs_4": "utf_32",
    "utf8mb4": "utf_8",
    "windows_949": "cp949", "x_windows_949": "cp949", "ks_c_5601_1989": "cp949",
    "ksc_5601": "cp949", "ksc5601_1987": "cp949", "ks_c_5601_1992": "cp949",
    "cseuckr": "cp949",
    "windows_936": "gb18030", "x_gbk": "gb18030", "gb_2312": "gb18030",
    "gb_2312_80": "gb18030", "x_x_big5": "big5", "cn_big5": "big5", "big5_eten": "big5",
    "windows_950": "cp950", "x_euc_tw": "big5",
    "x_sjis": "cp932", "windows_932": "cp932", "x_ms_cp932": "cp932",
    "x_euc_jp": "euc_jp", "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext",
    "iso_8859_8_i": "iso8859_8", "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6", "iso_8859_6_e": "iso8859_6",
    "x_mac_roman": "mac_roman", "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_ce": "mac_latin2", "x_mac_greek": "mac_greek",
    "x_mac_turkish": "mac_turkish", "koi8_ru": "koi8_u", "x_koi8_r": "koi8_r",
    "windows_874": "cp874", "dos_874": "cp874",
    "x_cp1250": "cp1250", "x_cp1251": "cp1251", "x_cp1252": "cp1252",
    "win_1251": "cp1251",
}

_SEPARATORS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=256)
def codec_for(charset: str) -> str | None:
    """The name of Python's codec for a charset of mail; ``None`` if unknown."""
    if len(charset) > MAX_NAME:
        return None
    name = _SEPARATORS.sub("_", charset.lower()).strip("_")
    name = _ALIASES.get(name) or _PYTHON_ALIASES.get(name, name)
    return _SUPERSETS.get(name, name) if name in _CODECS else None


def decode(data: bytes, charset: str) -> str:
    """The text of *data*, whatever it takes; never raises.

    Text that is not what its charset says is UTF-8 if it can be; else its bad
    octets become U+FFFD.  Of an unknown charset it is UTF-8 or Latin-1.
    """
    codec = codec_for(charset)
    try:
        text = data.decode(codec or "utf-8")
    except UnicodeDecodeError:
        text = _decode_anyhow(data, codec)
    if codec == "utf_7":
        # Python's decoder lets lone surrogates through; no text may have them.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decode_anyhow(data: bytes, codec: str | None) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if codec is None or codec == "ascii":
            return data.decode("latin-1")
        return data.decode(codec, "replace")
