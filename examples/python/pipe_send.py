#!/usr/bin/env python3
"""pipe_send.py USER: sends each line of stdin, which is JSON, through a pipe to an agent. Python's standard library alone."""
import datetime, json, os, pwd, secrets, sys, time, uuid

receiver = sys.argv[1]
home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
spool = os.environ.get("AGENTBUS_SPOOL") or f"{home}/agentbus/personal"
user = pwd.getpwuid(os.geteuid()).pw_name

draft = f"{spool}/outbox/{user}/.{os.getpid()}-{secrets.token_hex(16)}.draft"
pipe_name = f"{secrets.token_hex(16)}.pipe"
os.mkfifo(draft, 0o640)
try:
    reading = os.open(draft, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    os.fchmod(reading, 0o640)  # mkfifo obeys the umask
    writing = os.open(draft, os.O_WRONLY | os.O_NOFOLLOW)  # somebody reads, we do: so this does not wait
    # The receiver could put a link in the place of the name; not in that of a descriptor.
    box = os.open(f"{spool}/pipes/{receiver}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    if os.fstat(box).st_uid != pwd.getpwnam(receiver).pw_uid:
        sys.exit(f"pipes/{receiver} does not belong to {receiver}")
    os.rename(draft, pipe_name, dst_dir_fd=box)
except BaseException:
    os.unlink(draft)
    raise

while os.fstat(writing).st_nlink > 0:  # the receiver removes it when it has it open
    time.sleep(0.01)
os.close(reading)  # from now on a write fails with EPIPE when the receiver is gone

for line in sys.stdin:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    envelope = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": f"/agents/{user}", "type": "direct",
                "time": now, "topic": "direct", "to": f"@{receiver}", "data": json.loads(line)}
    frame = (json.dumps(envelope, ensure_ascii=False) + "\n").encode()
    while frame:
        frame = frame[os.write(writing, frame):]
