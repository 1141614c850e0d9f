import type { EscapeRow } from "./escape-row.js";

/** Programs that install, build, or change how the system starts, whom it trusts, and what its kernel does. */
export const CHANGE_SYSTEM: readonly EscapeRow[] = [
  {
    kind: "package manager",
    how: "packages bring scripts that run as root, and its options or configuration name commands of their own",
    programs: `
      apt apt-get apt-cache apt-key apt-mark apt-file apt-cdrom aptitude aptdcon apt-listchanges apt-config
      apt-ftparchive dpkg dpkg-deb dpkg-reconfigure dpkg-divert dpkg-statoverride dpkg-buildpackage dselect deborphan
      tasksel synaptic gdebi wajig nala unattended-upgrade unattended-upgrades do-release-upgrade add-apt-repository
      debconf alien debootstrap mmdebstrap cdebootstrap rpm rpm2cpio rpmdb rpmkeys rpmquery rpmverify rpmbuild rpmsign
      yum yum-builddep dnf dnf-3 dnf4 dnf5 microdnf tdnf zypper urpmi rpm-ostree bootc ostree pacman pacman-key
      makepkg pacstrap yay paru pamac aura trizen apk abuild emerge ebuild equery portage xbps-install xbps-remove
      xbps-reconfigure slackpkg installpkg upgradepkg pkgtool eopkg swupd opkg ipkg cards guix nix nix-env nix-shell
      nix-build nix-store nix-channel nixos-rebuild nixos-install darwin-rebuild home-manager pkg pkg_add pkg_install
      pkgin brew port fink mas installer softwareupdate pkgutil snap snapctl flatpak appimaged conda mamba micromamba
      spack easybuild`,
  },
  {
    kind: "package manager",
    how: "it runs the code of whatever project or package it is pointed at",
    programs: `
      forge pip pipx uv uvx poetry pdm hatch rye pipenv easy_install virtualenv tox nox npm npx pnpm pnpx yarn yarnpkg
      bunx corepack nvm n fnm volta jsr gem bundle bundler rake rails rvm rbenv chruby asdf mise rtx cpan cpanm cpanp
      ppm carton composer pear pecl phive luarocks cabal ghcup opam cargo rustup go dep mix rebar3 hex nuget paket mvn
      mvnw gradle gradlew sbt mill ant ivy coursier cs sdk jbang pub flutter dart cocoapods pod carthage xcodebuild
      xcrun swiftpm krew arkade helm helmfile jb cpm vcpkg conan hunter pyenv jenv tfenv`,
  },
  {
    kind: "build tool",
    how: "its input files name commands, or it compiles code that it then runs or loads",
    programs: `
      cobc make gmake bmake pmake dmake nmake mk ninja samu cmake ctest cpack meson bazel bazelisk buck buck2 pants
      scons waf tup redo just task invoke fab fabric jake grunt gulp webpack vite rollup esbuild parcel turbo nx lerna
      tsc tsserver eslint prettier jest mocha vitest pytest nosetests phpunit rspec cucumber minitest autoconf
      automake autoreconf aclocal libtool libtoolize configure gcc g++ c++ cc c89 c99 cpp clang clang++ tcc icc ifort
      gfortran f77 f95 gdc ldc2 dmd gccgo gnat ghc ocamlc ocamlopt rustc rustdoc rustfmt javac scalac fpc nasm yasm as
      ld ld.bfd ld.gold ld.lld gold lld ar ranlib nm objdump objcopy strip readelf elfedit patchelf chrpath bison yacc
      flex lex byacc ragel protoc swig distcc distccd ccache sccache icecc debuild dch dput gbp quilt pkg-config
      rpmlint mypy pyright pylint flake8 ruff black isort byebug redcarpet rubocop pygmentize sphinx-build mkdocs
      jekyll hugo latex pdflatex xelatex lualatex tex pdftex xetex etex eptex ptex uptex latexmk context tlmgr
      mktexlsr dvips bibtex biber makeindex metafont mf mpost pandoc enscript a2ps ebook-convert tectonic typst`,
  },
  {
    kind: "build tool",
    how: "hooks, aliases, filters and its pager run commands from files that others can write",
    programs: `
      git git-upload-pack git-receive-pack git-lfs gitk git-gui hub gh glab hg svn svnadmin svnlook svnserve svk cvs
      rcs ci co bzr brz darcs fossil jj sl sapling pijul got tla baz mtn monotone repo etckeeper vcsh yadm chezmoi
      stow pre-commit husky lefthook`,
  },
  {
    kind: "rights",
    how: "it changes who may read, write or run a file",
    programs: `
      chmod gchmod chown gchown chgrp gchgrp chattr lsattr setfacl getfacl chacl setcap getcap setfattr attr xattr
      chflags chcon runcon restorecon setfiles semanage semodule setsebool setenforce fixfiles audit2allow
      apparmor_parser aa-complain aa-disable aa-enforce aa-teardown fsadm vlock umask tccutil spctl csrutil codesign`,
  },
  {
    kind: "accounts",
    how: "it changes who exists, what they may do, or their passwords",
    programs: `
      useradd usermod userdel adduser deluser addgroup delgroup groupadd groupmod groupdel groupmems gpasswd passwd
      chpasswd chgpasswd newusers chsh chfn chage chpass pwconv pwunconv grpconv grpunconv pwck grpck lchage luseradd
      lusermod lpasswd lgroupadd systemd-sysusers dscl dseditgroup sysadminctl dsenableroot dsimport
      dsexport pwpolicy fdesetup security createhomedir opendirectoryd authconfig authselect pam-auth-update
      pam_tally2 faillock realm adcli sssctl smbpasswd pdbedit net samba-tool ldapadd ldapmodify ldapdelete kadmin
      kadmin.local ktutil kinit kpasswd htpasswd google-authenticator pw rmuser cloud-init update-passwd`,
  },
  {
    kind: "system",
    how: "it loads code into the kernel, or replaces what the machine boots",
    programs: `
      insmod modprobe rmmod kmod depmod dkms kexec kldload kldunload kextload kextunload kextutil kmutil nvram
      efibootmgr efivar mokutil sbsign grub-install grub-mkconfig grub-editenv grub-reboot grub-set-default
      update-grub grubby kernel-install mkinitcpio mkinitramfs update-initramfs dracut booster lilo extlinux
      syslinux fw_setenv flashrom fwupdmgr fwupdtool installkernel bpftool bpftrace stap staprun eu-stap crash kdump
      kdumpctl plymouth plymouthd update-secureboot-policy asr hdiutil diskutil startosinstall`,
  },
  {
    kind: "system",
    how: "it mounts or rewrites filesystems and disks, and with them any file",
    programs: `
      mount umount fusermount fusermount3 mount.cifs mount.nfs mount.fuse sshfs bindfs encfs gocryptfs squashfuse
      losetup swapon swapoff mkswap dd gdd dcfldd dc3dd ddrescue dd_rescue pv badblocks blkdiscard wipefs sgdisk gdisk
      fdisk cfdisk sfdisk parted partprobe partx kpartx gparted mkfs mke2fs mkntfs mkdosfs mkexfatfs newfs newfs_apfs
      newfs_hfs debugfs tune2fs e2fsck fsck e2image e2undo e2label resize2fs xfs_db xfs_copy xfs_io xfs_repair
      xfs_growfs xfsdump xfsrestore btrfs btrfstune bcachefs zfs zpool zdb lvm lvcreate lvremove lvextend lvchange
      pvcreate vgcreate vgchange vgimport dmsetup cryptsetup veracrypt mdadm multipath iscsiadm nbd-client nbd-server
      qemu-nbd hdparm sdparm nvme smartctl tgtadm targetcli dump restore dumpe2fs quotaon setquota edquota xfs_quota
      repquota diskdumpctl partclone partimage fsarchiver genisoimage mkisofs xorriso mksquashfs unsquashfs cdrecord
      growisofs wodim isoinfo findmnt blkid vgcfgrestore vgcfgbackup`,
  },
  {
    kind: "system",
    how: "it starts, changes or loads units, jobs or configuration that run commands as root",
    programs: `
      systemctl systemd systemd-tmpfiles systemd-sysext systemd-confext systemd-firstboot
      systemd-creds systemd-ask-password
      systemd-dissect systemd-repart systemd-vmspawn udevadm dbus-send gdbus qdbus dbus-monitor dbus-daemon
      initctl telinit init openrc openrc-run rc-service rc-update service invoke-rc.d update-rc.d chkconfig insserv
      svcadm svccfg sv svc supervisorctl supervisord pm2 forever monit god circusctl launchctl launchd periodic
      newsyslog logrotate savelog rotatelogs cronolog rsyslogd syslog-ng auditctl auditd aureport ausearch sysctl
      systemsetup networksetup scutil pmset defaults PlistBuddy plutil profiles mdmclient update-alternatives
      alternatives ldconfig ld.so ld-linux.so ld-linux-x86-64.so ld-linux-aarch64.so ld-musl-x86_64.so ldd needrestart
      apport-cli apport-unpack update-ca-certificates zic tzselect locale-gen localedef tic infocmp
      update-mime-database gtk-update-icon-cache glib-compile-schemas install-info certbot acme.sh lego dehydrated
      logsave postfix postconf postalias newaliases sendmail exim exim4 procmail maildrop fetchmail getmail mutt
      neomutt alpine mail mailx heirloom-mailx s-nail pine mh nmh bashbug reportbug apport-bug cupsctl cupsfilter
      lpadmin cancel lp lpr cupsd cups-browsed rtcwake hwclock date acpid acpi_listen dmidecode dmesg       systemd-journal-remote last lastb sar sa1 pidstat dstat top htop btop atop iotop iftop nethogs powertop glances
      nmon bashtop x11vnc vncserver xrdp`,
  },
  {
    kind: "system",
    how: "it brings a whole configuration, and what that says runs as root",
    programs: `
      ansible ansible-playbook ansible-pull ansible-console ansible-galaxy ansible-test ansible-vault
      ansible-inventory puppet facter mco chef-client chef-solo chef-apply chef-shell knife ohai salt salt-call
      salt-ssh salt-minion cfagent cf-agent cf-promises rudder bolt mgmt pyinfra terraform tofu terragrunt pulumi
      packer vagrant cdktf crossplane nomad consul vault boundary waypoint otter juju conjure-up cloud-localds
      virt-install aws gcloud gsutil bq az doctl linode-cli oci ibmcloud heroku flyctl fly vercel netlify wrangler
      eksctl ecs-cli serverless eb`,
  },
  {
    kind: "container",
    how: "it gives the host's filesystem or devices to what runs in a container or virtual machine",
    programs: `
      docker dockerd docker-compose docker-proxy podman podman-compose podman-remote nerdctl ctr crictl containerd
      runc crun youki kata-runtime runsc buildah skopeo buildctl buildkitd img lxc lxd incus incusd lxc-start
      lxc-attach lxc-execute lxc-create lxc-usernsexec lima limactl colima multipass orb rkt singularity apptainer
      enroot ch-run udocker toolbox toolbx distrobox firejail firecfg bwrap bubblewrap nsjail minijail0 sandbox-exec
      jexec jail iocage ezjail bastille vmctl qemu qemu-system qemu-img qemu-io qemu-kvm qemu-storage-daemon kvm virsh
      virt-manager virt-edit virt-customize virt-sysprep guestfish guestmount libguestfs-test-tool VBoxManage
      vboxmanage VBoxHeadless vmrun vmware-cmd prlctl prlexec xl xm cloud-hypervisor firecracker crosvm bhyve vmadm
      kubectl oc k3s k0s microk8s minikube kind k9s kubeadm kubelet rancher stern telepresence skaffold tilt devspace
      waydroid anbox`,
  },
];
