"""gRPC's C core as a peer: `client <address>` tries a server of ours and prints a line per case, `server` serves ours."""

import sys
import time
from concurrent import futures

import grpc

SERVICE = "holdfast.testing.v1.EchoService"
identity = lambda data: data


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    encoded = value.encode()
    return b"\x0a" + varint(len(encoded)) + encoded


def payload(size):
    return b"\x12" + varint(size) + b"x" * size


def check(name, good):
    print(("ok " if good else "FAILED ") + name, flush=True)
    if not good:
        sys.exit(1)


def client(address):
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", 8 << 20)])
    method = lambda kind, name: getattr(channel, kind)(f"/{SERVICE}/{name}", identity, identity)
    echo = method("unary_unary", "Echo")
    check("unary", echo(text("hello"), timeout=5) == text("hello"))
    check("empty unary", echo(b"", timeout=5) == b"")
    large = payload(1_000_000)
    check("large unary", echo(large, timeout=10) == large)
    check("large unary, gzip", echo(large, timeout=10, compression=grpc.Compression.Gzip) == large)
    many = [echo.future(text(f"call {n}"), timeout=10) for n in range(500)]
    check("500 at a time", [one.result() for one in many] == [text(f"call {n}") for n in range(500)])
    answers = list(method("unary_stream", "Expand")(b"\x08\x64\x10\xe8\x07", timeout=10))
    check("server streaming", len(answers) == 100 and all(len(one) > 1_000 for one in answers))
    collected = method("stream_unary", "Collect")(iter([text(str(n)) for n in range(50)]), timeout=10)
    check("client streaming", collected.startswith(b"\x08\x32"))
    heard = list(method("stream_stream", "Chat")(iter([text(str(n)) for n in range(50)]), timeout=10))
    check("both ways", heard == [text(str(n)) for n in range(50)])
    for word, code in (("fail", grpc.StatusCode.NOT_FOUND), ("bug", grpc.StatusCode.INTERNAL)):
        try:
            echo(text(word), timeout=5)
            check(f"status of {word}", False)
        except grpc.RpcError as error:
            check(f"status of {word}", error.code() == code)
            if word == "fail":
                check("status message", error.details() == "schön 100 %")
    try:
        method("unary_unary", "Missing")(b"", timeout=5)
    except grpc.RpcError as error:
        check("unimplemented", error.code() == grpc.StatusCode.UNIMPLEMENTED)
    start = time.monotonic()
    try:
        echo(text("sleep"), timeout=0.2)
    except grpc.RpcError as error:
        check("deadline", error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - start < 2)
    slow = echo.future(text("sleep"), timeout=10)
    time.sleep(0.1)
    check("cancel", slow.cancel())
    response, call = echo.with_call(text("meta"), timeout=5, metadata=(("x-text", "a b"), ("x-bytes-bin", b"\x00\xff")))
    check("metadata", dict(call.initial_metadata()).get("x-back-bin") == b"\x00\xff")
    check("still there", echo(text("end"), timeout=5) == text("end"))


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name == "Echo":
            return grpc.unary_unary_rpc_method_handler(self.echo, identity, identity)
        if name == "Expand":
            return grpc.unary_stream_rpc_method_handler(self.expand, identity, identity)
        if name == "Collect":
            return grpc.stream_unary_rpc_method_handler(self.collect, identity, identity)
        if name == "Chat":
            return grpc.stream_stream_rpc_method_handler(lambda requests, _: requests, identity, identity)
        return None

    def echo(self, request, context):
        if request == text("fail"):
            context.abort(grpc.StatusCode.NOT_FOUND, "schön 100 %")
        if request == text("sleep"):
            time.sleep(1)
        context.send_initial_metadata((("x-back", "there"),))
        context.set_trailing_metadata((("x-end", "here"),))
        return request

    def expand(self, request, context):
        for index in range(100):
            yield (b"\x08" + varint(index) if index else b"") + payload(1_000)

    def collect(self, requests, context):
        return b"\x08" + varint(sum(1 for _ in requests))


def server():
    options = [("grpc.max_receive_message_length", 8 << 20)]
    serving = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Echo(),), options=options)
    port = serving.add_insecure_port("127.0.0.1:0")
    serving.start()
    print(f"port {port}", flush=True)
    sys.stdin.read()


if sys.argv[1] == "client":
    client(sys.argv[2])
else:
    server()
