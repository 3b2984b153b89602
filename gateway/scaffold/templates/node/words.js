'use strict';

// What adapters need again and again: members that are missing or of another
// kind, words for severities and states, times as vendors write them. Nothing
// in here fails: one odd member must not cost an alert.

const crypto = require('node:crypto');
const { Failure } = require('./bellcrank.js');

// parse reads a JSON body. Numbers come as text, as they were written.
function parse(body) {
  const source = body.toString('utf8').trim();
  try {
    JSON.parse(source); // what isn't JSON stays so
    return JSON.parse(source.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (m) => (m[0] === '"' ? m : JSON.stringify(m))));
  } catch {
    throw new Failure('MALFORMED', source ? 'the body is not JSON' : 'the body is empty');
  }
}

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

// object is the value itself; what is none can't be read.
function object(value, where = '') {
  if (!isObject(value)) throw new Failure('MALFORMED', 'want a JSON object', where);
  return value;
}

// at is a member, or undefined where the path leads nowhere.
function at(value, ...path) {
  for (const name of path) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value;
}

// text is a member that is a string, a number or a boolean; else empty.
function text(value) {
  return typeof value === 'string' ? value : typeof value === 'boolean' ? String(value) : '';
}

const line = (s) => s.replace(/[\s\p{Cc}]+/gu, ' ').trim();

function paragraphs(s) {
  return s.replace(/\r\n/g, '\n').replace(/[^\P{Cc}\n\t]/gu, '').replace(/\n(?:[ \t]*\n){2,}/g, '\n\n').trim();
}

// absoluteURL is empty for what is no absolute http or https URL, and for one
// with a user, which reads like another host than it leads to.
function absoluteURL(s) {
  try {
    const url = new URL(s.trim());
    const good = /^https?:\/\/[^\s/?#@\\]+([/?#]|$)/.test(s.trim()) && !url.username && !url.password && !/[\s\p{Cc}]/u.test(s.trim());
    return good ? s.trim() : '';
  } catch {
    return '';
  }
}

const table = (rows) => new Map(Object.entries(rows).flatMap(([to, words]) => words.split(' ').map((w) => [w, to])));

// Digits count as most vendors count: 1 is worst.
const severities = table({
  critical: 'critical crit page emergency emerg fatal disaster blocker p0 p1 sev0 sev1 sev-0 sev-1 1',
  high: 'high error err major severe urgent p2 sev2 sev-2 2',
  medium: 'medium warning warn moderate average minor ticket unknown p3 sev3 sev-3 3',
  low: 'low info information informational notice normal p4 sev4 sev-4 4',
  'pre-emptive': 'pre-emptive preemptive none debug trace sample hint p5 sev5 sev-5 5',
});

const actions = table({
  trigger: 'firing trigger triggered alerting alert problem open opened active activated down failed investigating',
  acknowledge: 'acknowledge acknowledged ack',
  resolve: 'resolve resolved ok close closed recovered recovery up cleared clear normal success',
});

// severityOf and actionOf map a vendor's word; undefined if it isn't known.
const severityOf = (word) => severities.get(word.trim().toLowerCase());
const actionOf = (word) => actions.get(word.trim().toLowerCase());

const TIME = /^(\d{4})[-.](\d\d)[-.](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?: [A-Z]{3,4})?$/;

// parseTime reads a time as vendors write it, in nanoseconds since 1970;
// undefined if it is none. Without a zone it is UTC.
function parseTime(s) {
  s = s.trim();
  if (/^\d{1,19}$/.test(s)) return sinceEpoch(BigInt(s));
  if (/^\d{1,11}\.\d+$/.test(s)) return BigInt(Math.round(Number(s) * 1e6)) * 1000n;
  const m = TIME.exec(s);
  const ms = m ? Date.UTC(+m[1], m[2] - 1, +m[3], +m[4], +m[5], +m[6]) : Date.parse(/^[A-Z][a-z]{2}, /.test(s) ? s : '');
  if (!Number.isFinite(ms) || (m && +m[1] <= 1)) return undefined;
  const zone = m && /^([+-])(\d\d):?(\d\d)$/.exec(m[8] || '');
  const offset = zone ? BigInt((zone[1] === '-' ? -1 : 1) * (zone[2] * 60 + +zone[3])) * 60_000_000_000n : 0n;
  return BigInt(ms) * 1_000_000n + BigInt(((m && m[7]) || '').padEnd(9, '0')) - offset;
}

function sinceEpoch(n) {
  if (n <= 0n) return undefined;
  for (const [below, unit] of [[100_000_000_000n, 1_000_000_000n], [100_000_000_000_000n, 1_000_000n], [100_000_000_000_000_000n, 1_000n]]) {
    if (n < below) return n * unit;
  }
  return n;
}

// labels reads an object, a list of objects with a name and a value, or a list
// or one text of "name:value" with commas.
function labels(value) {
  const found = {};
  const add = (name, v) => {
    if (line(name) && line(v)) found[line(name)] = line(v);
  };
  const word = (w) => {
    const i = w.search(/[:=]/);
    if (w.trim()) add(i < 0 ? w : w.slice(0, i), i < 0 ? 'true' : w.slice(i + 1));
  };
  if (isObject(value)) Object.entries(value).sort().forEach(([name, v]) => add(name, text(v)));
  else if (Array.isArray(value)) value.forEach((v) => (isObject(v) ? add(text(v.name) || text(v.key), text(v.value)) : word(text(v))));
  else text(value).split(',').forEach(word);
  return found;
}

// kept leaves out what is empty.
const kept = (members) => Object.fromEntries(Object.entries(members).filter(([, v]) => v !== ''));

// fingerprint makes a key of parts that together name a problem.
function fingerprint(...parts) {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part + '\0', 'utf8');
  return hash.digest('hex').slice(0, 24);
}

// each makes an event of each element. One that can't be read costs the others
// nothing; if none can, the first says why.
function each(elements, where, event) {
  const result = { events: [], rejected: [] };
  let first;
  elements.forEach((element, i) => {
    try {
      result.events.push(event(object(element)));
    } catch (err) {
      if (!(err instanceof Failure)) throw err;
      first = first || err;
      result.rejected.push({ index: i, path: err.path, reason: err.message });
    }
  });
  if (result.events.length === 0) throw first || new Failure('MALFORMED', 'there is nothing in the list', where);
  return result;
}

module.exports = { parse, object, at, text, line, paragraphs, absoluteURL, severityOf, actionOf, parseTime, labels, kept, fingerprint, each };
