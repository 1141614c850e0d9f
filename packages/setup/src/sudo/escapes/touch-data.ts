import type { EscapeRow } from "./escape-row.js";

/** Programs that read or write what only root may, and so hand over /etc/shadow, or take /etc/sudoers. */
export const TOUCH_DATA: readonly EscapeRow[] = [
  {
    kind: "archiver",
    how: "it packs files that only root may read, unpacks over files that only root may write, and some run commands meanwhile (tar --checkpoint-action)",
    programs: `
      tar gtar bsdtar star smuxtar cpio bsdcpio pax afio shar unshar zip zipnote zipsplit zipcloak zipdetails unzip
      funzip zipinfo bsdunzip 7z 7za 7zr 7zz p7zip rar unrar unrar-free unar lsar arj arc zoo lha lhasa lzh ditto aa
      yaa mar zpaq xar cabextract gcab dar tarsnap duplicity deja-dup borg borgmatic restic rdiff-backup rsnapshot bup
      attic kopia kopia-ui tmutil rsbackup backup2l amdump obnam bacula bconsole dirvish burp snebu zbackup`,
  },
  {
    kind: "archiver",
    how: "it writes what it reads, so any file comes out, or is replaced",
    programs: `
      gzip gunzip zcat gzcat pigz unpigz bzip2 bunzip2 bzcat bzip2recover pbzip2 lbzip2 xz unxz xzcat lzma unlzma
      lzcat xzdec lzmadec pixz pxz zstd unzstd zstdcat pzstd zstdmt lz4 unlz4 lz4cat lzop lzip plzip lunzip brotli
      compress uncompress ncompress snzip lrzip lrz lrunzip rzip zopfli advzip upx gzexe znew uuencode uudecode
      uuenview uudeview base32 base64 basenc base58 base91 ascii85 btoa atob atobm binhex hexbin mpack munpack
      metamail openssl gpg gpg2 gpgv gpgsm gpg-agent age rage minisign signify ccrypt mcrypt scrypt`,
  },
  {
    kind: "copies files",
    how: "it puts a file of the caller's choice in the place of any other, or hands out one that only root may read",
    programs: `
      cp gcp mv gmv ln gln link install ginstall rsync rsyncd rclone scp sftp unison csync csync2 lsyncd bsync
      syncthing lftp ncftp ncftpget ncftpput ftp tnftp pftp atftp tftp curlftpfs cadaver mcopy mtools smbclient smbget
      s3cmd s4cmd s5cmd azcopy b2 ipfs croc magic-wormhole wormhole rename prename mmv vidir mktemp mkfifo mknod mkdir
      rmdir rm grm unlink shred srm wipe scrub truncate fallocate touch symlinks split csplit xclip xsel pbcopy
      pbpaste wl-copy wl-paste rmlint fdupes jdupes hardlink dos2unix unix2dos mac2unix recode konwert iconv tee gtee
      sponge pee ucf cpmove uucp uux pscp psftp`,
  },
  {
    kind: "reads files",
    how: "it shows, or repeats in its errors, any file that only root may read, such as /etc/shadow",
    programs: `
      acr bmon wall easyrsa cat gcat tac nl head tail od hd hexdump xxd strings cut paste join comm cmp diff diff3 sdiff
      colordiff wdiff icdiff meld kdiff3 vbindiff rdiff patch grep egrep fgrep zgrep bzgrep xzgrep zipgrep rg ag ack
      ugrep pcregrep pcre2grep agrep look sort gsort uniq shuf tsort tr wc sum cksum md5sum sha1sum sha256sum
      sha512sum b2sum shasum digest fold fmt pr column colrm col colcrt expand unexpand rev ul csvcut csvlook xsv qsv
      nroff troff groff eqn neqn tbl pic grn refer soelim zsoelim ptx aspell ispell hunspell spell file getent mtr dig
      nslookup host xmllint xsltproc xmlstarlet tidy html2text catdoc antiword wvText docx2txt odt2txt pdftotext
      pdfgrep exiftool identify convert magick mogrify composite montage display import gm ffmpeg ffprobe ffplay
      avconv sox mpv mplayer vlc cvlc feh eog gpicview zathura evince okular xpdf mupdf mutool qpdf pdftk espeak
      espeak-ng say flite festival festival_client efax figlet toilet cowsay cowthink ponysay lolcat boxes banner
      fortune strfile arp whois finger fping check_by_ssh check_cups check_log check_memory check_raid check_ssl_cert
      check_statusfile check_mk nagios nrpe clamscan clamdscan freshclam rkhunter chkrootkit lynis aide tripwire
      debsums debsecan readprofile lsof msgattrib msgcat msgcomm msgconv msgen msgexec msgfilter msgfmt msggrep
      msginit msgmerge msgunfmt msguniq xgettext gettext envsubst ngettext rpl sgrep highlight source-highlight
      bibclean dictfmt ascii-xfr sb sx sz rz minicom picocom cu tip kermit xmodmap xrdb setxkbmap xdg-user-dir
      xdg-mime gcore pstack xpad xmore cdist scrot grim maim gtester redis tdbtool tdbdump basez ntpdate varnishncsa
      genie rlogin hping3 aoss cuetag mpg123 ogg123 aplay arecord`,
  },
  {
    kind: "reads files",
    how: "it looks through all of the filesystem, and runs commands on what it finds",
    programs: `
      find gfind fd fdfind bfind bfs locate plocate mlocate updatedb updatedb.findutils ncdu gdu dua dust duc tree eza
      exa lsd mdfind mdutil tracker3 baloosearch recoll recollindex logwatch logcheck swatch fail2ban-client
      fail2ban-server neofetch fastfetch screenfetch inxi hwinfo sosreport sos`,
  },
  {
    kind: "writes files",
    how: "it writes a file that its arguments name, or settings into a home, over what is there",
    programs: `
      sips screencapture nload`,
  },
  {
    kind: "debugger",
    how: "it reads and changes the memory of other processes, or starts one with what it is told",
    programs: `
      gdb gdbserver gdbtui lldb lldb-server edb nemiver ddd dbx mdb cdb radare2 r2 rizin cutter scanmem gameconqueror
      pyrasite py-spy rbspy austin jdb jhsdb jmap jstack jcmd jattach arthas delve dlv frida frida-trace objection
      heaptrack criu dmtcp_launch reredirect injcode sample spindump leaks heap vmmap malloc_history instruments
      xctrace fs_usage sc_usage opensnoop execsnoop iosnoop`,
  },
  {
    kind: "network",
    how: "it reads or sends files, or runs a command, for whoever is at the other end or in its options",
    programs: `
      curl wget wget2 aria2c axel lwp-request lwp-download lwp-mirror http https httpie xh fetch snarf prozilla
      youtube-dl yt-dlp gallery-dl urlget GET HEAD POST nc ncat netcat nc.openbsd nc.traditional cryptcat socat
      websocat telnet rsh rcp rlogind rexec ssh ssh-add ssh-copy-id ssh-keygen ssh-keyscan sshd slogin dropbear
      dbclient dropbearconvert autossh sshuttle plink putty puttygen msfconsole msfvenom nmap zenmap masscan hydra
      john hashcat ettercap bettercap responder mitmproxy mitmdump tcpdump tshark wireshark dumpcap editcap mergecap
      text2pcap ngrep tcpflow tcpreplay snort suricata zeek dsniff arpspoof sqlmap nikto openvpn openvpn3 openconnect
      vpnc ipsec swanctl wg wg-quick tailscale tailscaled zerotier-cli nebula cloudflared ngrok frpc chisel ligolo
      pppd pon chat wvdial dhclient dhcpcd udhcpc dhcpd dnsmasq named rndc unbound coredns ip bridge tc ss ifup ifdown
      ifconfig ifquery ethtool route iptables ip6tables iptables-restore iptables-save xtables-multi nft ebtables
      arptables ufw firewall-cmd firewalld shorewall pfctl ipfw ipset conntrack brctl ovs-vsctl ovs-ofctl iw iwconfig
      iwctl wpa_supplicant wpa_cli wpa_action hostapd nmcli nmtui netplan connmanctl bluetoothctl rfkill
      nginx apache2 apachectl apache2ctl httpd a2enmod a2ensite caddy traefik haproxy envoy lighttpd h2o squid
      varnishd privoxy tor stunnel stunnel4 redsocks dante sockd smbd nmbd nfsd exportfs rpc.mountd vsftpd proftpd
      pure-ftpd tftpd in.tftpd atftpd transmission-cli rtorrent transmission-daemon deluge mosquitto mosquitto_pub
      mosquitto_sub rabbitmqctl rabbitmq-plugins kafka-console-consumer nats-server zmap zgrab amass subfinder wfuzz
      ffuf gobuster dirb irssi weechat ab siege wrk vegeta hey`,
  },
  {
    kind: "database",
    how: "its client starts a shell (\\!), and its server reads and writes files",
    programs: `
      mysql mysqld mysqladmin mysqldump mysqlimport mysqlslap mysqlsh mariadb mariadbd mariadb-dump mariadb-admin
      mycli psql postgres pg_dump pg_dumpall pg_restore pg_ctl pg_basebackup pgcli pg_ctlcluster pg_createcluster
      initdb createdb dropdb createuser sqlite sqlite3 litecli spatialite sqlcipher duckdb usql osqueryi osquery
      sqlplus sqlcl rman isql tsql bcp sqlcmd mssql-cli db2 ingres firebird mongo mongod mongosh mongodump
      mongorestore mongoexport redis-cli redis-server valkey-cli valkey-server keydb-cli memcached cqlsh nodetool
      influx influxd clickhouse clickhouse-client clickhouse-local cockroach tidb etcdctl etcd zkCli neo4j
      cypher-shell arangosh couchdb rethinkdb hbase hive beeline impala-shell presto trino spark-shell spark-submit
      pyspark spark-sql hadoop hdfs pig sqoop flink storm ldapsearch ldapvi slapcat slapadd slapd`,
  },
];
