'use strict';

// Serves an adapter to the gateway: the handshake, the services that the
// gateway calls, and the process's life. It knows nothing of any vendor.
// docs/plugin-protocol.md says what each part is for.

const crypto = require('node:crypto');
const net = require('node:net');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const COOKIE = { name: 'BELLCRANK_PLUGIN', value: '6f1d0c0e-adapter' };
const PROTOCOL = 1; // of the contract, which the handshake negotiates
const CORE_PROTOCOL = 1; // of go-plugin
const CONTRACT_MINOR = 0;

// Sizes of messages, in bytes.
const MAX_REQUEST = (16 + 1) << 20;
const MAX_ANSWER = 64 << 20;

const DRAIN_MS = 10_000; // for the calls in flight when the process is told to end

// Failure is what is wrong with a request: MALFORMED, UNSUPPORTED or
// TOO_LARGE. Any other exception is the adapter's own fault, and the gateway
// tries the request again.
class Failure extends Error {
  constructor(code, message, where = '') {
    super(message);
    this.code = code;
    this.path = where;
  }
}

// log writes one line as hclog does. Standard output is the handshake's.
function log(level, message, facts = {}) {
  const line = { '@level': level, '@message': message, '@timestamp': new Date().toISOString(), ...facts };
  process.stderr.write(JSON.stringify(line) + '\n');
}

// text is a string that is valid in UTF-8, whatever it was.
function text(value) {
  return value === undefined || value === null ? '' : Buffer.from(String(value), 'utf8').toString('utf8');
}

function json(object) {
  return object && Object.keys(object).length > 0 ? Buffer.from(JSON.stringify(object), 'utf8') : Buffer.alloc(0);
}

// nanos is a Date, or a BigInt of nanoseconds, as a string: numbers are too
// short for it. What is too far away to be told so is unknown, 0.
function nanos(date) {
  const ms = date instanceof Date ? date.getTime() : NaN;
  const n = typeof date === 'bigint' ? date : Number.isFinite(ms) ? BigInt(ms) * 1_000_000n : 0n;
  return n === BigInt.asIntN(64, n) ? String(n) : '0';
}

function word(prefix, value) {
  return prefix + (value ? '_' + String(value).toUpperCase().replace(/-/g, '_') : '_UNSPECIFIED');
}

function toEvent(e) {
  const event = {
    action: word('ACTION', e.action),
    dedup_key: text(e.dedup_key),
    series_key: text(e.series_key),
    title: text(e.title),
    description: text(e.description),
    severity: word('SEVERITY', e.severity),
    severity_raw: text(e.severity_raw),
    service: text(e.service),
    affected_services: (e.affected_services || []).map(text),
    source_url: text(e.source_url),
    occurred_at_unix_nano: nanos(e.occurred_at),
    ended_at_unix_nano: nanos(e.ended_at),
    test: Boolean(e.test),
    labels_json: json(e.labels),
    metadata_json: json(e.metadata),
    links: (e.links || []).map((l) => ({ name: text(l.name), url: text(l.url) })),
    identity_rule: text(e.identity_rule),
  };
  if (typeof e.customer_impact === 'boolean') event.customer_impact = e.customer_impact;
  return event;
}

function toResult(r) {
  const result = {
    events: (r.events || []).map(toEvent),
    rejected: (r.rejected || []).map((x) => ({ index: x.index, path: text(x.path), reason: text(x.reason) })),
    ignored: text(r.ignored),
    notes: (r.notes || []).map(text),
    paths_read: (r.paths_read || []).map(text),
  };
  if (r.reply) {
    result.reply = { status: r.reply.status || 0, content_type: text(r.reply.content_type), body: Buffer.from(r.reply.body || '') };
  }
  if (r.confirm) result.confirm_url = text(r.confirm.url);
  return result;
}

function toFailure(err, id) {
  if (err instanceof Failure) {
    return { code: word('FAILURE_CODE', err.code), path: text(err.path), message: text(err.message) };
  }
  log('error', 'the adapter failed', { request: id, stack: err && err.stack });
  return { code: 'FAILURE_CODE_INTERNAL', message: text(err && err.message).slice(0, 1024) };
}

// Answers turns requests into answers, with the settings that each
// integration was given.
class Answers {
  constructor(adapter) {
    this.adapter = adapter;
    this.settings = new Map();
    this.inFlight = 0;
  }

  configure(m) {
    const raw = m.settings_json.toString('utf8');
    try {
      this.settings.set(m.instance, raw ? JSON.parse(raw) : {});
      return { diagnostics: [] };
    } catch {
      return { diagnostics: [{ message: 'the settings are not JSON' }] };
    }
  }

  async answer(m) {
    const answer = { call: m.call, id: m.id };
    this.inFlight++;
    try {
      answer.result = toResult(await this.adapter.adapt(this.request(m)));
    } catch (err) {
      answer.failure = toFailure(err, m.id);
    } finally {
      this.inFlight--;
    }
    return answer;
  }

  request(m) {
    const headers = {};
    for (const h of m.headers) headers[h.name.toLowerCase()] = h.value.toString('utf8');
    return {
      id: m.id, integration: m.instance, settings: this.settings.get(m.instance) || {}, method: m.method,
      path: m.path.toString('utf8'), query: new URLSearchParams(m.query), headers, body: m.body, source: m.source,
      received_at: new Date(Number(BigInt(m.received_at_unix_nano) / 1_000_000n)), attempt: m.attempt,
    };
  }
}

function pluginService(info, answers) {
  return {
    Describe: (call, done) => done(null, {
      info_json: Buffer.from(JSON.stringify(info), 'utf8'), capabilities: ['batch'],
      contract_minor: CONTRACT_MINOR, sdk: 'node ' + process.versions.node,
    }),
    Configure: (call, done) => done(null, answers.configure(call.request)),
    Release: (call, done) => {
      answers.settings.delete(call.request.instance);
      done(null, {});
    },
  };
}

// adapterService answers one by one, and several in a batch, which costs this
// one thread less than half.
function adapterService(answers) {
  return {
    Adapt: (call, done) => answers.answer(call.request).then((answer) => done(null, answer), done),
    AdaptBatch: (call, done) =>
      Promise.all(call.request.requests.map((m) => answers.answer(m))).then((responses) => done(null, { responses }), done),
  };
}

// bare is a unary service whose messages are bytes: those that go-plugin and
// gRPC define are so small that they need no definition.
function bare(method) {
  return { call: { path: method, requestStream: false, responseStream: false, requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b } };
}

const SERVING = Buffer.from([0x08, 0x01]); // grpc.health.v1.HealthCheckResponse{status: SERVING}

function newServer(adapter, info, leave) {
  const definition = loader.loadSync(path.join(__dirname, 'adapter.proto'), { keepCase: true, longs: String, enums: String, defaults: true });
  const contract = grpc.loadPackageDefinition(definition).bellcrank.adapter.v1;
  const answers = new Answers(adapter);
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_REQUEST, 'grpc.max_send_message_length': MAX_ANSWER,
  });
  server.addService(contract.Plugin.service, pluginService(info, answers));
  server.addService(contract.Adapter.service, adapterService(answers));
  server.addService(bare('/grpc.health.v1.Health/Check'), { call: (call, done) => done(null, SERVING) });
  server.addService(bare('/plugin.GRPCController/Shutdown'), {
    call: (call, done) => {
      done(null, Buffer.alloc(0));
      setImmediate(leave, 0);
    },
  });
  return { server, answers };
}

// watchGateway ends the process with the gateway, whose end of the pipe closes
// with it.
function watchGateway() {
  const fd = Number(process.env.BELLCRANK_LIFELINE_FD);
  if (!fd) return;
  const lifeline = new net.Socket({ fd, readable: true, writable: false });
  const gone = () => process.exit(1);
  lifeline.on('end', gone).on('error', gone).on('close', gone);
  lifeline.resume();
}

// watchSignals lets the calls in flight end when the process is told to end.
function watchSignals(answers, leave) {
  process.on('SIGINT', () => {}); // Ctrl-C is the gateway's
  process.on('SIGTERM', () => {
    const end = Date.now() + DRAIN_MS;
    const wait = () => {
      if (answers.inFlight > 0 && Date.now() < end) setTimeout(wait, 10);
      else setTimeout(leave, 100, 0); // the last answers are on their way
    };
    wait();
  });
}

function checkHandshake(info) {
  if (process.env[COOKIE.name] !== COOKIE.value) {
    console.error(`${info.name} ${info.version}: an adapter for bellcrank, which starts it. -describe prints what it is.`);
    process.exit(2);
  }
  const versions = (process.env.PLUGIN_PROTOCOL_VERSIONS || String(PROTOCOL)).split(',').map(Number);
  if (!versions.includes(PROTOCOL)) {
    console.error(`the gateway speaks versions ${versions} of the contract, this adapter ${PROTOCOL}`);
    process.exit(1);
  }
  if (process.env.PLUGIN_CLIENT_CERT) {
    console.error('the gateway asks for TLS on its private socket, which this adapter does not have');
    process.exit(1);
  }
}

// serve is all that a program does. With -describe it prints what the adapter
// is and ends.
function serve(adapter) {
  const info = adapter.describe();
  if (process.argv.some((a) => a === '-describe' || a === '--describe')) {
    process.stdout.write(JSON.stringify(info, null, 2) + '\n');
    return;
  }
  checkHandshake(info);
  const shake = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr); // whatever a library prints
  const leave = (code) => process.exit(code);
  const { server, answers } = newServer(adapter, info, leave);
  watchGateway();
  watchSignals(answers, leave);
  const folder = process.env.PLUGIN_UNIX_SOCKET_DIR || require('node:os').tmpdir();
  const socket = path.join(folder, 'plugin' + crypto.randomInt(1e9));
  server.bindAsync('unix:' + socket, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) {
      log('error', 'no socket', { socket, error: err.message });
      process.exit(1);
    }
    shake(`${CORE_PROTOCOL}|${PROTOCOL}|unix|${socket}|grpc|\n`);
  });
}

module.exports = { serve, Failure, log };
