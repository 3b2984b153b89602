"""Adapts the outgoing webhooks of Better Stack Uptime: an incident that starts,
is acknowledged, and is resolved."""

import datetime
import json

from bellcrank import Failure, serve


def sample(status, **times):
    attributes = {
        "name": "shop.example", "url": "https://shop.example/health", "cause": "Status 503", "status": status,
        "started_at": "2026-03-01T12:00:00.000Z", "acknowledged_at": None, "resolved_at": None,
        "team_name": "Web", "regions": ["eu", "us"],
    }
    attributes.update(times)
    return {"data": {"id": "881200042", "type": "incident", "attributes": attributes}}


INFO = {
    "type": "betterstack",
    "name": "Better Stack Uptime",
    "version": "1.0.0",
    "summary": "Incidents of Better Stack Uptime that start, are acknowledged, and are resolved.",
    "docs_url": "https://betterstack.com/docs/uptime/webhooks/",
    "sender": "machine",
    "samples": [
        {"name": "an incident starts", "body": sample("Started")},
        {"name": "it is resolved", "body": sample("Resolved", resolved_at="2026-03-01T12:07:00.000Z")},
    ],
    "setup": "Integrations → Exporting data → Webhooks → Add webhook: URL `{{url}}`, and send incidents when they "
             "start, are acknowledged, and are resolved.\n",
}

# What Better Stack's words for an incident's state do. A word that isn't here
# is a problem: in doubt somebody looks.
ACTIONS = {"acknowledged": "acknowledge", "resolved": "resolve"}

KEPT = ("http_method", "team_name", "started_at", "acknowledged_by", "resolved_by", "response_content")


def adapt(request, _settings):
    data = parse(request.body)
    kind = string(data.get("type"))
    if kind and kind != "incident":
        return {"ignored": "it tells of a %s, which is no incident" % kind[:100]}
    attributes = members(data.get("attributes"))
    name, cause = string(attributes.get("name")), string(attributes.get("cause"))
    if not name and not cause:
        raise Failure("MALFORMED", "this is no incident of Better Stack: it has neither name nor cause", "data.attributes")
    event = {
        "action": ACTIONS.get(string(attributes.get("status")).lower(), "trigger"),
        "title": line(": ".join(part for part in (name, cause) if part))[:400],
        "occurred_at": time(attributes.get("started_at")),
        "ended_at": time(attributes.get("resolved_at")),
        "links": links(attributes),
        "labels": {"team": string(attributes.get("team_name"))} if string(attributes.get("team_name")) else {},
        "metadata": {k: attributes[k][:4096] for k in KEPT if string(attributes.get(k))},
    }
    if identity(data):
        event.update(dedup_key=identity(data), identity_rule="incident id")
    if event["action"] == "trigger":
        event["description"] = description(attributes)
    return {"events": [event]}


def parse(body):
    try:
        report = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Failure("MALFORMED", "the body is not JSON") from None
    data = members(members(report).get("data"))
    if not data:
        raise Failure("MALFORMED", "it has no object data", "data")
    return data


def identity(data):
    """The incident's id, which Better Stack writes as a string."""
    value = data.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return "%d" % value if abs(value) < 1 << 63 else ""
    return string(value)


def description(attributes):
    regions = [string(r) for r in elements(attributes.get("regions")) if string(r)]
    parts = [string(attributes.get("url")), "seen from " + ", ".join(regions) if regions else ""]
    return "\n".join(part for part in parts if part)


def links(attributes):
    names = {"url": "the monitor's URL", "screenshot_url": "screenshot", "response_url": "response"}
    return [{"name": names[k], "url": string(attributes.get(k))} for k in names if absolute(string(attributes.get(k)))]


def absolute(url):
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    return scheme in ("http", "https") and bool(host) and all(c.isalnum() and c.isascii() or c in "-._" for c in host) and url.isprintable() and " " not in url


def time(value):
    try:
        when = datetime.datetime.fromisoformat(string(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return when if when.tzinfo and 1970 < when.year < 2200 else None


def members(value):
    return value if isinstance(value, dict) else {}


def elements(value):
    return value if isinstance(value, list) else []


def string(value):
    return value.strip() if isinstance(value, str) else ""


def line(value):
    return " ".join(value.split())


if __name__ == "__main__":
    serve(INFO, adapt)
