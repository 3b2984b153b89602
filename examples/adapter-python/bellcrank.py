"""Serves an adapter to the gateway: the handshake, the services that the
gateway calls, and the process's life. It knows nothing of any vendor.
docs/plugin-protocol.md says what each part is for.
"""

import datetime
import json
import os
import platform
import signal
import sys
import threading
import traceback
from concurrent import futures

COOKIE = ("BELLCRANK_PLUGIN", "6f1d0c0e-adapter")
PROTOCOL = 1  # of the contract, which the handshake negotiates
CORE_PROTOCOL = 1  # of go-plugin
CONTRACT_MINOR = 0

# Sizes of messages, in bytes.
MAX_REQUEST = (16 + 1) << 20
MAX_ANSWER = 64 << 20

DRAIN_SECONDS = 10  # for the calls in flight when the process is told to end
THREADS = 8
SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse with status SERVING


class Failure(Exception):
    """What is wrong with a request: MALFORMED, UNSUPPORTED or TOO_LARGE. Any
    other exception is the adapter's own fault, and the gateway tries again."""

    def __init__(self, code, message, path=""):
        super().__init__(message)
        self.code, self.message, self.path = code, message, path


def log(level, message, **facts):
    """Writes one line as hclog does. Standard output is the handshake's."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    line = {"@level": level, "@message": message, "@timestamp": now, **facts}
    print(json.dumps(line), file=sys.stderr, flush=True)


def text(value):
    """A string that is valid in UTF-8, whatever it was."""
    return "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")


def to_json(members):
    return json.dumps(members).encode() if members else b""


def nanos(when):
    """A datetime, or a number of nanoseconds, in nanoseconds; 0 if there is none,
    or if it is too far away to be told so."""
    if isinstance(when, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        when = (when - epoch) // datetime.timedelta(microseconds=1) * 1000
    return when if when and -(2**63) <= when < 2**63 else 0


class Contract:
    """The messages, from the compiled form of adapter.proto."""

    def __init__(self):
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

        files = descriptor_pb2.FileDescriptorSet()
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapter.desc"), "rb") as f:
            files.ParseFromString(f.read())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
        for name in files.file[0].message_type:
            setattr(self, name.name, make(pool.FindMessageTypeByName(files.file[0].package + "." + name.name)))
        self.enums = {e.name: {v.name: v.number for v in e.value} for e in files.file[0].enum_type}

    def number(self, enum, prefix, word):
        """The number of a word such as "pre-emptive"; unspecified for none."""
        name = prefix + "_" + (word or "unspecified").upper().replace("-", "_")
        return self.enums[enum][name]

    def result(self, r):
        m = self.Result(ignored=text(r.get("ignored")), notes=[text(n) for n in r.get("notes", [])])
        m.paths_read.extend(text(p) for p in r.get("paths_read", []))
        for event in r.get("events", []):
            m.events.append(self.event(event))
        for x in r.get("rejected", []):
            m.rejected.add(index=x["index"], path=text(x.get("path")), reason=text(x["reason"]))
        if "reply" in r:
            m.reply.status = r["reply"].get("status", 0)
            m.reply.content_type = text(r["reply"].get("content_type"))
            m.reply.body = r["reply"].get("body", b"")
        return m

    def event(self, e):
        m = self.Event(
            action=self.number("Action", "ACTION", e["action"]),
            severity=self.number("Severity", "SEVERITY", e.get("severity")),
            occurred_at_unix_nano=nanos(e.get("occurred_at")),
            ended_at_unix_nano=nanos(e.get("ended_at")),
            test=bool(e.get("test")),
            labels_json=to_json(e.get("labels")),
            metadata_json=to_json(e.get("metadata")),
        )
        for name in ("dedup_key", "series_key", "title", "description", "severity_raw", "service", "source_url", "identity_rule"):
            setattr(m, name, text(e.get(name)))
        m.affected_services.extend(text(s) for s in e.get("affected_services", []))
        if e.get("customer_impact") is not None:
            m.customer_impact = e["customer_impact"]
        for link in e.get("links", []):
            m.links.add(name=text(link["name"]), url=text(link["url"]))
        return m

    def failure(self, err, request):
        if isinstance(err, Failure):
            code = self.number("FailureCode", "FAILURE_CODE", err.code)
            return self.Failure(code=code, path=text(err.path), message=text(err.message))
        log("error", "the adapter failed", request=request, stack=traceback.format_exc())
        return self.Failure(code=self.number("FailureCode", "FAILURE_CODE", "INTERNAL"), message=text(err)[:1024])


class Services:
    """Answers calls with the adapter, and with the settings that each
    integration was given."""

    def __init__(self, contract, info, adapt):
        self.contract, self.info, self.adapt_request = contract, info, adapt
        self.settings = {}

    def describe(self, _, __):
        return self.contract.DescribeResponse(
            info_json=json.dumps(self.info).encode(), capabilities=["batch"],
            contract_minor=CONTRACT_MINOR, sdk="python " + platform.python_version(),
        )

    def configure(self, m, _):
        answer = self.contract.ConfigureResponse()
        try:
            self.settings[m.instance] = json.loads(m.settings_json or b"{}")
        except ValueError:
            answer.diagnostics.add(message="the settings are not JSON")
        return answer

    def release(self, m, _):
        self.settings.pop(m.instance, None)
        return self.contract.ReleaseResponse()

    def adapt(self, m, _=None):
        answer = self.contract.AdaptResponse(call=m.call, id=m.id)
        try:
            answer.result.CopyFrom(self.contract.result(self.adapt_request(m, self.settings.get(m.instance, {}))))
        except Exception as err:  # whatever it is, it costs this request alone
            answer.failure.CopyFrom(self.contract.failure(err, m.id))
        return answer

    def batch(self, m, _):
        """Answers several in one call: an adapter only computes, and Python
        computes one thing at a time."""
        answer = self.contract.AdaptBatchResponse()
        answer.responses.extend(self.adapt(r) for r in m.requests)
        return answer


def add_services(server, grpc, contract, services, leave):
    def unary(method, request, response):
        return grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)

    def bare(method):
        return grpc.unary_unary_rpc_method_handler(method)  # bytes in, bytes out

    def shutdown(_, __):
        threading.Timer(0.05, leave).start()  # once the answer has left
        return b""

    c = contract
    server.add_generic_rpc_handlers(tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in {
        "bellcrank.adapter.v1.Plugin": {
            "Describe": unary(services.describe, c.DescribeRequest, c.DescribeResponse),
            "Configure": unary(services.configure, c.ConfigureRequest, c.ConfigureResponse),
            "Release": unary(services.release, c.ReleaseRequest, c.ReleaseResponse),
        },
        "bellcrank.adapter.v1.Adapter": {
            "Adapt": unary(services.adapt, c.AdaptRequest, c.AdaptResponse),
            "AdaptBatch": unary(services.batch, c.AdaptBatchRequest, c.AdaptBatchResponse),
        },
        "grpc.health.v1.Health": {"Check": bare(lambda _, __: SERVING)},
        "plugin.GRPCController": {"Shutdown": bare(shutdown)},
    }.items()))


def watch_gateway():
    """Ends the process with the gateway, whose end of the pipe closes with it."""
    fd = int(os.environ.get("BELLCRANK_LIFELINE_FD", "0"))
    if not fd:
        return

    def watch():
        while os.read(fd, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def check_handshake(info):
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        print("%s %s: an adapter for bellcrank, which starts it. -describe prints what it is." % (info["name"], info["version"]), file=sys.stderr)
        sys.exit(2)
    versions = os.environ.get("PLUGIN_PROTOCOL_VERSIONS", str(PROTOCOL)).split(",")
    if str(PROTOCOL) not in versions:
        print("the gateway speaks versions %s of the contract, this adapter %d" % (versions, PROTOCOL), file=sys.stderr)
        sys.exit(1)
    if os.environ.get("PLUGIN_CLIENT_CERT"):
        print("the gateway asks for TLS on its private socket, which this adapter does not have", file=sys.stderr)
        sys.exit(1)


def set_stdout_aside():
    """Returns a descriptor for the handshake; whatever else is printed, by
    libraries too, goes to the log."""
    aside = os.dup(1)
    os.dup2(2, 1)
    return aside


def serve(info, adapt):
    """All that a program does. adapt takes a request message and the
    integration's settings, and returns a result. With -describe it prints what
    the adapter is and ends."""
    if "-describe" in sys.argv or "--describe" in sys.argv:
        print(json.dumps(info, indent=2))
        return
    check_handshake(info)
    handshake = set_stdout_aside()
    import grpc  # not needed to describe

    told = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the gateway's
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    contract = Contract()
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=[
        ("grpc.max_receive_message_length", MAX_REQUEST), ("grpc.max_send_message_length", MAX_ANSWER)])
    add_services(server, grpc, contract, Services(contract, info, adapt), lambda: os._exit(0))
    socket = os.path.join(os.environ.get("PLUGIN_UNIX_SOCKET_DIR", "/tmp"), "plugin%d" % os.getpid())
    server.add_insecure_port("unix:" + socket)
    server.start()
    watch_gateway()
    os.write(handshake, ("%d|%d|unix|%s|grpc|\n" % (CORE_PROTOCOL, PROTOCOL, socket)).encode())
    told.wait()
    # The gateway's stream never ends by itself, so there is a limit.
    server.stop(1).wait(DRAIN_SECONDS)
    os._exit(0)
