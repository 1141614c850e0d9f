import type { Account, Machine } from "../machine.js";

/** What gives its reader something that is the human's alone, on Linux and on macOS; what is not there cannot be read. */
const SECRETS = [
  ...[
    ".ssh",
    ".ssh/id_rsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ed25519",
    ".ssh/id_ed25519_sk",
    ".ssh/config",
    ".ssh/authorized_keys",
  ],
  ...[
    ".gnupg",
    ".gnupg/private-keys-v1.d",
    ".password-store",
    ".local/share/keyrings",
    ".config/kwalletrc",
    ".local/share/kwalletd",
  ],
  ...[
    ".aws",
    ".aws/credentials",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".kube/config",
    ".docker/config.json",
    ".oci/config",
  ],
  ...[
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".pgpass",
    ".my.cnf",
  ],
  ...[".config/gh/hosts.yml", ".config/hub", ".config/op", ".terraform.d/credentials.tfrc.json", ".vault-token"],
  ...[
    ".claude.json",
    ".claude/.credentials.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".config/github-copilot",
  ],
  ...[
    ".bash_history",
    ".zsh_history",
    ".local/share/fish/fish_history",
    ".psql_history",
    ".python_history",
    ".node_repl_history",
  ],
  ...[".mozilla", ".mozilla/firefox", "snap/firefox/common/.mozilla", ".var/app/org.mozilla.firefox", ".thunderbird"],
  ...[
    ".config/google-chrome",
    ".config/chromium",
    "snap/chromium/common/chromium",
    ".config/BraveSoftware",
    ".config/microsoft-edge",
  ],
  ...[".config/Signal", ".config/Slack", ".config/1Password"],
  ...[
    "Library/Keychains",
    "Library/Safari",
    "Library/Cookies",
    "Library/Mail",
    "Library/Messages",
    "Library/Calendars",
  ],
  ...[
    "Library/Application Support/Google/Chrome",
    "Library/Application Support/Chromium",
    "Library/Application Support/Firefox",
  ],
  ...["Library/Application Support/BraveSoftware", "Library/Application Support/Microsoft Edge", "Library/Containers"],
  ...[".env", ".envrc", ".env.local", ".config/agentbus/env"],
];

const DOTFILES = [
  ...[".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".zprofile", ".config/fish/config.fish"],
  ...[".gitconfig", ".config", ".vimrc", ".tmux.conf", ".inputrc", ".Xauthority"],
];

/** What the human's shell, desktop or SSH reads and runs or believes. */
const START_FILES = [
  ...[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
  ],
  ...[
    ".config/fish/config.fish",
    ".config/fish",
    ".ssh",
    ".ssh/authorized_keys",
    ".ssh/config",
    ".ssh/rc",
    ".gitconfig",
  ],
  ...[
    ".config",
    ".config/autostart",
    ".config/systemd/user",
    ".config/git/config",
    ".local/bin",
    "bin",
    ".npmrc",
    ".vimrc",
  ],
  ...[".tmux.conf", ".xprofile", ".xsession", "Library/LaunchAgents"],
];

export function secretsIn(home: string): string[] {
  return SECRETS.map((name) => `${home}/${name}`);
}

export function dotfilesIn(home: string): string[] {
  return DOTFILES.map((name) => `${home}/${name}`);
}

export function startFilesIn(home: string): string[] {
  return START_FILES.map((name) => `${home}/${name}`);
}

const MAX_DEPTH = "6";
const MAX_ENV_FILES = 500;
const SEARCH_WITHIN_MS = 10_000;

export interface EnvFiles {
  readonly paths: readonly string[];
  /** False when the search took too long, or found too many. */
  readonly isComplete: boolean;
}

/** Where the human keeps .env files, by a search as the human: so it enters what the human may enter, and nothing that links lead to. */
export async function findEnvFiles(machine: Machine, human: Account): Promise<EnvFiles> {
  const skipped = ["node_modules", ".git", ".cache", "Library"].flatMap((name) => ["-o", "-name", name]).slice(1);
  const wanted = ["-type", "f", "-name", ".env*", "-print0"];
  const { status, stdout } = await machine.run(
    ["find", human.home, "-xdev", "-maxdepth", MAX_DEPTH, "(", ...skipped, ")", "-prune", "-o", ...wanted],
    { as: human, timeoutMs: SEARCH_WITHIN_MS },
  );
  const paths = stdout.split("\0").filter(Boolean);
  // 1: some directory was not to be entered, by the human either.
  return { paths: paths.slice(0, MAX_ENV_FILES), isComplete: status <= 1 && paths.length <= MAX_ENV_FILES };
}
