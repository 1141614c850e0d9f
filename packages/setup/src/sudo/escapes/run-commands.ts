import type { EscapeRow } from "./escape-row.js";

/** Programs that run what they are told, or what files of the caller tell them. */
export const RUN_COMMANDS: readonly EscapeRow[] = [
  {
    kind: "shell",
    how: "it is a shell: it runs whatever it is given",
    programs: `
      sh ash bash rbash bosh csh dash elvish es fish hush ksh ksh93 mksh lksh oksh pdksh loksh ion nu osh oil posh
      pwsh powershell rc rksh rzsh sash slsh tcsh xonsh yash ysh zsh ksshell gitshell git-shell tasksh`,
  },
  {
    kind: "interpreter",
    how: "it is a programming language: a line of code starts a shell",
    programs: `
      pdb perlbug python pypy pypy3 ipython bpython ptpython jython micropython perl raku perl6 ruby irb jruby pry rbx
      node nodejs deno bun tsx ts-node qjs quickjs d8 lua luajit luatex texlua luau tclsh wish expect expectk jimsh
      php php-cgi php-fpm phpdbg hhvm guile scheme racket csi chicken gosh sbcl clisp ecl clojure clj lein boot erl
      erlang escript elixir iex ghci runghc runhaskell stack ocaml utop ocamlrun swipl gprolog yap R Rscript octave
      octave-cli scilab maxima gp julia groovy groovysh groovyConsole kotlin kotlinc scala scala-cli amm jshell
      jrunscript jjs java javaws js js24 js52 js60 js68 js78 js91 js102 rhino mono csharp fsi fsharpi dotnet
      dotnet-script swift osascript osacompile jxa crystal nim nimble zig v gforth rexx regina pike io factor janet
      fennel hy babashka bb vala awk gawk mawk nawk original-awk bwk goawk frawk miller mlr gnuplot m4 volatility
      volatility3`,
  },
  {
    kind: "interpreter",
    how: "its scripts can start programs or write files",
    programs: `
      ginsh dosbox sed gsed ssed psed jq gojq jaq yq xq dc bc jtag openocd ngspice gimp inkscape blender krita scribus
      libreoffice soffice lowriter localc loffice openscad freecad povray ghostscript gs gsc ghostview ps2pdf ps2ascii
      pdf2ps eps2eps csvtool csvsql datamash`,
  },
  {
    kind: "runs commands",
    how: "its arguments are a command, which it runs",
    programs: `
      socket grc env nice nohup setsid timeout gtimeout time gtime stdbuf unbuffer script scriptreplay scriptlive
      watch xargs gxargs parallel sem rush taskset chrt ionice numactl prlimit ulimit softlimit setlock cpulimit choom
      cgexec cgclassify systemd-run systemd-inhibit systemd-cat systemd-nspawn systemd-mount systemd-umount run0
      caffeinate flock lockf lockfile run-one run-this-one keep-one-running run-parts run-mailcap see edit compose
      print-mailcap start-stop-daemon daemon daemonize supervise svscan multitime hyperfine perf strace ltrace ptrace
      dtruss dtrace truss catchsegv valgrind kcachegrind rr uftrace sysprof entr watchexec watchman fswatch nodemon
      reflex inotifywait inotifywatch incrond onchange chronic ifne unshare nsenter setarch linux32 linux64 uname26
      arch aa-exec faketime fakeroot fakechroot proot cowbuilder pbuilder sbuild schroot dchroot chroot pivot_root
      switch_root dumb-init tini catatonit s6-svscan s6-supervise s6-setuidgid s6-envuidgid s6-applyuidgid s6-sudo
      s6-ipcserver execlineb chpst runsv runsvdir runsvchdir envdir envuidgid setuidgid pgrphack argv0 fghack at batch
      atd crontab cron crond anacron incrontab fcron fcrontab gexpect dbus-run-session dbus-launch xvfb-run xinit
      startx xterm uxterm lxterm urxvt rxvt aterm mlterm openvt konsole gnome-terminal xfce4-terminal kitty alacritty
      wezterm foot terminator tilix st x-terminal-emulator screen tmux tmate byobu dtach abduco mosh mosh-server dvtm
      zellij shpool reptyr retty rlwrap ledit rlfe ptyget tsocks torsocks torify proxychains proxychains4 usewithtor
      sshpass open xdg-open gio gvfs-open kde-open exo-open launch dex gtk-launch pexec pdsh clush cssh pssh
      parallel-ssh xdotool ydotool wmctrl sxhkd setkeycodes ranger nnn lf vifm mc mcedit mcview mcdiff fff yazi broot
      fzf sk peco percol dmenu rofi bemenu gum dialog whiptail zenity kdialog yad xdialog multitail lnav tig lazygit
      gitui ttyd gotty wetty shellinabox shellinaboxd websocketd inetd xinetd tcpserver tcpsvd sslserver mpirun
      mpiexec orterun srun sbatch salloc qsub bsub condor_run dsh ssh-agent keychain envchain aws-vault direnv dotenv
      op doppler chamber teller sops exec`,
  },
  {
    kind: "runs commands",
    how: "it runs a command as whoever it is told",
    programs: `
      sudo sudoedit sudoreplay visudo cvtsudoers su doas doasedit pkexec runuser setpriv capsh su-exec gosu super
      calife really newgrp sg newuidmap newgidmap login agetty getty mingetty fgetty mgetty nologin pam_exec sulogin
      ksu gksu gksudo kdesu kdesudo beesu lxsu sux userv sud suidperl runscript`,
  },
  {
    kind: "agent",
    how: "it is an AI agent, which runs commands that it is asked for",
    programs: `
      claude codex gemini opencode aider cursor cursor-agent goose amp crush qwen copilot cline plandex openhands
      open-interpreter llm sgpt shell-gpt aichat mods kiro-cli droid auggie openclaw agentbus`,
  },
  {
    kind: "editor",
    how: "it writes any file, and most editors start a shell as well (such as :!sh)",
    programs: `
      vi vim vim.basic vim.tiny vim.nox vim.gtk vim.gtk3 vim.athena vimdiff gvim evim eview view rview rvim rgvim
      rgview ex nvi nvi2 bvi elvis levee stevie vile xvile vis nvim nvim-qt neovide helix hx kakoune kak emacs
      emacsclient emacs-nox emacs-gtk xemacs mg jove zile qemacs e3 e3vi e3em e3ne e3pi e3ws nano rnano pico pilot ed
      red ged joe jmacs jpico jstar rjoe ne micro dte tilde kilo jed xjed le fte sandy sam acme code code-insiders
      codium code-server subl sublime_text atom gedit pluma xed mousepad leafpad kate kwrite geany notepadqq
      featherpad l3afpad TextEdit ee aee nled vipw vigr sensible-editor editor select-editor hexedit hexer dhex
      hexcurse tweak shed ghex bless okteta beav bvedit sc sc-im visidata vd`,
  },
  {
    kind: "pager",
    how: "it starts a shell when asked (!sh), and shows any file",
    programs: `
      less more most pg pager sensible-pager lesspipe lessecho lesskey zless zmore bzless bzmore xzless xzmore lzless
      lzmore zstdless lessfile w3m w3mman lynx links elinks links2 elinks2 retawq browsh man mandb apropos whatis info
      pinfo tkinfo yelp perldoc pydoc rdoc ri ri2 texdoc tldr cheat help2man dwww bat batcat moar moor ov slit
      vimpager nvimpager delta diff-so-fancy glow mdless mdcat`,
  },
  {
    kind: "pager",
    how: "it shows what it prints in a pager, which starts a shell when asked (!sh)",
    programs: `
      journalctl loginctl machinectl hostnamectl localectl timedatectl resolvectl systemd-resolve networkctl busctl portablectl userdbctl homectl bootctl systemd-analyze coredumpctl`,
  },
];
