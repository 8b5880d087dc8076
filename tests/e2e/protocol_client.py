#!/usr/bin/env python3
"""A client written from docs/protocol.md alone: protocol_client.py [ENDPOINT [EVENTS_ENDPOINT [TORRENT TARGET]]].

Checks a running daemon against the page: every deviation is printed, and the exit status is then 1. ENDPOINT is
EZIO_ENDPOINT where it is left out. With a torrent and the image it was made of, the verbs for torrents are
checked as well; the torrent is added as a seed and removed again. 77: python3-zmq is missing.
"""
import base64
import json
import os
import sys
import time

try:
    import zmq
except ImportError:
    print("skipped: python3-zmq is not installed")
    sys.exit(77)

CODES = ("internal invalid-argument unknown-key out-of-range invalid-torrent not-found ambiguous already-exists "
         "target-refused io-error unexpected-end integrity no-memory aborted timed-out unreachable denied interrupted "
         "protocol unsupported").split()
STATES = "checking downloading syncing finished seeding verifying paused error".split()
TORRENT = {
    "info_hash": str, "name": str, "target": str, "state": str, "seed": bool, "synced": bool, "verified": bool,
    "size_bytes": int, "done_bytes": int, "downloaded_bytes": int, "uploaded_bytes": int, "down_rate": int, "up_rate": int,
    "peers": int, "seeds": int, "pieces_total": int, "pieces_done": int, "piece_bytes": int, "read_errors": int,
    "hash_failures": int, "progress": (int, float), "eta_seconds": (int, type(None)), "added_unix_ms": int,
    "error": (dict, type(None)), "bad_pieces": (int, type(None)), "warming": bool, "warm_bytes": (int, type(None)),
    "upload_limit": int, "download_limit": int, "priority": str, "held": bool, "slow_start_rate": (int, type(None))}
TOTALS = {"torrents": int, "size_bytes": int, "done_bytes": int, "down_rate": int, "up_rate": int, "peers": int,
          "states": dict}
SETTING = {"table": str, "key": str, "type": str, "unit": str, "value": str, "effective": str, "default": str,
           "allowed": str, "live": bool, "help": str}
VERSION = {"version": str, "protocol": int, "libtorrent": str, "caf": str, "pid": int, "uptime_ms": int,
           "events_endpoint": str}
EVENT = {"v": int, "seq": int, "kind": str, "unix_ms": int, "info_hash": str, "text": str, "key": str, "old": str,
         "new": str, "peer": str, "piece": (int, type(None)), "error": (dict, type(None))}
REPLY_MS = 15000
SILENCE_MS = 500


class Deviation(Exception):
    pass


def expect(condition, *story):
    if not condition:
        raise Deviation(" ".join(str(part) for part in story))


def expect_members(value, members, what):
    expect(isinstance(value, dict), what, "is no object:", value)
    for name, kind in members.items():
        expect(name in value, what, "has no", name)
        is_bool_for_int = isinstance(value[name], bool) and kind is int
        expect(isinstance(value[name], kind) and not is_bool_for_int, what, name, "is", repr(value[name]))


def expect_error(value, what):
    expect_members(value, {"code": str, "message": str, "text": str, "context": dict}, what)
    expect(value["code"] in CODES, what, "has the unknown code", value["code"])
    expect(value["text"], what, "has no text")


class Client:
    def __init__(self, context, endpoint, kind=zmq.DEALER):
        self.socket = context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        self.last_id = 0

    def close(self):
        self.socket.close()

    def receive(self, timeout_ms=REPLY_MS):
        if not self.socket.poll(timeout_ms):
            return None
        return self.socket.recv_multipart()

    def raw(self, *frames):
        """The reply to frames of any kind; must come and must be a reply."""
        self.socket.send_multipart(list(frames))
        answer = self.receive()
        expect(answer is not None, "no reply to", [frame[:80] for frame in frames])
        expect(len(answer) == 1, "a reply of", len(answer), "frames")
        reply = json.loads(answer[0])
        expect(reply.get("v") == 1, "v of a reply is", reply.get("v"))
        expect("id" in reply, "a reply without id")
        expect(isinstance(reply.get("ok"), bool), "ok of a reply is", reply.get("ok"))
        if reply["ok"]:
            expect(isinstance(reply.get("result"), dict), "a reply without result:", reply)
        else:
            expect_error(reply.get("error"), "the error of a reply")
        return reply

    def call(self, verb, **args):
        self.last_id += 1
        request = {"v": 1, "id": self.last_id, "verb": verb, "args": args}
        reply = self.raw(json.dumps(request).encode())
        expect(reply["id"] == self.last_id, "id", reply["id"], "answers", self.last_id)
        return reply

    def result(self, verb, **args):
        reply = self.call(verb, **args)
        expect(reply["ok"], verb, args, "failed:", reply.get("error"))
        return reply["result"]

    def refusal(self, code, verb, **args):
        reply = self.call(verb, **args)
        expect(not reply["ok"], verb, args, "was accepted:", reply)
        expect(reply["error"]["code"] == code, verb, args, "is", reply["error"]["code"], "instead of", code)
        return reply["error"]

    def refused_bytes(self, code, data, wanted_id=None):
        reply = self.raw(data)
        expect(not reply["ok"], data[:80], "was accepted")
        expect(reply["error"]["code"] == code, data[:80], "is", reply["error"], "instead of", code)
        expect(reply["id"] == wanted_id, data[:80], "is answered to id", reply["id"])


def check_basics(client):
    expect(client.result("ping") == {"pong": True}, "ping does not answer pong")
    version = client.result("version")
    expect_members(version, VERSION, "version")
    expect(version["protocol"] == 1, "protocol is", version["protocol"])
    status = client.result("status")
    expect_members(status, {"torrents": list, "totals": dict}, "status")
    expect_members(status["totals"], TOTALS, "totals")
    stats = client.result("stats")
    expect_members(stats, {"partitions": list, "totals": dict, "hashers": list, "budget": dict, "events": dict, "uptime_ms": int},
                   "stats")
    for hasher in stats["hashers"]:
        expect_members(hasher, {"index": int, "hashed_bytes": int, "pieces": int, "lanes_filled": float, "steps_by_pieces": list}, "hasher")
    reloaded = client.result("reload")
    expect_members(reloaded, {"applied": list, "needs_restart": list}, "reload")


def check_framing(context, endpoint, client):
    for given in ("text", 7, -7, "", "i" * 256):
        reply = client.raw(json.dumps({"v": 1, "id": given, "verb": "ping"}).encode())
        expect(reply["ok"] and reply["id"] == given, "the id", given, "came back as", reply["id"])
    reply = client.raw(b'{"v":1,"verb":"ping"}')
    expect(reply["ok"] and reply["id"] is None, "a request without id is answered to", reply["id"])

    client.socket.send_multipart([b"", b'{"v":1,"id":1,"verb":"ping"}'])
    answer = client.receive()
    expect(answer is not None and len(answer) == 2 and answer[0] == b"", "no delimiter came back:", answer)
    requester = Client(context, endpoint, zmq.REQ)
    expect(requester.result("ping") == {"pong": True}, "a REQ socket gets no pong")
    requester.close()

    sent = list(range(100, 150))
    for number in sent:
        client.socket.send(json.dumps({"v": 1, "id": number, "verb": "ping"}).encode())
    came = []
    for _ in sent:
        answer = client.receive()
        expect(answer is not None, "only", len(came), "of", len(sent), "requests under way were answered")
        came.append(json.loads(answer[0])["id"])
    expect(sorted(came) == sent, "ids of requests under way came back as", came)


def check_malformed(client):
    for data in (b" ", b"{", b"[]", b"null", b"7", b"ping", b"\xff\xfe\x00", b'{"v":1}', b'{"verb":"ping"}',
                 b'{"v":1,"verb":7}', b'{"v":1,"verb":"ping",}', b'{"v":1,"verb":"ping"} x', b'{"v":1,"verb":"\xff"}',
                 b'{"v":1,"id":1.5,"verb":"ping"}', b'{"v":1,"id":[],"verb":"ping"}',
                 json.dumps({"v": 1, "id": "i" * 257, "verb": "ping"}).encode()):
        client.refused_bytes("protocol", data)
    client.refused_bytes("protocol", b'{"v":1,"id":4,"verb":"ping","more":1}', 4)
    for version in (2, 0, "1", None, 1.0):
        client.refused_bytes("unsupported", json.dumps({"v": version, "id": "x", "verb": "ping"}).encode(), "x")

    def nested(depth):
        return b'{"v":1,"id":3,"verb":"ping","args":{"x":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}}"
    client.refused_bytes("invalid-argument", nested(32), 3)
    client.refused_bytes("protocol", nested(33))
    client.refused_bytes("protocol", b"[" * 1000000)
    client.refused_bytes("protocol", b'{"v":1,"verb":"get","args":{"keys":[' + b'"",' * 70000 + b'""]}}')
    padded = b'{"v":1,"id":9,"verb":"ping"}'
    reply = client.raw(padded + b" " * (24 * 1024 * 1024 - len(padded)))
    expect(reply["ok"] and reply["id"] == 9, "a request of 24 MiB is refused:", reply.get("error"))


def check_unanswered(context, endpoint):
    """What may be dropped must not disturb others, whatever the daemon does with the sender."""
    for frames in ([b""], [b"{}", b"{}"], [b"", b"", b""], [b"x"] * 20, [b" " * (24 * 1024 * 1024 + 1)]):
        sender = Client(context, endpoint)
        sender.socket.send_multipart(frames)
        answer = sender.receive(SILENCE_MS)
        if answer is not None:
            reply = json.loads(answer[-1])
            expect(reply.get("ok") is False and reply["error"]["code"] == "protocol", len(frames), "frames are answered by", reply)
        sender.close()
        other = Client(context, endpoint)
        expect(other.result("ping") == {"pong": True}, "the daemon is disturbed")
        other.close()


def check_arguments(client):
    for verb, args, word in (
            ("explode", {}, "explode"), ("ping", {"loud": True}, "loud"), ("status", {"selectors": "all"}, "selectors"),
            ("status", {"selectors": [1]}, "selectors"), ("pause", {}, "selectors"), ("pause", {"selectors": []}, "selectors"),
            ("set", {"key": "cache-size", "value": 64}, "value"), ("set", {"value": "64"}, "key"),
            ("set", {"key": "cache-size", "value": "64", "save": "no"}, "save"), ("get", {"keys": {}}, "keys"),
            ("add", {"target": "/x"}, "torrent_base64"), ("add", {"torrent_base64": "", "target": "/x"}, "torrent_base64"),
            ("add", {"torrent_base64": "Zm9v", "target": "/x", "uploads_max": "many"}, "uploads_max"),
            ("add", {"torrent_base64": "Zm9v", "target": "/x\0y"}, "target"),
            ("add", {"torrent_base64": "Zm9v", "target": "/x", "seed": None}, "seed")):
        error = client.refusal("invalid-argument", verb, **args)
        expect(word in error["message"], verb, args, "is refused without naming", word + ":", error["message"])
    reply = client.raw(b'{"v":1,"id":1,"verb":"ping","args":[]}')
    expect(not reply["ok"] and reply["error"]["code"] == "invalid-argument", "args that are an array:", reply)
    client.refusal("invalid-argument", "add", torrent_base64="not base64!", target="/x")
    client.refusal("invalid-torrent", "add", torrent_base64=base64.b64encode(b"no torrent").decode(), target="/x")
    client.refusal("not-found", "status", selectors=["0123456789abcdef0123456789abcdef01234567"])


def check_settings(client):
    settings = client.result("get")["settings"]
    expect(settings, "there are no settings")
    for setting in settings:
        expect_members(setting, SETTING, "a setting")
    one = client.result("get", keys=["cache-size"])["settings"]
    expect(len(one) == 1 and one[0]["key"] == "cache-size", "get cache-size gives", one)
    client.refusal("unknown-key", "get", keys=["no-such-key"])
    client.refusal("unknown-key", "set", key="no-such-key", value="1")
    client.refusal("out-of-range", "set", key="cache-size", value="0")
    client.refusal("out-of-range", "set", key="cache-size", value="much")
    expect(client.result("get", keys=["cache-size"])["settings"] == one, "a refused set changed the value")


def next_event(subscriber, deadline):
    left = max(0, int((deadline - time.monotonic()) * 1000))
    if not subscriber.poll(left):
        return None
    frames = subscriber.recv_multipart()
    expect(len(frames) == 2, "an event of", len(frames), "frames")
    event = json.loads(frames[1])
    expect_members(event, EVENT, "an event")
    expect(event["v"] == 1 and event["kind"].encode() == frames[0], "the topic", frames[0], "is not that of", event)
    expect(event["seq"] >= 1, "seq is", event["seq"])
    if event["error"] is not None:
        expect_error(event["error"], "the error of an event")
    return event


def check_events(context, client, events_endpoint):
    subscriber = context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.LINGER, 0)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(events_endpoint)
    before = client.result("get", keys=["cache-size"])["settings"][0]["value"]
    other = str(int(before) + 1)
    deadline = time.monotonic() + 20
    last = None
    seen = []
    # A subscription takes its time, so the value goes to and fro until two changes have been seen.
    while len(seen) < 2:
        expect(time.monotonic() < deadline, "no event of a set within 20 s; seen:", seen)
        value = other if client.result("get", keys=["cache-size"])["settings"][0]["value"] == before else before
        answer = client.result("set", key="cache-size", value=value)
        expect_members(answer, {"key": str, "old": str, "new": str, "active": bool}, "set")
        expect((answer["key"], answer["new"]) == ("cache-size", value), "set answers", answer)
        while True:
            event = next_event(subscriber, min(deadline, time.monotonic() + 0.5))
            if event is None:
                break
            expect(last is None or event["seq"] == last + 1, "seq", event["seq"], "after", last)
            last = event["seq"]
            if event["kind"] == "setting-changed" and event["key"] == "cache-size":
                # One that is late tells of the change before.
                expect(event["new"] in (before, other), "the event says", event["new"], "instead of", value)
                if event["new"] == value:
                    seen.append(event["new"])
                    break
    client.result("set", key="cache-size", value=before)
    subscriber.close()


def check_torrent(client, torrent, target):
    with open(torrent, "rb") as file:
        encoded = base64.b64encode(file.read()).decode()
    target = os.path.abspath(target)
    info_hash = client.result("add", torrent_base64=encoded, target=target, seed=True)["info_hash"]
    expect(len(info_hash) == 40, "the info-hash is", info_hash)
    client.refusal("already-exists", "add", torrent_base64=encoded, target=target, seed=True)
    deadline = time.monotonic() + 60
    while True:
        status = client.result("status", selectors=[info_hash[:8]])
        expect(len(status["torrents"]) == 1, "a prefix of the info-hash selects", status["torrents"])
        row = status["torrents"][0]
        expect_members(row, TORRENT, "a torrent")
        expect(row["state"] in STATES, "the state is", row["state"])
        expect(row["state"] != "error", "the torrent is in error:", row["error"])
        if row["state"] in ("seeding", "finished"):
            break
        expect(time.monotonic() < deadline, "still", row["state"], "after 60 s")
        time.sleep(0.1)
    expect(row["progress"] == 1 and row["done_bytes"] == row["size_bytes"], "a seed that is not complete:", row)
    for selector in (info_hash, row["name"], target, "all"):
        rows = client.result("status", selectors=[selector])["torrents"]
        expect([r["info_hash"] for r in rows] == [info_hash], selector, "selects", rows)
    peers = client.result("peers", selectors=[info_hash])["torrents"]
    expect(len(peers) == 1 and isinstance(peers[0]["peers"], list), "peers gives", peers)
    for verb in ("pause", "resume", "reannounce", "verify", "warm", "remove"):
        hashes = client.result(verb, selectors=[info_hash])["info_hashes"]
        expect(hashes == [info_hash], verb, "answers", hashes)
    client.refusal("not-found", "pause", selectors=[info_hash])


def main():
    arguments = sys.argv[1:]
    endpoint = arguments[0] if arguments else os.environ.get("EZIO_ENDPOINT", "ipc:///run/ezio/control.sock")
    context = zmq.Context()
    client = Client(context, endpoint)
    events_endpoint = None
    checks = [
        ("basics", lambda: check_basics(client)),
        ("framing", lambda: check_framing(context, endpoint, client)),
        ("malformed requests", lambda: check_malformed(client)),
        ("what needs no answer", lambda: check_unanswered(context, endpoint)),
        ("arguments", lambda: check_arguments(client)),
        ("settings", lambda: check_settings(client)),
        ("events", lambda: check_events(context, client, events_endpoint)),
    ]
    if len(arguments) >= 4:
        checks.append(("torrents", lambda: check_torrent(client, arguments[2], arguments[3])))
    failures = 0
    for name, check in checks:
        try:
            if name == "events":
                events_endpoint = arguments[1] if len(arguments) >= 2 else client.result("version")["events_endpoint"]
            check()
            print("ok:", name)
        except (Deviation, ValueError, KeyError, zmq.ZMQError) as deviation:
            failures += 1
            print("DEVIATION:", name + ":", deviation)
            client.close()
            client = Client(context, endpoint)
    client.close()
    context.destroy(linger=0)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
