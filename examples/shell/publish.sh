#!/bin/sh
# publish.sh [-w] TOPIC|@ADDRESS [JSON]: publishes with nothing but POSIX tools. -w waits until everybody has acknowledged.
set -euC
LC_ALL=C; export LC_ALL
wait=no
[ "${1-}" != -w ] || { wait=yes; shift; }
destination=${1:?usage: publish.sh [-w] TOPIC|@ADDRESS [JSON]} data=${2-null}
spool=${AGENTBUS_SPOOL:-${XDG_STATE_HOME:-$HOME/.local/state}/agentbus/personal}
user=$(id -un 2>/dev/null) || user=uid$(id -u)

random() { tr -dc "$1" </dev/urandom | dd bs=1 count="$2" 2>/dev/null; }
ulid() {
  ms=$(date +%s%3N) # milliseconds, where date has them
  case $ms in *[!0-9]*) ms=$(date +%s)000 ;; esac
  awk -v ms="$ms" 'BEGIN {
    for (i = 0; i < 10; i++) { text = substr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", ms % 32 + 1, 1) text; ms = int(ms / 32) }
    printf "%s", text
  }'
  random 0-9A-HJKMNP-TV-Z 16
}

printf '%s\n' "$destination" |
  grep -Eqx '[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|@[A-Za-z0-9_][A-Za-z0-9._-]*(~[A-Za-z0-9_-]+)?' ||
  { echo "neither a topic nor an address: $destination" >&2; exit 2; }
id=$(ulid) time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
case $destination in
  @*) topic=direct to="\"to\":\"$destination\"," ;;
  *) topic=$destination to= ;;
esac

outbox=$spool/outbox/$user
[ -d "$outbox" ] || (umask 077 && mkdir "$outbox")
draft=$outbox/.$$-$(random a-z2-7 16).draft
trap 'rm -f "$draft"' EXIT
trap 'exit 1' HUP INT TERM
printf '{"specversion":"1.0","id":"%s","source":"/agents/%s","type":"%s","time":"%s","topic":"%s",%s"data":%s}\n' \
  "$id" "$user" "$topic" "$time" "$topic" "$to" "$data" >"$draft"
chmod 0640 "$draft"

owner_of() { ls -ldn "$1" | awk '{ print $3 }'; }
uid_of() { id -u -- "$1" 2>/dev/null || echo "${1#uid}"; }

# A subscription counts if it is the directory of the account in its name.
counts() {
  [ -d "$1/new" ] && [ ! -L "$1" ] && [ ! -L "$1/new" ] && [ -f "$1/subscription.json" ] || return 1
  case $1 in "$spool"/queues/*) return 0 ;; esac
  label=${1##*/}
  [ "$(owner_of "$1")" = "$(uid_of "${label%%~*}")" ] && [ "$(owner_of "$1/new")" = "$(owner_of "$1")" ]
}

# Turns its patterns into regular expressions, one a line: build.* into build\.[^.]+
wants() {
  expressions=$(dd bs=65536 count=1 <"$1/subscription.json" 2>/dev/null | tr -d '\n' |
    sed -n 's/.*"patterns"[^[]*\[\([^]]*\)].*/\1/p' | tr -dc 'A-Za-z0-9_.*,-' | tr ',' '\n' |
    sed 's/\./\\./g; s/\*\*$/.+/; s/\*/[^.]+/g')
  printf '%s\n' "$topic" | grep -Eqx -e "$expressions"
}

file=5-$id-$(random a-z2-7 26).json
stored='' failed=0
store() { if ln "$draft" "$1/new/$file"; then stored="$stored ${1##*/}"; else failed=1; fi; }
case $destination in
  @*)
    inbox=$spool/subscriptions/${destination#@}
    case $destination in *~*) ;; *) inbox=$inbox~inbox ;; esac
    counts "$inbox" || { echo "nobody reads $destination" >&2; exit 1; }
    store "$inbox"
    ;;
  *)
    for subscription in "$spool"/subscriptions/*~* "$spool"/queues/*; do
      if counts "$subscription" && wants "$subscription"; then store "$subscription"; fi
    done
    ;;
esac
echo "$id$stored"

links() { ls -ln "$draft" | awk '{ print $2 }'; }
if [ "$wait" = yes ]; then
  while [ "$(links)" -gt 1 ]; do sleep 1; done
fi
exit "$failed"
