#!/bin/sh
# What agentbus setup apply would do, to be run as root on the machine that it was planned for.
# It keeps no ledger: afterwards, let agentbus setup apply --adopt NAME take over what you want it to look after.
# limits of codebot on this machine: not held: memory, cpu, tasks, files (without systemd nothing limits memory and cpu of all its processes together; busybox has no pam_limits, which limits processes of sessions)
# limits of reviewer on this machine: not held: memory, cpu, tasks (without systemd nothing limits memory and cpu of all its processes together; busybox has no pam_limits, which limits processes of sessions)
# codebot has sudo rules, and there is no sudo on this machine: install it, and apply again
# reviewer is a service in agentbus.json, and this machine has no systemd: start it yourself, with agentbus setup run reviewer -- /usr/local/bin/agentbus subscribe @reviewer --exec cat
set -eu
umask 022

# create group agents, gid 2000
addgroup -g 2000 agents

# create group codebot, gid 2001
addgroup -g 2001 codebot

# create account codebot, uid 2001, without a password
adduser -D -u 2001 -G codebot -h /home/codebot -s /bin/sh -g 'agentbus agent' codebot

# add codebot to group agents
addgroup codebot agents

# create group reviewer, gid 2002
addgroup -g 2002 reviewer

# create account reviewer, uid 2002, without a password
adduser -D -u 2002 -G reviewer -h /home/reviewer -s /bin/sh -g 'agentbus agent' reviewer

# add reviewer to group agents
addgroup reviewer agents

# add alice to group agents
# alice has to log in again before it counts
addgroup alice agents

# give /home/codebot mode 0700
chown codebot:codebot /home/codebot && chmod 0700 /home/codebot

# set umask 027 in .profile, .bashrc, .zshenv of codebot
su -s /bin/sh codebot -c 'env -i HOME=/home/codebot PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
block=$1; shift
for file; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
  touch "$file"; chmod u+rw "$file"
  if ! awk -v b='\''\'\'''\''# >>> agentbus >>>'\''\'\'''\'' -v e='\''\'\'''\''# <<< agentbus <<<'\''\'\'''\'' '\''\'\'''\''$0 == b { bad += inside; inside = 1 } $0 == e { bad += !inside; inside = 0 } END { exit (bad + inside > 0) }'\''\'\'''\'' "$file"; then
    echo "$HOME/$file has a line '\''\'\'''\''# >>> agentbus >>>'\''\'\'''\'' without its '\''\'\'''\''# <<< agentbus <<<'\''\'\'''\''" >&2; exit 1
  fi
  draft="$file.agentbus-draft"; rm -f "$draft"; cp -p "$file" "$draft"
  { printf '\''\'\'''\''%s\n'\''\'\'''\'' "$block"; if grep -q '\''\'\'''\''^# >>> agentbus >>>$'\''\'\'''\'' "$file"; then sed '\''\'\'''\''/^# >>> agentbus >>>$/,/^# <<< agentbus <<<$/d'\''\'\'''\'' "$file"; else cat "$file"; fi; } > "$draft"
  if test -L "$file"; then cat "$draft" > "$file"; rm -f "$draft"; else mv -f "$draft" "$file"; fi
done'\'' sh '\''# >>> agentbus >>>
# agentbus setup keeps this block as it is.
umask 027
if [ -r "$HOME/.config/agentbus/env" ]; then
  while IFS= read -r _line || [ -n "$_line" ]; do
    case $_line in [A-Za-z_]*=*) _name=${_line%%=*} _value=${_line#*=};; *) continue;; esac
    case $_name in *[!A-Za-z0-9_]*|UID|EUID|PPID|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_*|_name|_value|_line) continue;; esac
    case $_value in \"*\"|"'\''\'\'''\''"*"'\''\'\'''\''") _value=${_value#?} _value=${_value%?};; esac
    export "$_name=$_value"
  done < "$HOME/.config/agentbus/env"
  unset _line _name _value
fi
# <<< agentbus <<<'\'' .profile .bashrc .zshenv'

# make ~codebot/.config/agentbus/env for its API keys, mode 0600
su -s /bin/sh codebot -c 'env -i HOME=/home/codebot PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
mkdir -p "$(dirname "$1")"
if test -L "$1" || { test -e "$1" && test ! -f "$1"; }; then echo "$HOME/$1 is no file" >&2; exit 1; fi
test -e "$1" || printf %s "$2" > "$1"
chmod 0600 "$1"'\'' sh .config/agentbus/env '\''# API keys and the like of codebot, as NAME=value lines.
'\'''

# commits of codebot are by codebot <codebot@example.org>
su -s /bin/sh codebot -c 'env -i HOME=/home/codebot PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
for file in .gitconfig .config/git/config; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
done
git config --global user.name "$1"
git config --global user.email "$2"'\'' sh codebot codebot@example.org'

# give /home/reviewer mode 0700
chown reviewer:reviewer /home/reviewer && chmod 0700 /home/reviewer

# set umask 027 in .profile, .bashrc, .zshenv of reviewer
su -s /bin/sh reviewer -c 'env -i HOME=/home/reviewer PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
block=$1; shift
for file; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
  touch "$file"; chmod u+rw "$file"
  if ! awk -v b='\''\'\'''\''# >>> agentbus >>>'\''\'\'''\'' -v e='\''\'\'''\''# <<< agentbus <<<'\''\'\'''\'' '\''\'\'''\''$0 == b { bad += inside; inside = 1 } $0 == e { bad += !inside; inside = 0 } END { exit (bad + inside > 0) }'\''\'\'''\'' "$file"; then
    echo "$HOME/$file has a line '\''\'\'''\''# >>> agentbus >>>'\''\'\'''\'' without its '\''\'\'''\''# <<< agentbus <<<'\''\'\'''\''" >&2; exit 1
  fi
  draft="$file.agentbus-draft"; rm -f "$draft"; cp -p "$file" "$draft"
  { printf '\''\'\'''\''%s\n'\''\'\'''\'' "$block"; if grep -q '\''\'\'''\''^# >>> agentbus >>>$'\''\'\'''\'' "$file"; then sed '\''\'\'''\''/^# >>> agentbus >>>$/,/^# <<< agentbus <<<$/d'\''\'\'''\'' "$file"; else cat "$file"; fi; } > "$draft"
  if test -L "$file"; then cat "$draft" > "$file"; rm -f "$draft"; else mv -f "$draft" "$file"; fi
done'\'' sh '\''# >>> agentbus >>>
# agentbus setup keeps this block as it is.
umask 027
if [ -r "$HOME/.config/agentbus/env" ]; then
  while IFS= read -r _line || [ -n "$_line" ]; do
    case $_line in [A-Za-z_]*=*) _name=${_line%%=*} _value=${_line#*=};; *) continue;; esac
    case $_name in *[!A-Za-z0-9_]*|UID|EUID|PPID|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_*|_name|_value|_line) continue;; esac
    case $_value in \"*\"|"'\''\'\'''\''"*"'\''\'\'''\''") _value=${_value#?} _value=${_value%?};; esac
    export "$_name=$_value"
  done < "$HOME/.config/agentbus/env"
  unset _line _name _value
fi
# <<< agentbus <<<'\'' .profile .bashrc .zshenv'

# make ~reviewer/.config/agentbus/env for its API keys, mode 0600
su -s /bin/sh reviewer -c 'env -i HOME=/home/reviewer PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
mkdir -p "$(dirname "$1")"
if test -L "$1" || { test -e "$1" && test ! -f "$1"; }; then echo "$HOME/$1 is no file" >&2; exit 1; fi
test -e "$1" || printf %s "$2" > "$1"
chmod 0600 "$1"'\'' sh .config/agentbus/env '\''# API keys and the like of reviewer, as NAME=value lines.
'\'''

# commits of reviewer are by reviewer <reviewer@example.org>
su -s /bin/sh reviewer -c 'env -i HOME=/home/reviewer PATH="$PATH" sh -c '\''set -eu
umask 077
cd "$HOME"
for file in .gitconfig .config/git/config; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
done
git config --global user.name "$1"
git config --global user.email "$2"'\'' sh reviewer reviewer@example.org'

# make the spool /var/spool/agentbus/agents
agentbus init --group agents --spool /var/spool/agentbus/agents

# make codebot's inbox in agents, so that it can be written to before it has run
agentbus setup inbox codebot --group agents

# make reviewer's inbox in agents, so that it can be written to before it has run
agentbus setup inbox reviewer --group agents

# make alice's inbox in agents, so that it can be written to before it has run
agentbus setup inbox alice --group agents
