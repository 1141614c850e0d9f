#!/bin/sh
# subscribe.sh NAME PATTERN COMMAND...: runs COMMAND for each message, with the message file on stdin and the account that sent
# it in $SENDER. Ends when COMMAND fails; that message comes again at the next start. One at a time for each NAME.
set -euC
LC_ALL=C; export LC_ALL
usage='usage: subscribe.sh NAME PATTERN COMMAND...'
name=${1:?$usage} pattern=${2:?$usage}
shift 2
: "${1:?$usage}"
spool=${AGENTBUS_SPOOL:-${XDG_STATE_HOME:-$HOME/.local/state}/agentbus/personal}
user=$(id -un 2>/dev/null) || user=uid$(id -u)
subscription=$spool/subscriptions/$user~$name

random() { tr -dc "$1" </dev/urandom | dd bs=1 count="$2" 2>/dev/null; }

# Whole under a hidden name, then renamed into place: a publisher sees all of it or nothing.
subscribe() (
  umask 077
  hidden=$spool/subscriptions/.new-$(random a-z2-7 16)
  mkdir "$hidden" "$hidden/new" "$hidden/cur" "$hidden/retry" "$hidden/dead"
  printf '{"layout":1,"kind":"durable","user":"%s","name":"%s","patterns":["%s"],"createdAt":"%s"}\n' \
    "$user" "$name" "$pattern" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$hidden/subscription.json"
  if grep -q '"kind" *: *"group"' "$spool/spool.json"; then
    chmod 2750 "$hidden"
    chmod 3770 "$hidden/new"
    chmod 0640 "$hidden/subscription.json"
  fi
  mv "$hidden" "$subscription"
)
[ -d "$subscription" ] || subscribe
if grep -q '"streams"' "$subscription/subscription.json"; then
  echo "$subscription is read as streams (docs/protocol.md): choose another name, or unsubscribe first" >&2
  exit 1
fi

account_of() {
  account=$({ getent passwd "$1" 2>/dev/null || cat /etc/passwd; } | awk -F: -v uid="$1" '$3 == uid { print $1; exit }')
  echo "${account:-uid$1}"
}

take() {
  file=${1##*/}
  # Under a new name in the same place of the order: a name that others have seen could be used twice.
  claim=$subscription/cur/1~$user~sh-$$~${file%-*}-$(random a-z2-7 26).json
  # It fails for a directory of somebody else's, and when another consumer was faster.
  mv "$1" "$claim" 2>/dev/null || return 0
  shift
  # Nobody else can enter cur/, so what is looked at is what is read.
  read -r mode links uid gid bytes rest <<EOF
$(ls -ldn "$claim")
EOF
  case $mode in
    -*) [ -r "$claim" ] && [ "$bytes" -le 8388608 ] || mode=bad ;;
    *) mode=bad ;;
  esac
  if [ "$mode" = bad ]; then
    echo "refused: $mode $uid $bytes $file" >&2
    mv "$claim" "$subscription/dead/$file.link"
  elif SENDER=$(account_of "$uid") "$@" <"$claim"; then
    rm -f "$claim"
  else
    mv "$claim" "$subscription/new/$file"
    exit 1
  fi
}

# What a run that was killed had in work.
for claim in "$subscription"/cur/*~"$user"~sh-*; do
  if [ -f "$claim" ]; then mv "$claim" "$subscription/new/${claim##*~}"; fi
done
while :; do
  for path in "$subscription"/new/[0-9]-*.json; do
    if [ -e "$path" ] || [ -L "$path" ]; then take "$path" "$@"; fi
  done
  sleep 1
done
