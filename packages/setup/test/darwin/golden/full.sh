#!/bin/sh
# What agentbus setup apply would do, to be run as root on the machine that it was planned for.
# It keeps no ledger: afterwards, let agentbus setup apply --adopt NAME take over what you want it to look after.
set -eu
umask 022

# create group agents, gid 600
dseditgroup -q -o create -i 600 -r 'agentbus: spool of agents' agents

# create group codebot, gid 601
dseditgroup -q -o create -i 601 -r 'agentbus: codebot' codebot

# see whether macOS lets this terminal change accounts
# if it fails: System Settings > Privacy & Security > Full Disk Access, for your terminal;
# over ssh: General > Sharing > Remote Login (i) > Allow full disk access for remote users
dscl . -change /Users/nobody NFSHomeDirectory /var/empty /var/empty

# create account codebot, uid 601
dscl . -create /Users/codebot

# codebot: let nobody log in with a password, and get no secure token
dscl . -create /Users/codebot Password '*'

# codebot: keep it off the login window
# macOS kills dscl for it now and then; it only matters for looks
{
dscl . -create /Users/codebot IsHidden 1
} || echo "that failed, and the rest goes on" >&2

# codebot: name it
dscl . -create /Users/codebot RealName 'agentbus: codebot'

# codebot: shell /bin/zsh
dscl . -create /Users/codebot UserShell /bin/zsh

# codebot: home /Users/codebot
dscl . -create /Users/codebot NFSHomeDirectory /Users/codebot

# codebot: its own primary group, gid 601, and not staff
dscl . -create /Users/codebot PrimaryGroupID 601

# codebot: uid 601
dscl . -create /Users/codebot UniqueID 601

# see that the system knows codebot by uid 601 and gid 601
dsmemberutil flushcache

# make the home /Users/codebot
createhomedir -c -u codebot

# take codebot out of staff, for which the homes of people are readable
{
dseditgroup -o edit -d codebot -t user staff
} || echo "that failed, and the rest goes on" >&2

# add codebot to group agents
dseditgroup -o edit -a codebot -t user agents

# add alice to group agents
# alice has to log in again before it counts
dseditgroup -o edit -a alice -t user agents

# give /Users/codebot mode 0700
chown codebot:codebot /Users/codebot && chmod 0700 /Users/codebot

# set umask 027 in .profile, .bashrc, .zshenv of codebot
sudo -n -H -u codebot env -i HOME=/Users/codebot PATH="$PATH" sh -c 'set -eu
umask 077
cd "$HOME"
block=$1; shift
for file; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
  touch "$file"; chmod u+rw "$file"
  if ! awk -v b='\''# >>> agentbus >>>'\'' -v e='\''# <<< agentbus <<<'\'' '\''$0 == b { bad += inside; inside = 1 } $0 == e { bad += !inside; inside = 0 } END { exit (bad + inside > 0) }'\'' "$file"; then
    echo "$HOME/$file has a line '\''# >>> agentbus >>>'\'' without its '\''# <<< agentbus <<<'\''" >&2; exit 1
  fi
  draft="$file.agentbus-draft"; rm -f "$draft"; cp -p "$file" "$draft"
  { printf '\''%s\n'\'' "$block"; if grep -q '\''^# >>> agentbus >>>$'\'' "$file"; then sed '\''/^# >>> agentbus >>>$/,/^# <<< agentbus <<<$/d'\'' "$file"; else cat "$file"; fi; } > "$draft"
  if test -L "$file"; then cat "$draft" > "$file"; rm -f "$draft"; else mv -f "$draft" "$file"; fi
done' sh '# >>> agentbus >>>
# agentbus setup keeps this block as it is.
umask 027
if [ -r "$HOME/.config/agentbus/env" ]; then
  while IFS= read -r _line || [ -n "$_line" ]; do
    case $_line in [A-Za-z_]*=*) _name=${_line%%=*} _value=${_line#*=};; *) continue;; esac
    case $_name in *[!A-Za-z0-9_]*|UID|EUID|PPID|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_*|_name|_value|_line) continue;; esac
    case $_value in \"*\"|"'\''"*"'\''") _value=${_value#?} _value=${_value%?};; esac
    export "$_name=$_value"
  done < "$HOME/.config/agentbus/env"
  unset _line _name _value
fi
# <<< agentbus <<<' .profile .bashrc .zshenv

# make ~codebot/.config/agentbus/env for its API keys, mode 0600
sudo -n -H -u codebot env -i HOME=/Users/codebot PATH="$PATH" sh -c 'set -eu
umask 077
cd "$HOME"
mkdir -p "$(dirname "$1")"
if test -L "$1" || { test -e "$1" && test ! -f "$1"; }; then echo "$HOME/$1 is no file" >&2; exit 1; fi
test -e "$1" || printf %s "$2" > "$1"
chmod 0600 "$1"' sh .config/agentbus/env '# API keys and the like of codebot, as NAME=value lines.
'

# commits of codebot are by codebot <codebot@example.org>
sudo -n -H -u codebot env -i HOME=/Users/codebot PATH="$PATH" sh -c 'set -eu
umask 077
cd "$HOME"
for file in .gitconfig .config/git/config; do
  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi
done
git config --global user.name "$1"
git config --global user.email "$2"' sh codebot codebot@example.org

# make the spool /var/spool/agentbus/agents
# codebot may use no pipes
agentbus init --group agents --spool /var/spool/agentbus/agents --bar codebot:pipes

# make codebot's inbox in agents, so that it can be written to before it has run
agentbus setup inbox codebot --group agents

# make alice's inbox in agents, so that it can be written to before it has run
agentbus setup inbox alice --group agents

# sudo: codebot may run 1 exact command without a password
# alice may become codebot: agentbus setup shell codebot
mkdir -p /private/etc/sudoers.d
cat > /private/etc/sudoers.d/.agentbus.60-agentbus-codebot <<'END_OF_FILE'
# Managed by agentbus: `agentbus setup apply` writes this file again. Change agentbus.json instead.

Defaults:codebot use_pty, log_allowed, !setenv, !env_keep, timestamp_timeout=0
Defaults:codebot secure_path="/usr/sbin:/usr/bin:/sbin:/bin"
codebot ALL=(root) NOPASSWD: /bin/launchctl kickstart -k system/org.example.app

Defaults>codebot use_pty, log_allowed, env_keep-="HOME MAIL SSH_AUTH_SOCK EDITOR VISUAL DISPLAY XAUTHORITY XAUTHORIZATION"
alice ALL=(codebot) NOPASSWD: ALL
END_OF_FILE
chown root:wheel /private/etc/sudoers.d/.agentbus.60-agentbus-codebot
chmod 0440 /private/etc/sudoers.d/.agentbus.60-agentbus-codebot
visudo -c -O -P -f /private/etc/sudoers.d/.agentbus.60-agentbus-codebot
rm -f /private/etc/sudoers.d/.agentbus.60-agentbus-codebot.before
if [ -e /private/etc/sudoers.d/60-agentbus-codebot ]; then cp -p /private/etc/sudoers.d/60-agentbus-codebot /private/etc/sudoers.d/.agentbus.60-agentbus-codebot.before; fi
mv -f /private/etc/sudoers.d/.agentbus.60-agentbus-codebot /private/etc/sudoers.d/60-agentbus-codebot
if ! visudo -c; then
  if [ -e /private/etc/sudoers.d/.agentbus.60-agentbus-codebot.before ]; then mv -f /private/etc/sudoers.d/.agentbus.60-agentbus-codebot.before /private/etc/sudoers.d/60-agentbus-codebot; else rm -f /private/etc/sudoers.d/60-agentbus-codebot; fi
  echo '/private/etc/sudoers.d/60-agentbus-codebot is as it was: with the new one that check fails' >&2; exit 1
fi
rm -f /private/etc/sudoers.d/.agentbus.60-agentbus-codebot.before

# let launchd run codebot
mkdir -p /Library/LaunchDaemons
cat > /Library/LaunchDaemons/.agentbus.agentbus.codebot.plist <<'END_OF_FILE'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
  <dict>
    <key>Label</key>
    <string>agentbus.codebot</string>
    <key>UserName</key>
    <string>codebot</string>
    <key>GroupName</key>
    <string>codebot</string>
    <key>InitGroups</key>
    <true/>
    <key>Umask</key>
    <string>027</string>
    <key>WorkingDirectory</key>
    <string>/Users/codebot</string>
    <key>ProgramArguments</key>
    <array>
      <string>/bin/sh</string>
      <string>-c</string>
      <string>[ -r "$1" ] &amp;&amp; while IFS= read -r _line || [ -n "$_line" ]; do case $_line in [A-Za-z_]*=*) _name=${_line%%=*} _value=${_line#*=};; *) continue;; esac; case $_name in *[!A-Za-z0-9_]*|UID|EUID|PPID|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_*|_name|_value|_line) continue;; esac; case $_value in \"*\"|"'"*"'") _value=${_value#?} _value=${_value%?};; esac; export "$_name=$_value"; done &lt;"$1"; shift; exec "$@"</string>
      <string>agentbus-environment</string>
      <string>/Users/codebot/.config/agentbus/env</string>
      <string>/usr/local/bin/bot</string>
      <string>--name</string>
      <string>a b</string>
    </array>
    <key>EnvironmentVariables</key>
    <dict>
      <key>HOME</key>
      <string>/Users/codebot</string>
      <key>USER</key>
      <string>codebot</string>
      <key>LOGNAME</key>
      <string>codebot</string>
      <key>PATH</key>
      <string>/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin</string>
    </dict>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
      <key>SuccessfulExit</key>
      <false/>
    </dict>
    <key>ThrottleInterval</key>
    <integer>10</integer>
    <key>ExitTimeOut</key>
    <integer>30</integer>
    <key>StandardOutPath</key>
    <string>/Library/Logs/agentbus-codebot.log</string>
    <key>StandardErrorPath</key>
    <string>/Library/Logs/agentbus-codebot.log</string>
    <key>SoftResourceLimits</key>
    <dict>
      <key>Core</key>
      <integer>0</integer>
      <key>NumberOfProcesses</key>
      <integer>256</integer>
      <key>NumberOfFiles</key>
      <integer>4096</integer>
      <key>FileSize</key>
      <integer>1073741824</integer>
    </dict>
    <key>HardResourceLimits</key>
    <dict>
      <key>Core</key>
      <integer>0</integer>
      <key>NumberOfProcesses</key>
      <integer>256</integer>
      <key>NumberOfFiles</key>
      <integer>4096</integer>
      <key>FileSize</key>
      <integer>1073741824</integer>
    </dict>
  </dict>
</plist>
END_OF_FILE
chown root:wheel /Library/LaunchDaemons/.agentbus.agentbus.codebot.plist
chmod 0644 /Library/LaunchDaemons/.agentbus.agentbus.codebot.plist
plutil -lint /Library/LaunchDaemons/.agentbus.agentbus.codebot.plist
mv -f /Library/LaunchDaemons/.agentbus.agentbus.codebot.plist /Library/LaunchDaemons/agentbus.codebot.plist

# make /Library/Logs/agentbus-codebot.log, which codebot writes and root keeps in its place
install -o codebot -g codebot -m 0640 /dev/null /Library/Logs/agentbus-codebot.log

# start codebot
launchctl bootstrap system /Library/LaunchDaemons/agentbus.codebot.plist

# set sleep to 0 with a cable
pmset -c sleep 0

# set disksleep to 0 with a cable
pmset -c disksleep 0

# set powernap to 0 with a cable
pmset -c powernap 0

# set autorestart to 1 with a cable
pmset -c autorestart 1

# set womp to 1 with a cable
pmset -c womp 1

# set ttyskeepawake to 1 with a cable
pmset -c ttyskeepawake 1

# never sleep, not even with a closed lid
# a closed laptop that does not sleep becomes hot, in a bag dangerously so, and empties its battery
pmset -a disablesleep 1
