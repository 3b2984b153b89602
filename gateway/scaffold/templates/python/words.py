"""What adapters need again and again: members that are missing or of another
kind, words for severities and states, times as vendors write them. Nothing in
here fails: one odd member must not cost an alert."""

import datetime
import email.utils
import hashlib
import json
import re
import unicodedata
import urllib.parse

from bellcrank import Failure


def parse(body):
    """Reads a JSON body. Numbers come as text, as they were written."""
    def no_number(_):
        raise ValueError
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=str, parse_float=str, parse_constant=no_number)
    except (ValueError, RecursionError):
        raise Failure("MALFORMED", "the body is not JSON" if body.strip() else "the body is empty") from None


def object_of(value, path=""):
    """The value itself; what is no object can't be read."""
    if not isinstance(value, dict):
        raise Failure("MALFORMED", "want a JSON object", path)
    return value


def at(value, *path):
    """A member, or None where the path leads nowhere."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value):
    """A member that is a string, a number or a boolean; else empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""


def is_control(c):
    return unicodedata.category(c) == "Cc"


def line(s):
    return " ".join("".join(" " if is_control(c) else c for c in s).split())


def paragraphs(s):
    s = "".join(c for c in s.replace("\r\n", "\n") if c in "\n\t" or not is_control(c))
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", s).strip()


def absolute_url(s):
    """Empty for what is no absolute http or https URL, and for one with a user,
    which reads like another host than it leads to."""
    s = s.strip()
    try:
        url = urllib.parse.urlsplit(s)
        good = url.scheme in ("http", "https") and re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?", url.netloc)
    except ValueError:
        return ""
    if not good or any(c.isspace() or is_control(c) or c in "\\<>\"" for c in s) or re.search(r"%(?![0-9A-Fa-f]{2})", s):
        return ""
    return s


def table(rows):
    return {word: to for to, words in rows.items() for word in words.split()}


# Digits count as most vendors count: 1 is worst.
SEVERITIES = table({
    "critical": "critical crit page emergency emerg fatal disaster blocker p0 p1 sev0 sev1 sev-0 sev-1 1",
    "high": "high error err major severe urgent p2 sev2 sev-2 2",
    "medium": "medium warning warn moderate average minor ticket unknown p3 sev3 sev-3 3",
    "low": "low info information informational notice normal p4 sev4 sev-4 4",
    "pre-emptive": "pre-emptive preemptive none debug trace sample hint p5 sev5 sev-5 5",
})

ACTIONS = table({
    "trigger": "firing trigger triggered alerting alert problem open opened active activated down failed investigating",
    "acknowledge": "acknowledge acknowledged ack",
    "resolve": "resolve resolved ok close closed recovered recovery up cleared clear normal success",
})


def severity_of(word):
    """Maps a vendor's word; None if it isn't known."""
    return SEVERITIES.get(word.strip().lower())


def action_of(word):
    """Maps a vendor's word; None if it isn't known."""
    return ACTIONS.get(word.strip().lower())


TIME = re.compile(
    r"(\d{4})[-.](\d\d)[-.](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?\s*(Z|UTC|GMT|([+-])(\d\d):?(\d\d))?(?: [A-Z]{3,4})?", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def parse_time(s):
    """Reads a time as vendors write it, in nanoseconds since 1970; None if it is
    none. Without a zone it is UTC."""
    s = s.strip()
    if re.fullmatch(r"[0-9]{1,19}", s):
        return since_epoch(int(s))
    if re.fullmatch(r"[0-9]{1,11}\.[0-9]+", s):
        return round(float(s) * 1e6) * 1000
    m = TIME.fullmatch(s)
    try:
        if not m:
            when = email.utils.parsedate_to_datetime(s) if re.match(r"[A-Z][a-z]{2}, ", s) else None
            return None if when is None else int((when - EPOCH).total_seconds()) * 10**9
        when = datetime.datetime(*(int(m[i]) for i in range(1, 7)), tzinfo=datetime.timezone.utc)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.year <= 1 or not 1678 < when.year < 2262:  # what nanoseconds can tell
        return None
    offset = (int(m[10]) * 60 + int(m[11])) * 60 * (-1 if m[9] == "-" else 1) if m[9] else 0
    seconds = (when - EPOCH).days * 86400 + (when - EPOCH).seconds - offset
    return seconds * 10**9 + int((m[7] or "").ljust(9, "0"))


def since_epoch(n):
    if n <= 0:
        return None
    for below, unit in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if n < below:
            return n * unit
    return min(n, 2**63 - 1)


def labels(value):
    """Reads an object, a list of objects with a name and a value, or a list or
    one text of "name:value" with commas."""
    found = {}

    def add(name, v):
        if line(name) and line(v):
            found[line(name)] = line(v)

    def word(w):
        parts = re.split("[:=]", w, maxsplit=1)
        if w.strip():
            add(parts[0], parts[1] if len(parts) > 1 else "true")

    if isinstance(value, dict):
        for name in sorted(value):
            add(name, text(value[name]))
    elif isinstance(value, list):
        for v in value:
            if isinstance(v, dict):
                add(text(v.get("name")) or text(v.get("key")), text(v.get("value")))
            else:
                word(text(v))
    else:
        for part in text(value).split(","):
            word(part)
    return found


def kept(members):
    """Leaves out what is empty."""
    return {name: v for name, v in members.items() if v != ""}


def fingerprint(*parts):
    """Makes a key of parts that together name a problem."""
    joined = "".join(part + "\0" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:24]


def each(elements, path, event):
    """Makes an event of each element. One that can't be read costs the others
    nothing; if none can, the first says why."""
    result, first = {"events": [], "rejected": []}, None
    for i, element in enumerate(elements):
        try:
            result["events"].append(event(object_of(element)))
        except Failure as err:
            first = first or err
            result["rejected"].append({"index": i, "path": err.path, "reason": err.message})
    if not result["events"]:
        raise first or Failure("MALFORMED", "there is nothing in the list", path)
    return result
