# Sourced by scripts/setup: npm packages and the build. The system's Node only has to run npm; everything else runs with the
# Node 24 that is one of the packages.

# npm leaves out, without a word, native parts that ask for a newer Node than the one that runs it.
readonly recent_node=20.19

check_npm() {
  local version
  if ! have node || ! have npm; then
    problem "node and npm are missing: apt-get install --no-install-recommends nodejs npm"
    return
  fi
  version=$(node -p 'process.versions.node.split(".")[0]')
  [ "$version" -ge 18 ] || problem "Node $(node --version) is too old to run npm: 18 or newer is needed (Debian 12 has 18: apt-get install nodejs npm)"
  version=$(npm --version 2>/dev/null | cut -d. -f1)
  [ "${version:-0}" -ge 9 ] || problem "npm $(npm --version) is too old: 9 or newer is needed"
}

# Whether node_modules holds exactly what package-lock.json asks for on this platform, native parts included.
npm_is_current() {
  [ -x node_modules/node/bin/node ] && node_modules/node/bin/node -e '
    const { readFileSync } = require("node:fs");
    const read = (path) => JSON.parse(readFileSync(path, "utf8")).packages;
    const [wanted, present] = [read("package-lock.json"), read("node_modules/.package-lock.json")];
    const suits = (list, value) => !list || list.includes(value);
    const isNeeded = ({ optional, os, cpu, libc }) => !optional ||
      ((os || cpu) && suits(os, process.platform) && suits(cpu, process.arch) && suits(libc, "glibc"));
    const differs = Object.entries(wanted).some(([path, entry]) =>
      path !== "" && (present[path] ? present[path].integrity !== entry.integrity : isNeeded(entry)));
    process.exit(differs ? 1 : 0);' 2>/dev/null
}

check_registry() {
  [ ${#problems[@]} -eq 0 ] || return 0
  local answer
  if ! answer=$(npm view esbuild name --fetch-retries=0 --fetch-timeout=20000 2>&1); then
    problem "The npm registry cannot be reached: $(echo "$answer" | grep -m1 -E 'code|network|reason' || true)"
  fi
}

install_npm() {
  local quiet=(--no-audit --no-fund --loglevel=error) version
  if ! node -e 'const [a, b] = process.argv[1].split(".").map(Number), [c, d] = process.versions.node.split(".").map(Number);
    process.exit(c > a || (c === a && d >= b) ? 0 : 1)' "$recent_node"; then
    # An older Node fetches the project's own first, which then runs npm. (Debian's npm finds its parts by NODE_PATH.)
    version=$(node -p 'require("./package.json").devDependencies.node')
    npm install --prefix .tools/node --no-save "${quiet[@]}" "node@$version" || npm_failed
    export PATH="$root/.tools/node/node_modules/node/bin:$PATH" NODE_PATH=/usr/share/nodejs NODE_OPTIONS=--no-deprecation
  fi
  # Not `npm ci`: it refuses a lock file without the native parts of platforms that the registry does not have. The check
  # below makes sure that what was installed is what the lock file says.
  npm install --no-save "${quiet[@]}" || npm_failed
  npm_is_current || { echo "setup: npm install ended, but left something out (Node 24 or a native part)" >&2; exit 1; }
}

npm_failed() {
  echo "setup: npm failed; 'scripts/setup' tries again" >&2
  exit 1
}

npm_build() { node_modules/node/bin/node scripts/build.mjs; }
