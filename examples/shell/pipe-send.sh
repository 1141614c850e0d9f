#!/bin/sh
# pipe-send.sh USER: sends each line of stdin, which is JSON, through a pipe to an agent, with nothing but POSIX tools.
set -euC
LC_ALL=C; export LC_ALL
to=${1:?usage: pipe-send.sh USER}
spool=${AGENTBUS_SPOOL:-${XDG_STATE_HOME:-$HOME/.local/state}/agentbus/personal}
user=$(id -un 2>/dev/null) || user=uid$(id -u)
random() { tr -dc "$1" </dev/urandom | dd bs=1 count="$2" 2>/dev/null; }

draft=$spool/outbox/$user/.$$-$(random a-z2-7 26).draft pipe=$spool/pipes/$to/$(random a-z2-7 26).pipe
trap 'rm -f "$draft" "$pipe"' EXIT
trap 'exit 1' HUP INT TERM
mkfifo -m 0640 "$draft" # its owner is the sender, and nobody else may write
exec 4<>"$draft"        # both ends, so that this does not wait, and a receiver that comes finds a writer
exec 3>"$draft"
mv "$draft" "$pipe"
until [ ! -e "$pipe" ]; do sleep 1; done # the receiver removes it when it has it open
exec 4>&-                                # from now on a write fails when the receiver is gone

n=0
while IFS= read -r data; do
  n=$((n + 1))
  printf '{"specversion":"1.0","id":"%s-%s","source":"/agents/%s","type":"direct","time":"%s","topic":"direct","to":"@%s","data":%s}\n' \
    "$$-$(date +%s)" "$n" "$user" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$to" "$data" >&3
done
