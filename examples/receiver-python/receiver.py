"""Takes incident changes from Bellcrank: verifies the Standard Webhooks
signature, recognises repeats by webhook-id and prints a line for each.
It needs nothing but Python 3.9.

    RECEIVER_SECRET=whsec_... python3 receiver.py [PORT]

For a sender that signs with ed25519 (whsk_...) the secret is whpk_ and base64
of its public key.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ed25519  # the file beside this one

TOLERANCE = 5 * 60  # seconds between the sender's clock and ours
MAX_BODY = 1 << 20  # bytes
MAX_SEEN = 100_000  # ids that are remembered, then all are forgotten


def verify(secret, headers, body, now=None):
    """Returns what is wrong with a delivery, or "" if nothing is. The
    signature covers the bytes as they were sent: parse them afterwards."""
    message, at = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not message or not at or not signatures:
        return "a header is missing"
    now = time.time() if now is None else now
    if not (at.isascii() and at.isdigit()) or len(at) > 12 or abs(now - int(at)) > TOLERANCE:
        return "the timestamp is too old or too new"
    signed = f"{message}.{at}.".encode() + body
    # There is one signature for each secret of the sender's: one that is right
    # is enough, so that secrets can be rotated.
    for signature in signatures.split(" "):
        version, _, encoded = signature.partition(",")
        if version == "v1" and secret.startswith("whsec_") and right(secret, encoded, signed):
            return ""
        if version == "v1a" and secret.startswith("whpk_") and right_by_key(secret, encoded, signed):
            return ""
    return "the signature is wrong"


def right(secret, encoded, signed):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return hmac.compare_digest(encoded.encode(), want)


def right_by_key(secret, encoded, signed):
    try:
        got = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    return ed25519.verify(base64.b64decode(secret.removeprefix("whpk_")), got, signed)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds of silence
    secret = ""
    seen = set()
    lock = threading.Lock()

    def do_POST(self):
        status, line = self.answer()
        with self.lock:
            print(status, self.headers.get("webhook-id"), line, sep="  ", flush=True)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self):
        """Decides on the delivery. 2xx says that it was taken, and it never
        comes again on purpose; it may come twice by accident."""
        try:
            size = int(self.headers.get("content-length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= MAX_BODY:
            self.close_connection = True
            return 413, "the body is too large or its length isn't said"
        body = self.rfile.read(size)
        wrong = verify(self.secret, self.headers, body)
        if wrong:
            return 401, wrong
        try:
            change = json.loads(body)
            incident = change["data"]["incident"]
            line = f"{change['type']}  {incident['id']}  {json.dumps(incident['title'])}"
        except (ValueError, KeyError, TypeError):
            return 400, "the body isn't of the published shape"
        return 204, line + self.repeat()

    def repeat(self):
        with self.lock:
            message = self.headers["webhook-id"]
            if message in self.seen:
                return "  repeat"
            if len(self.seen) >= MAX_SEEN:
                self.seen.clear()
            self.seen.add(message)
            return ""

    def log_message(self, *_):
        pass  # a line is printed for each delivery already


def main():
    Receiver.secret = os.environ.get("RECEIVER_SECRET", "")
    if not Receiver.secret:
        sys.exit("set RECEIVER_SECRET to the destination's signing secret")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    with ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
