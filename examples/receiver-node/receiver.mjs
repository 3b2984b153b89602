// Takes incident changes from Bellcrank: verifies the Standard Webhooks
// signature, recognises repeats by webhook-id and prints a line for each.
// It needs nothing but Node.
//
//   RECEIVER_SECRET=whsec_... node receiver.mjs [PORT]
//
// For a sender that signs with ed25519 (whsk_...) the secret is whpk_ and base64
// of its public key.

import { createHmac, createPublicKey, timingSafeEqual, verify as verifySignature } from "node:crypto";
import { createServer } from "node:http";

const tolerance = 5 * 60; // seconds between the sender's clock and ours
const maxBody = 1 << 20; // bytes
const maxSeen = 100_000; // ids that are remembered, then all are forgotten

// verify returns what is wrong with a delivery, or "" if nothing is. The
// signature covers the bytes as they were sent: parse them afterwards.
export function verify(secret, headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"];
  const at = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"];
  if (!id || !at || !signatures) return "a header is missing";
  if (!/^\d{1,12}$/.test(at) || Math.abs(now - Number(at)) > tolerance) return "the timestamp is too old or too new";

  const [version, right] = scheme(secret, Buffer.concat([Buffer.from(`${id}.${at}.`), body]));
  // There is one signature for each secret of the sender's: one that is right
  // is enough, so that secrets can be rotated.
  for (const signature of signatures.split(" ")) {
    const [its, encoded] = signature.split(",", 2);
    if (its === version && encoded && right(Buffer.from(encoded, "base64"))) return "";
  }
  return "the signature is wrong";
}

// scheme returns which signatures a secret is for, and what tells whether one
// is right.
function scheme(secret, signed) {
  if (secret.startsWith("whpk_")) {
    const prefix = Buffer.from("302a300506032b6570032100", "hex"); // of every ed25519 key in this form
    const der = Buffer.concat([prefix, Buffer.from(secret.slice(5), "base64")]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return ["v1a", (got) => got.length === 64 && verifySignature(null, signed, key, got)];
  }
  const want = createHmac("sha256", Buffer.from(secret.replace(/^whsec_/, ""), "base64")).update(signed).digest();
  return ["v1", (got) => got.length === want.length && timingSafeEqual(got, want)];
}

// read returns the body's bytes, or null if there are too many.
async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBody) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// answer decides on a delivery. 2xx says that it was taken, and it never comes
// again on purpose; it may come twice by accident.
function answer(secret, seen, request, body) {
  if (body === null) return [413, "the body is too large"];
  const wrong = verify(secret, request.headers, body);
  if (wrong) return [401, wrong];
  let line;
  try {
    const change = JSON.parse(body);
    line = `${change.type}  ${change.data.incident.id}  ${JSON.stringify(change.data.incident.title)}`;
  } catch {
    return [400, "the body isn't of the published shape"];
  }
  const id = request.headers["webhook-id"];
  const repeat = seen.has(id) ? "  repeat" : "";
  if (seen.size >= maxSeen) seen.clear();
  seen.add(id);
  return [204, line + repeat];
}

const secret = process.env.RECEIVER_SECRET;
if (!secret) {
  console.error("set RECEIVER_SECRET to the destination's signing secret");
  process.exit(2);
}
const seen = new Set();
const server = createServer(async (request, response) => {
  try {
    const [status, line] = answer(secret, seen, request, await read(request));
    console.log(`${status}  ${request.headers["webhook-id"]}  ${line}`);
    response.writeHead(status).end();
  } catch {
    response.destroy(); // it was cut short, and is sent again
  }
});
server.requestTimeout = 10_000;
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
