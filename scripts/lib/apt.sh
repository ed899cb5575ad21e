# Sourced by scripts/setup: Debian packages, the backports suite, and no service started by an installation.

# The machine's own entry for its Debian suite (other repositories with a suite of that name have no component main), as an entry for SUITE: in the deb822 format, whatever format it has.
source_entry() {
  local suite=$1 file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] || continue
    awk -v codename="$VERSION_CODENAME" -v suite="$suite" '
      BEGIN { RS = ""; FS = "\n" }
      {
        types = suites = main = 0
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^Types:(.*[ \t])?deb([ \t].*)?$/) types = 1
          if ($i ~ "^Suites:(.*[ \t])?" codename "([ \t].*)?$") suites = 1
          if ($i ~ /^Components:(.*[ \t])?main([ \t].*)?$/) main = 1
          if ($i ~ /^Enabled:[ \t]*no/) types = 0
        }
        if (!types || !suites || !main) next
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^#/) continue
          if ($i ~ /^Types:/) $i = "Types: deb"
          if ($i ~ /^Suites:/) $i = "Suites: " suite
          if ($i ~ /^Components:/) $i = "Components: main"
          print $i
        }
        exit
      }' "$file" | grep . && return
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    awk -v codename="$VERSION_CODENAME" -v suite="$suite" '
      $1 == "deb" {
        options = ""
        for (i = 2; i <= NF && $2 ~ /^\[/; i++) {
          options = options " " $i
          if ($i ~ /\]$/) { i++; break }
        }
        if ($(i + 1) != codename || $(i + 2) != "main") next
        print "Types: deb\nURIs: " $i "\nSuites: " suite "\nComponents: main"
        if (match(options, /signed-by=[^] ]+/)) print "Signed-By: " substr(options, RSTART + 10, RLENGTH - 10)
        if (options ~ /trusted=yes/) print "Trusted: yes"
        exit
      }' "$file" | grep . && return
  done
  return 1
}

has_candidate() { [ "$(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ { print $2 }')" != "(none)" ] && apt-cache policy "$1" | grep -q Candidate; }

needs_backports() {
  [ "$VERSION_ID" = 12 ] && [[ " $* " == *" incus-"* ]] && ! has_candidate incus-base
}

# Refreshes apt's lists (no package changes), also those of a suite that is to be added, and tries the installation.
check_apt() {
  local extra= log
  log=$(mktemp)
  if ! apt-get update >"$log" 2>&1 || grep -q '^Err:' "$log"; then
    problem "apt-get update fails: is there a network? $(grep -m1 -E '^(E|Err|W):' "$log" || true)"
  elif needs_backports "$@"; then
    if ! source_entry "$VERSION_CODENAME-backports" >"$log.sources"; then
      problem "No apt source for $VERSION_CODENAME was found to copy for $VERSION_CODENAME-backports: add that suite by hand"
    elif ! apt-get update -o Dir::Etc::sourcelist="$log.sources" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 >"$log" 2>&1 || grep -q '^Err:' "$log"; then
      problem "The suite $VERSION_CODENAME-backports cannot be read from the machine's mirror: $(grep -m1 -E '^(E|Err):' "$log" || true)"
    fi
  fi
  if [ ${#problems[@]} -eq 0 ] && ! needs_backports "$@" && ! apt-get install --simulate --no-install-recommends "$@" >"$log" 2>&1; then
    problem "apt-get cannot install $*: $(grep -m1 '^E:' "$log" || tail -1 "$log")"
  fi
  rm -f "$log" "$log.sources"
}

# A daemon that this script installs is neither started now nor at the next boot: the local cluster starts its own. One
# that was installed before is left alone.
install_packages() {
  local guard=/usr/sbin/policy-rc.d saved=
  if needs_backports "$@"; then
    source_entry "$VERSION_CODENAME-backports" >"/etc/apt/sources.list.d/$VERSION_CODENAME-backports.sources"
    echo "  added /etc/apt/sources.list.d/$VERSION_CODENAME-backports.sources"
    apt-get update -qq
  fi
  if [ -e "$guard" ]; then saved=$(mktemp) && cp -p "$guard" "$saved"; fi
  printf '#!/bin/sh\nexit 101\n' >"$guard"
  chmod 755 "$guard"
  trap 'restore_guard "'"$guard"'" "'"$saved"'"' EXIT
  apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >"$root/.setup-apt.log" 2>&1 || {
    tail -20 "$root/.setup-apt.log" >&2
    echo "setup: apt-get install failed (all of it: .setup-apt.log); 'scripts/setup' goes on from here" >&2
    exit 1
  }
  rm -f "$root/.setup-apt.log"
  restore_guard "$guard" "$saved"
  trap - EXIT
  disable_services "$@"
}

restore_guard() {
  rm -f "$1"
  [ -z "$2" ] || mv "$2" "$1"
}

disable_services() {
  local package unit
  [ -d /run/systemd/system ] || return 0
  for package; do
    for unit in $(dpkg -L "$package" | sed -n 's|.*/systemd/system/\([^/]*\.\(service\|socket\)\)$|\1|p'); do
      systemctl disable --quiet "$unit" 2>/dev/null || true
    done
  done
}

# An apt state of its own in the folder STATE, which knows the machine's mirror and SUITE and nothing else: the system's apt never hears of it.
private_apt() {
  local state=$1 suite=$2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/etc" || return
  : >"$state/status"
  source_entry "$suite" >"$state/etc/sources.sources" || { echo "E: no apt source for $VERSION_CODENAME was found to copy"; return 1; }
  cat >"$state/apt.conf" <<CONF
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state/cache";
Dir::Etc::sourcelist "$state/etc/sources.sources";
Dir::Etc::sourceparts "-";
Dir::Etc::main "/dev/null";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
CONF
  APT_CONFIG="$state/apt.conf" apt-get update
}
