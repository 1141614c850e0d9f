#!/usr/bin/env python3
"""agentbus on Linux with nothing but the standard library: publish, subscribe, request, answer."""
import hashlib, json, os, pwd, re, secrets, shutil, stat, sys, time
from contextlib import contextmanager
from datetime import datetime, timezone


@contextmanager
def pinned(name, parent=None):
    """A directory by descriptor: its owner may put a link in its place, and then it is still this one that is used."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def read(name, parent=None, limit=65536):
    """A file that somebody else may have made: waits for no FIFO, follows no link, reads no more than the limit."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    with open(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > limit:
            raise ValueError("it is not a file of at most %d bytes" % limit)
        return file.read(limit), info


def write(name, parent, text, mode):
    """A file of our own, there whole or not at all, with its mode whatever the umask."""
    draft = ".%d-%s.draft" % (os.getpid(), random(16))
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=parent)
    with open(fd, "w", encoding="utf-8") as file:
        os.fchmod(fd, mode)
        file.write(text)
    os.rename(draft, name, src_dir_fd=parent, dst_dir_fd=parent)


class Bus:
    def __init__(self, path):
        spool = json.loads(read(path + "/spool.json")[0])
        if spool["layout"] != 1:
            raise ValueError("%s: layout %s" % (path, spool["layout"]))
        limits = {"maxEnvelopeBytes": 4194304, "maxHops": 16, "maxBacklog": 100000, **spool.get("limits", {})}
        self.path, self.limits, self.relays = path, limits, spool.get("relays", [])
        self.is_group, self.gid = spool["kind"] == "group", os.stat(path).st_gid
        self.uid = os.geteuid()
        self.user = user_of(self.uid)
        self.last_ulid = 0
        self.outbox = "%s/outbox/%s" % (path, self.user)
        if not os.path.isdir(self.outbox):
            self.make_directory(self.outbox, 0o2700)

    def make_directory(self, path, mode):
        os.mkdir(path, 0o700)
        os.chmod(path, mode if self.is_group else 0o700)


def user_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "uid%d" % uid


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
TOPIC = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
FILE = re.compile(r"[0-9]-[0-9A-HJKMNP-TV-Z]{26}-[a-z2-7]{26}\.json")


def random(length):
    return "".join(secrets.choice(BASE32) for _ in range(length))


def ulid(bus):
    """Greater than the one before, also within a millisecond, and when the clock steps back."""
    fresh = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    bus.last_ulid = max(fresh, bus.last_ulid + 1)
    return "".join(CROCKFORD[bus.last_ulid >> shift & 31] for shift in range(125, -1, -5))


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compose(bus, destination, data, **attributes):
    name = ulid(bus)
    to = {"to": destination} if destination.startswith("@") else {}
    topic = attributes.pop("topic", "direct") if to else destination
    if not TOPIC.fullmatch(topic):
        raise ValueError("%s is not a topic" % topic)
    required = {"specversion": "1.0", "id": name, "source": "/agents/" + bus.user, "type": topic, "time": now()}
    envelope = {**required, "topic": topic, **to, "data": data, **attributes}
    return envelope, "%d-%s-%s.json" % (envelope.get("priority", 5), name, random(26))


def matches(pattern, topic):
    wanted, tokens = pattern.split("."), topic.split(".")
    if wanted[-1] == "**":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(wanted) == len(tokens) and all(want in ("*", token) for want, token in zip(wanted, tokens))


def subscriptions(bus, destination):
    """Yields those that a message goes to: name, record, and descriptors of the directory and of its drop box."""
    for kind in ("subscriptions", "queues"):
        with pinned("%s/%s" % (bus.path, kind)) as parent:
            for name in os.listdir("%s/%s" % (bus.path, kind)):
                if name.startswith("."):
                    continue
                try:
                    with pinned(name, parent) as directory, pinned("new", directory) as new:
                        record = record_of(kind, name, directory, new)
                        if wants(bus, record, destination):
                            yield name, record, directory, new
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # half made, half removed, or none that counts


def record_of(kind, name, directory, new):
    text, info = read("subscription.json", directory)
    record = json.loads(text)
    owner = os.fstat(directory).st_uid
    if record["layout"] != 1 or (record["kind"] == "queue") != (kind == "queues"):
        raise ValueError(name)
    if kind == "subscriptions":
        is_named = name == "%s~%s" % (user_of(owner), record["name"])
        if not is_named or info.st_uid != owner or os.fstat(new).st_uid != owner:
            raise ValueError(name)
    return record


def wants(bus, record, destination):
    if destination.startswith("@"):
        is_wanted = record.get("address") == destination
    else:
        is_wanted = any(matches(pattern, destination) for pattern in record["patterns"])
    return is_wanted and ("consumer" not in record or is_alive(bus, record["consumer"]))


BOOT_ID = open("/proc/sys/kernel/random/boot_id").read().strip()
PID_NAMESPACE = os.readlink("/proc/self/ns/pid")


def stat_of(pid):
    """proc(5): the state of a process, and when it was started."""
    with open("/proc/%s/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return fields[0], fields[19]


def presence(bus):
    who = {"user": bus.user, "token": random(16), "pid": os.getpid(), "startTime": stat_of("self")[1]}
    return {**who, "bootId": BOOT_ID, "pidNamespace": PID_NAMESPACE, "startedAt": now()}


def is_alive(bus, presence):
    if presence["bootId"] not in (None, BOOT_ID):
        return False
    if presence["pidNamespace"] != PID_NAMESPACE:
        heartbeat = "%s/run/%s/%s.lock" % (bus.path, presence["user"], presence["token"])
        return os.path.exists(heartbeat) and time.time() - os.stat(heartbeat).st_mtime < 10
    try:
        state, started = stat_of(presence["pid"])
    except FileNotFoundError:
        return False
    return state not in "ZX" and presence["startTime"] in (None, started)


def publish(bus, destination, data=None, **attributes):
    """Stores a message for everybody who wants it. Gives its id, and the subscriptions that store it."""
    envelope, file = compose(bus, destination, data, **attributes)
    stored, failed = [], []
    with pinned(bus.outbox) as outbox:
        draft = ".%d-%s.draft" % (os.getpid(), random(16))
        write(draft, outbox, json.dumps(envelope) + "\n", 0o640)
        try:
            for name, record, directory, new in subscriptions(bus, destination):
                try:
                    make_room(bus, record, directory, outbox, file)
                    os.link(draft, file, src_dir_fd=outbox, dst_dir_fd=new)
                    stored.append(name)
                except OSError as error:
                    failed.append("%s: %s" % (name, error))
        finally:
            os.unlink(draft, dir_fd=outbox)
    if failed or (destination.startswith("@") and not stored):
        raise RuntimeError("%s: stored by %s, not by %s" % (destination, stored or "nobody", failed or "anybody"))
    return envelope["id"], stored


def make_room(bus, record, directory, outbox, file):
    """Keeps to the limit of a subscription, and counts a message for an inbox, whose drop box cannot be listed."""
    if record["kind"] == "reply":
        return
    has_tally = bus.is_group and record["kind"] == "inbox"
    box = os.open("tally" if has_tally else "new", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    try:
        if len(os.listdir(box)) >= record.get("maxBacklog", bus.limits["maxBacklog"]):
            raise BlockingIOError("it holds as many messages as it allows")
        if has_tally:
            if not os.path.exists(bus.outbox + "/tally"):
                write("tally", outbox, "", 0o640)
            os.link("tally", tally_entry(file), src_dir_fd=outbox, dst_dir_fd=box)
    finally:
        os.close(box)


def tally_entry(file):
    return hashlib.sha256(file.encode()).hexdigest()[:32]


def subscribe(bus, name, *patterns):
    """Makes a durable subscription, unless it is there: every publish that starts from now on reaches it."""
    make(bus, "durable", name, patterns=patterns)
    time.sleep(0.015)  # until every publisher has looked again


def make(bus, kind, name, **rest):
    place = "%s/subscriptions/%s~%s" % (bus.path, bus.user, name)
    if os.path.lexists(place):
        if os.lstat(place).st_uid != bus.uid:
            raise PermissionError("%s belongs to %s" % (place, user_of(os.lstat(place).st_uid)))
        return
    hidden = "%s/subscriptions/.new-%s" % (bus.path, random(16))
    parts = {"": 0o2750, "/new": 0o3770 if kind == "durable" else 0o3730, "/cur": 0o700, "/retry": 0o700, "/dead": 0o700}
    if kind == "inbox" and bus.is_group:
        parts["/tally"] = 0o3770
    for part, mode in parts.items():
        bus.make_directory(hidden + part, mode)
    record = {"layout": 1, "kind": kind, "user": bus.user, "name": name, "patterns": [], "createdAt": now(), **rest}
    with pinned(hidden) as directory:
        write("subscription.json", directory, json.dumps(record) + "\n", 0o640)
    os.rename(hidden, place)


def remove(bus, name):
    hidden = "%s/subscriptions/.gone-%s" % (bus.path, random(16))
    os.rename("%s/subscriptions/%s~%s" % (bus.path, bus.user, name), hidden)
    shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def consuming(bus, subscription):
    """Shows which process this is, and keeps others off: what is in work here is not what a dead one left."""
    me, run = presence(bus), "%s/run/%s" % (bus.path, bus.user)
    if not os.path.isdir(run):
        bus.make_directory(run, 0o2750)
    with pinned(run) as directory, pinned(subscription) as place:
        write(me["token"] + ".json", directory, json.dumps(me) + "\n", 0o640)
        try:
            lock(bus, run, subscription, me["token"])
            write("consumer.json", place, json.dumps(me) + "\n", 0o640)
            yield me["token"]
            os.unlink("consumer.json", dir_fd=place)
        finally:
            if os.path.lexists("%s/consumer.lock/%s" % (subscription, me["token"])):
                os.unlink("%s/consumer.lock/%s" % (subscription, me["token"]))
            os.unlink(me["token"] + ".json", dir_fd=directory)


def lock(bus, run, subscription, token):
    place, aside = subscription + "/consumer.lock", "%s/.lock-%s" % (subscription, random(16))
    os.mkdir(aside, 0o700)
    open("%s/%s" % (aside, token), "x").close()
    while True:
        try:
            return os.rename(aside, place)  # replaces an empty lock, and fails on one with a name in it
        except OSError:
            for holder in os.listdir(place):
                shown = "%s/%s.json" % (run, holder)
                if os.path.exists(shown) and is_alive(bus, json.loads(read(shown)[0])):
                    shutil.rmtree(aside)
                    raise BlockingIOError("another process consumes %s: see %s" % (subscription, shown))
                os.unlink("%s/%s" % (place, holder))


def messages(bus, name, seconds=float("inf")):
    """Yields (sender, envelope); asking for the next one acknowledges the one before."""
    subscription = "%s/subscriptions/%s~%s" % (bus.path, bus.user, name)
    record = json.loads(read(subscription + "/subscription.json")[0])
    if record.get("streams"):
        raise ValueError("%s is read as streams: choose another name, or unsubscribe first" % subscription)
    with consuming(bus, subscription) as token:
        for claim in os.listdir(subscription + "/cur"):  # what a process that died had in work
            file = claim.split("~")[-1]
            if FILE.fullmatch(file):
                os.rename("%s/cur/%s" % (subscription, claim), "%s/new/%s" % (subscription, file))
        seen, end = set(), time.monotonic() + seconds
        while time.monotonic() < end:
            for file in sorted(filter(FILE.fullmatch, os.listdir(subscription + "/new"))):
                # Under a new name in the same place of the order: a name that others have seen could be used twice.
                claim = "%s/cur/1~%s~%s-1~%s%s.json" % (subscription, bus.user, token, file[:29], random(26))
                try:
                    os.rename("%s/new/%s" % (subscription, file), claim)
                except OSError:
                    continue  # another consumer was faster, or it is its sender's directory
                entry = "%s/tally/%s" % (subscription, tally_entry(file))
                if os.path.lexists(entry):
                    os.unlink(entry)
                for line, uid in lines_of(bus, record, subscription, claim, file):
                    reason, envelope = judge(bus, record, line, uid)
                    if reason is not None:
                        bury(subscription, file, reason, uid, line)
                    elif not has_expired(envelope) and (uid, envelope["id"]) not in seen:
                        yield user_of(uid), envelope
                        seen.add((uid, envelope["id"]))
                if os.path.lexists(claim):
                    os.unlink(claim)
            time.sleep(0.02)


def lines_of(bus, record, subscription, claim, file):
    """The envelopes of a claimed file, read once, and who owns it; nothing if the file as a whole is refused."""
    try:
        text, info = read(claim, limit=2 * bus.limits["maxEnvelopeBytes"])
        reason = objection(bus, record, file, text, info)
    except (OSError, ValueError):
        reason, info = "not-a-file", os.lstat(claim)
    if reason is not None:
        bury(subscription, file, reason, info.st_uid)
        os.rename(claim, "%s/dead/%s.link" % (subscription, file[:-5]))
        return []
    return [(line, info.st_uid) for line in envelopes(text)]


def envelopes(text):
    try:
        json.loads(text)
        return [text]
    except ValueError:
        return [line for line in text.split(b"\n") if line.strip()]


def objection(bus, record, file, text, info):
    """What is wrong with a file, whatever its envelopes say."""
    if bus.is_group and (info.st_mode & 0o022 or info.st_gid != bus.gid):
        return "forged-source"
    if info.st_mtime < seconds_of(record["createdAt"]) - 10:
        return "older-than-subscription"
    try:
        first = json.loads(envelopes(text)[0])
        name, is_ulid = str(first.get("id")), re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}").fullmatch
        is_ahead = int(file[0]) < first.get("priority", 5) or (is_ulid(name) and file[2:28] < name)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None  # not an envelope, which will be found
    return "bad-name" if is_ahead else None


def judge(bus, record, line, uid):
    """Why an envelope must not be delivered, or None; and the envelope."""
    try:
        envelope = {name: value for name, value in json.loads(line).items() if value is not None or name == "data"}
        required = [envelope[name] for name in ("specversion", "id", "source", "type", "time", "topic")]
        hops, topic = int(envelope.get("hops", 0)), envelope["topic"]
        is_sound = all(isinstance(value, str) for value in required) and envelope["specversion"] == "1.0" and TOPIC.fullmatch(topic)
        has_expired(envelope)
    except (ValueError, TypeError, AttributeError, KeyError):
        is_sound = False
    if not is_sound or len(line) > bus.limits["maxEnvelopeBytes"]:
        return "invalid-envelope", None
    sender = user_of(uid)
    if envelope["source"] != "/agents/" + sender and uid != 0 and sender not in bus.relays:
        return "forged-source", envelope
    if "address" in record:
        is_meant = envelope.get("to") == record["address"]
    else:
        patterns = record["patterns"] + record.get("formerPatterns", [])
        is_meant = "to" not in envelope and any(matches(pattern, topic) for pattern in patterns)
    if not is_meant:
        return "not-for-this-subscription", envelope
    return ("hops" if hops > bus.limits["maxHops"] else None), envelope


def seconds_of(rfc3339):
    whole, fraction, zone = re.fullmatch(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)", rfc3339).groups()
    return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp() + float(fraction or 0)


def has_expired(envelope):
    return seconds_of(envelope.get("expirytime", "9999-01-01T00:00:00Z")) <= time.time()


def bury(subscription, file, reason, uid, line=None):
    """Keeps what was refused, and why, for `agentbus dead`."""
    with pinned(subscription + "/dead") as dead:
        if line is not None:
            write(file, dead, line.decode("utf-8", "replace").rstrip("\n") + "\n", 0o600)
        facts = {"layout": 1, "reason": reason, "detail": "", "at": now(), "attempts": 0, "id": None, "topic": None}
        facts.update(sender={"uid": uid, "user": user_of(uid)}, file=file, bytes=None if line is None else len(line))
        write(file[:-5] + ".reason.json", dead, json.dumps(facts) + "\n", 0o600)


def because_of(message):
    """What a message that is published because of another one carries on."""
    because = {"causationid": message["id"], "correlationid": message.get("correlationid", message["id"])}
    traces = {name: message[name] for name in ("traceparent", "tracestate") if name in message}
    return {**because, **traces, "hops": message.get("hops", 0) + 1}


def answer(bus, sender, question, data, **attributes):
    about = {"type": question["type"] + ".reply", "topic": question["topic"], **because_of(question)}
    return publish(bus, question.get("replyto", "@" + sender), data, **about, **attributes)


def request(bus, destination, data=None, seconds=30):
    """Asks, and waits for the answer in a mailbox of its own."""
    name = "reply-" + random(26)
    address = "@%s~%s" % (bus.user, name)
    make(bus, "reply", name, address=address, consumer=presence(bus))
    try:
        question, stored = publish(bus, destination, data, replyto=address)
        if not stored:
            raise LookupError("nobody answers " + destination)
        for sender, reply in messages(bus, name, seconds):
            if reply.get("causationid") == question:
                return sender, reply
        raise TimeoutError(destination)
    finally:
        remove(bus, name)


def main(command, first="inbox", *rest):
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    bus = Bus(os.environ.get("AGENTBUS_SPOOL") or state + "/agentbus/personal")
    if command == "publish":
        print(*publish(bus, first, *map(json.loads, rest)))
    elif command == "request":
        print(json.dumps(request(bus, first, *map(json.loads, rest))[1]))
    elif command in ("subscribe", "inbox"):
        if command == "subscribe":
            subscribe(bus, first, *rest)
        else:
            make(bus, "inbox", "inbox", address="@" + bus.user)
        for sender, envelope in messages(bus, first):
            print(json.dumps({"sender": sender, "envelope": envelope}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
