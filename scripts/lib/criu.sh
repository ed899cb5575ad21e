# Sourced by scripts/setup: what live moves need on a host (docs/user/migration.md). Debian's newest criu is fetched with an apt state of its own,
# so that the system's apt never hears of the newer suite, and unpacked with its libraries below one folder; nothing else on the machine uses it.

readonly live_folder=/usr/local/lib/hostler/criu
readonly live_suite=forky
readonly live_drop_in=/etc/systemd/system/incus.service.d/hostler-live.conf

live_is_installed() {
  [ "$("$live_folder/criu-wrapper" --hostler-wrapper 2>/dev/null)" = "$(scripts/criu-wrapper --hostler-wrapper)" ] &&
    [ "$(readlink "$live_folder/bin/criu")" = ../criu-wrapper ] &&
    cmp -s scripts/criu-wrapper "$live_folder/criu-wrapper" &&
    "$live_folder/bin/criu" --version >/dev/null 2>&1
}

# The daemon of the system, where systemd runs one; a local cluster (hostler up --live) starts its own in the same way.
has_incus_service() { [ -d /run/systemd/system ] && systemctl cat incus.service >/dev/null 2>&1; }
live_is_configured() { ! has_incus_service || { [ -r "$live_drop_in" ] && [ "$(live_environment)" = "$(cat "$live_drop_in")" ]; }; }

live_environment() {
  cat <<UNIT
# Written by Hostler's scripts/setup --live. To go back: remove this file, systemctl daemon-reload, systemctl restart incus.
[Service]
Environment=INCUS_IDMAPPED_MOUNTS_DISABLE=1
Environment=PATH=$live_folder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
UNIT
}

install_live() {
  local state
  state=$(mktemp -d)
  if ! unpack_criu "$state" >"$state/log" 2>&1; then
    echo "setup: criu could not be had from Debian $live_suite: $(grep -m1 -E '^(E|Err):' "$state/log" || tail -1 "$state/log")" >&2
    rm -rf "$state"
    exit 1
  fi
  rm -rf "$state"
  "$live_folder/bin/criu" --version | sed 's/^/  criu /'
}

# Only criu, the loader and the libraries that the loader says it needs are kept.
unpack_criu() {
  local state=$1 new="$live_folder.new" package loader libraries name path
  private_apt "$state" "$live_suite" || return
  APT_CONFIG="$state/apt.conf" apt-get install -y --download-only --no-install-recommends criu || return
  for package in "$state"/cache/archives/*.deb; do dpkg-deb -x "$package" "$state/root" || return; done
  loader=$(find "$state/root/usr/lib" -name 'ld-linux*.so.*' -not -path '*/lib64/*' | head -1)
  [ -n "$loader" ] || { echo "E: no loader among criu's packages"; return 1; }
  libraries=$(dirname "$loader")
  rm -rf "$new"
  mkdir -p "$new/bin" "$new/lib" || return
  cp "$state/root/usr/sbin/criu" "$new/criu" || return
  cp "$loader" "$new/lib/" || return
  basename "$loader" >"$new/lib/loader.$(uname -m)"
  "$loader" --library-path "$libraries" --list "$new/criu" >"$state/needed" || return
  while read -r name _ path _; do
    # The loader itself is in the list by its whole path.
    case $name:$path in */*:*) ;; *:"$libraries"/*) cp -L "$path" "$new/lib/$name" || return ;; esac
  done <"$state/needed"
  cp scripts/criu-wrapper "$new/criu-wrapper" || return
  chmod 755 "$new/criu-wrapper" "$new/criu" "$new"/lib/ld-linux* || return
  ln -s ../criu-wrapper "$new/bin/criu" || return
  "$new/bin/criu" --version || return
  "$new/bin/criu" check || return
  rm -rf "$live_folder"
  mv "$new" "$live_folder"
}

configure_live() {
  mkdir -p "$(dirname "$live_drop_in")"
  live_environment >"$live_drop_in"
  systemctl daemon-reload
  echo "  wrote $live_drop_in: it holds from the daemon's next start on ('systemctl restart incus'; containers keep running)"
}
