"""What a recording's container says of its length, against what is there.

A decoder reads to the end of what it finds and is silent about the rest: a file
that was cut, or one that stands behind another. Sizes that a program could not
know, because it wrote into a pipe, are unknown and no fault.

Authors
 * The MLKD team 2026
"""

import mmap
import struct
from collections.abc import Callable

CHAINED = (
    "chained: another recording stands behind the first, which alone would "
    "be read; store each in a file of its own"
)
ENDS_EARLY = "truncated: it ends early, {}; restore the file"
#: Sizes of 32 bits that mean "not known": ffmpeg's, an unfinished file's, sox's.
UNKNOWN = {0xFFFFFFFF, 0, *range(0x7FFFF000, 0x7FFFF100)}


def fault(content: bytes | mmap.mmap) -> str | None:
    """What is wrong with the length of a recording.

    Arguments
    ---------
    content : bytes or mmap.mmap
        The whole file.

    Returns
    -------
    str or None
        The end of a sentence that begins with the file's name; None if nothing
        is wrong, or the kind of file is unknown.

    Example
    -------
    >>> head = b".snd" + struct.pack(">5I", 24, 4, 3, 16000, 1)
    >>> fault(head + bytes(4)) is None
    True
    >>> fault(head + bytes(2))
    'truncated: it ends early, 4 bytes of samples should follow its header \
and 2 do; restore the file'
    """
    start = _after_id3(content, 0)
    try:
        for magic, check in CHECKS.items():
            if content[start : start + len(magic)] == magic:
                return check(content, start)
        if _is_mpeg(content, start):
            return _mpeg(content, start)
    # not even a header: the decoder will say so
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _samples(content, start, size):
    """Fault of samples that begin at ``start`` and should have ``size`` bytes."""
    present = max(0, len(content) - start)
    if present >= size:
        return None
    return ENDS_EARLY.format(
        f"{size} bytes of samples should follow its header and {present} do"
    )


def _after_id3(content, at):
    """Where an ID3v2 tag ends, if one begins here."""
    if content[at : at + 3] != b"ID3" or len(content) < at + 10:
        return at
    size = 0
    for byte in content[at + 6 : at + 10]:
        size = size << 7 | byte & 0x7F
    return at + 10 + size


def _order(content, start):
    return ">" if content[start : start + 4] == b"RIFX" else "<"


def _riff_chunks(content, start):
    """Name, first byte and size of each chunk of a RIFF; of nested ones not."""
    at = start + 12
    while at + 8 <= len(content):
        name = content[at : at + 4]
        (size,) = struct.unpack_from(
            f"{_order(content, start)}I", content, at + 4
        )
        yield name, at + 8, size
        at += 8 + size + size % 2


def _riff(content, start):
    """WAV, also big-endian, and of more than 4 GiB (RF64)."""
    wide = None
    for name, at, size in _riff_chunks(content, start):
        if name in RIFFS:
            return CHAINED
        if name == b"ds64":
            (wide,) = struct.unpack_from("<Q", content, at + 8)
        if name != b"data":
            continue
        if wide is None and size in UNKNOWN:
            more = content.find(b"WAVEfmt ", at) >= 0
            return CHAINED if more else None
        if wide is not None:
            behind = content[at + wide + wide % 2 :][:4] in RIFFS
            return CHAINED if behind else _samples(content, at, wide)
        if found := _samples(content, at, size):
            return found
    return None


def _mend_riff(content, start):
    """A sample's width is that of its container; a size of 0 is not known."""
    for name, at, size in _riff_chunks(content, start):
        if name == b"fmt ":
            order = f"{_order(content, start)}2H2I2H"
            tag, channels, _, _, block, bits = struct.unpack_from(
                order, content, at
            )
            width = 8 * block // max(1, channels)
            if tag in (1, 0xFFFE) and bits <= width - 8 <= 24:
                yield at + 14, struct.pack(order[0] + "H", width)
        if name == b"data":
            if size == 0 and len(content) > at:
                yield at - 4, b"\xff" * 4
            return


def _mend_caf(content, start):
    """The decoder knows no size but a known one."""
    at = content.find(b"data" + b"\xff" * 8, start)
    if at >= 0:
        yield at + 4, struct.pack(">q", len(content) - at - 12)


def mend(content: bytes | mmap.mmap) -> dict[int, bytes]:
    """What a decoder should read in a header instead of what is there.

    Arguments
    ---------
    content : bytes or mmap.mmap
        The whole file.

    Returns
    -------
    dict
        Place in the file to the bytes that should stand there; empty for all
        but a few files.
    """
    start = _after_id3(content, 0)
    kind = content[start : start + 4]
    mending = {**dict.fromkeys(RIFFS, _mend_riff), b"caff": _mend_caf}
    try:
        return dict(mending[kind](content, start)) if kind in mending else {}
    except struct.error:
        return {}


def _w64(content, start):
    """Sony's WAV with sizes of 64 bits."""
    at = start + 40
    while at + 24 <= len(content):
        name = content[at : at + 4]
        (size,) = struct.unpack_from("<Q", content, at + 16)
        if name == b"data":
            if found := _samples(content, at + 24, size - 24):
                return found
            # of a recording behind it, at any place
            more = content.find(b"riff\x2e\x91\xcf\x11", at + size) >= 0
            return CHAINED if more else None
        at += max(24, (size + 7) // 8 * 8)
    return None


def _aiff(content, start):
    """AIFF and AIFF-C."""
    at = start + 12
    while at + 8 <= len(content):
        name = content[at : at + 4]
        (size,) = struct.unpack_from(">I", content, at + 4)
        at += 8
        if name == b"FORM":
            return CHAINED
        if name == b"SSND":
            if size in UNKNOWN:
                return None
            if found := _samples(content, at, size):
                return found
        at += size + size % 2
    return None


def _caf(content, start):
    """Apple's Core Audio Format."""
    at = start + 8
    while at + 12 <= len(content):
        name = content[at : at + 4]
        (size,) = struct.unpack_from(">q", content, at + 4)
        at += 12
        if name == b"data":
            if content.find(b"caff\x00\x01\x00\x00desc", at) >= 0:
                return CHAINED
            # -1: to the end of the file
            return _samples(content, at, size) if size >= 0 else None
        at += max(0, size)
    return None


def _au(content, start):
    """Sun's and NeXT's."""
    magic = content[start : start + 4]
    order = ">" if magic == b".snd" else "<"
    offset, size = struct.unpack_from(f"{order}2I", content, start + 4)
    if size == 0xFFFFFFFF:
        return None
    end = start + offset + size
    if content[end : end + 4] == magic:
        return CHAINED
    return _samples(content, start + offset, size)


def _nist(content, start):
    """NIST SPHERE: a header of text."""
    header = int(content[start : start + 16].split()[1])
    rows = content[start : start + header].split(b"\n")
    # name, type, value
    words = [row.split() for row in rows]
    fields = {w[0]: int(w[2]) for w in words if len(w) == 3 and w[2].isdigit()}
    try:
        size = (
            fields[b"sample_count"]
            * fields[b"channel_count"]
            * fields[b"sample_n_bytes"]
        )
    except KeyError:
        return None
    end = start + header + size
    if content[end : end + 4] == b"NIST":
        return CHAINED
    return _samples(content, start + header, size)


def _flac(content, start):
    """FLAC; whether it ends early is found in decoding it."""
    for first_block in (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22"):
        if content.find(b"fLaC" + first_block, start + 4) >= 0:
            return CHAINED
    return None


def _ogg(content, start):
    """Vorbis, Opus and FLAC in Ogg: pages, the last of which is marked."""
    open_streams = {}  # to the number of the next page
    begun, at = False, start
    while at < len(content):
        if content[at : at + 4] != b"OggS":
            # tags and zeros may follow; a page further on was cut off from us
            more = content.find(b"OggS\x00", at) >= 0
            return DAMAGED.format(at) if more else _ogg_end(open_streams)
        if len(content) < at + 27:
            return ENDS_EARLY.format("within a page")
        flags, serial = content[at + 5 : at + 6], content[at + 14 : at + 18]
        (number,) = struct.unpack_from("<I", content, at + 18)
        table = content[at + 27 : at + 27 + content[at + 26]]
        if flags[0] & 2:  # the first page of a stream
            if begun:
                return CHAINED
        else:
            begun = True
            if number != open_streams.get(serial, number):
                return DAMAGED.format(at)
        open_streams[serial] = number + 1
        if flags[0] & 4:  # the last page
            del open_streams[serial]
        at += 27 + len(table) + sum(table)
        if at > len(content):
            return ENDS_EARLY.format("within a page")
    return _ogg_end(open_streams)


DAMAGED = "damaged at byte {}; restore the file"


def _ogg_end(open_streams):
    if open_streams:
        return ENDS_EARLY.format("its last page is missing")
    return None


#: MPEG audio: kilobits a second, by version (1, or 2 and 2.5) and layer.
KILOBITS = {
    (1, 1): [32 * i for i in range(1, 15)],
    (1, 2): [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    (1, 3): [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    (2, 1): [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    (2, 2): [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}
KILOBITS[2, 3] = KILOBITS[2, 2]


def _frame_bytes(content, at):
    """Length of the MPEG frame that begins here; 0 if none does."""
    head = content[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, bits, padding = head[2] >> 2 & 3, head[2] >> 4, head[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 3 or not 0 < bits < 15:
        return 0
    hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kilobits = KILOBITS[1 if version == 3 else 2, layer][bits - 1]
    if layer == 1:
        return (12000 * kilobits // hertz + padding) * 4
    slots = 72 if layer == 3 and version != 3 else 144
    return slots * 1000 * kilobits // hertz + padding


def _is_mpeg(content, at):
    return _frame_bytes(content, at) > 0


def _frames(content, at):
    """Start and length of each MPEG frame; what is no frame is passed over."""
    while at + 4 <= len(content):
        size = _frame_bytes(content, at)
        if size:
            yield at, size
            at += size
        elif content[at : at + 3] == b"TAG":  # ID3v1
            at += 128
        elif content[at : at + 3] == b"ID3":
            at = _after_id3(content, at)
        else:
            at = content.find(b"\xff", at + 1)
            if at < 0:
                return


def _mpeg(content, start):
    """MP3: a Xing header counts the frames; without one the last is whole."""
    counted, found, end = None, 0, 0
    for at, size in _frames(content, start):
        head = content[at : min(at + 48, at + size)]
        tag = max(head.find(b"Xing"), head.find(b"Info"))
        if tag < 0:
            found, end = found + 1, at + size
        elif found:
            return CHAINED
        elif len(head) >= tag + 12 and head[tag + 7] & 1:
            (counted,) = struct.unpack_from(">I", head, tag + 8)
    if end > len(content):
        return ENDS_EARLY.format("within a frame")
    if counted is not None and found + 1 < counted:
        return ENDS_EARLY.format(
            f"it has {found} of the {counted} frames of its header"
        )
    return None


RIFFS = (b"RIFF", b"RIFX", b"RF64")
#: What a file begins with, and how its length is checked.
CHECKS: dict[bytes, Callable[..., str | None]] = {
    **dict.fromkeys(RIFFS, _riff),
    b"riff": _w64,
    b"FORM": _aiff,
    b"caff": _caf,
    b".snd": _au,
    b"dns.": _au,
    b"NIST": _nist,
    b"fLaC": _flac,
    b"OggS": _ogg,
}
