'use strict';

// Adapts the reports of Duplicati, a backup program, which it posts after each
// operation where `send-http-json-urls` says so. A report of success ends the
// problem that an earlier one of the same backup has opened.

const { serve, Failure } = require('./bellcrank.js');

// severities are Duplicati's words for how an operation went. One that isn't
// here leaves the severity to the operator.
const severities = { warning: 'low', error: 'high', fatal: 'critical' };

const MAX_LINES = 20; // of a report's errors and warnings in a description

function describe() {
  return {
    type: 'duplicati',
    name: 'Duplicati',
    version: '1.0.0',
    summary: 'Backups of Duplicati that fail, and succeed again.',
    docs_url: 'https://docs.duplicati.com/detailed-descriptions/sending-reports-via-email/sending-http-notifications',
    sender: 'machine',
    settings: [
      {
        name: 'warnings', type: 'string', enum: ['incident', 'success'], default: 'incident',
        doc: 'Whether an operation that ended with warnings is a problem, or as good as one that succeeded.',
      },
    ],
    samples: [
      { name: 'a backup fails', body: sample('Error', ['The remote folder is not reachable']) },
      { name: 'it succeeds again', body: sample('Success', []) },
    ],
    setup: 'In the backup\'s options, or under Settings → Default options, set `send-http-json-urls` to `{{url}}` and ' +
      '`send-http-level` to `all`: without the reports of success an incident has no end. Give each backup a name.\n',
  };
}

function sample(result, errors) {
  return {
    Data: {
      MainOperation: 'Backup', ParsedResult: result, Errors: errors, Warnings: [], EndTime: '2026-03-01T02:12:45.1Z', Duration: '00:12:45.1',
    },
    Extra: { OperationName: 'Backup', 'machine-id': '5f0c8a7e', 'machine-name': 'nas', 'backup-name': 'Photos', 'backup-id': 'DB-2' },
  };
}

// object, string and list are a member if it is of that kind, else an empty one.
const object = (v) => (v && typeof v === 'object' && !Array.isArray(v) ? v : {});
const list = (v) => (Array.isArray(v) ? v : []);
const string = (v) => (typeof v === 'string' ? v.trim() : '');

const line = (s) => s.replace(/\s+/g, ' ').trim();

function adapt(request) {
  const { data, extra, exception } = parse(request.body);
  const operation = string(data.MainOperation) || string(extra.OperationName);
  const result = string(data.ParsedResult) || (exception ? 'Fatal' : '');
  const name = string(extra['backup-name']) || string(extra['backup-id']);
  if (!operation && !result && !name) {
    throw new Failure('MALFORMED', 'this is no report of Duplicati: it names neither operation, result nor backup');
  }
  const event = {
    action: succeeded(result, request.settings) ? 'resolve' : 'trigger',
    ...identity(data, extra, operation),
    title: title(name, operation, result, extra),
    occurred_at: time(data.EndTime),
    metadata: metadata(data, extra),
    labels: labels({ backup: name, machine: machine(extra), operation }),
  };
  if (event.action === 'trigger') {
    Object.assign(event, { severity: severities[result.toLowerCase()], severity_raw: result, description: description(data, exception) });
  }
  return { events: [event] };
}

function parse(body) {
  let report;
  try {
    report = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Failure('MALFORMED', 'the body is not JSON');
  }
  if (!report || typeof report !== 'object' || Array.isArray(report)) {
    throw new Failure('MALFORMED', 'the body is no JSON object');
  }
  const data = object(report.Data);
  return { data, extra: object(report.Extra), exception: string(report.Exception) || string(data.Message) };
}

// succeeded is whether an operation left nothing to do. What isn't told is no
// success.
function succeeded(result, settings) {
  const word = result.toLowerCase();
  return word === 'success' || (word === 'warning' && settings.warnings === 'success');
}

// identity names one operation of one backup on one machine. A report that
// lacks one of these has none: another backup's incident must not be ended.
function identity(data, extra, operation) {
  const of = string(extra['machine-id']) || string(extra['machine-name']);
  const backup = string(extra['backup-id']) || string(extra['backup-name']);
  if (!of || !backup || !operation) return {};
  return { dedup_key: JSON.stringify([of, backup, operation]), identity_rule: 'machine, backup and operation' };
}

const machine = (extra) => string(extra['machine-name']) || string(extra['machine-id']);

function title(name, operation, result, extra) {
  const where = machine(extra) ? ` on ${machine(extra)}` : '';
  return line(`${operation || 'Operation'} of ${name || 'a backup'}${where}: ${result || 'no result'}`).slice(0, 400);
}

function description(data, exception) {
  const lines = [exception, ...list(data.Errors).map(string), ...list(data.Warnings).map(string)].filter(Boolean);
  const more = lines.length > MAX_LINES ? `\n… and ${lines.length - MAX_LINES} more` : '';
  return lines.slice(0, MAX_LINES).map((l) => l.slice(0, 1000)).join('\n') + more;
}

// time reads Duplicati's times. The year 1 is its way to say that there is none.
function time(value) {
  const date = new Date(string(value));
  return date.getUTCFullYear() > 1970 && date.getUTCFullYear() < 2200 ? date : undefined;
}

function metadata(data, extra) {
  const kept = {};
  for (const name of ['Version', 'BeginTime', 'Duration', 'ExaminedFiles', 'SizeOfExaminedFiles', 'WarningsActualLength', 'ErrorsActualLength']) {
    if (typeof data[name] === 'string' || Number.isFinite(data[name])) kept[name] = data[name];
  }
  if (string(extra['backup-id'])) kept['backup-id'] = extra['backup-id'];
  return kept;
}

function labels(all) {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

serve({ describe, adapt });
