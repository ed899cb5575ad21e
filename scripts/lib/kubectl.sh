# Sourced by scripts: a kubectl of 1.30 or newer, the system's own or one below .tools/ that only this project uses.

export PATH="$root/.tools/bin:$PATH"

kubectl_is_new_enough() {
  command -v kubectl >/dev/null 2>&1 &&
    kubectl version --client -o json 2>/dev/null | tr -d ' "' | awk -F: '
      $1 == "gitVersion" { split($2, part, "."); found = part[1] == "v1" && part[2] + 0 >= 30 }
      END { exit !found }'
}

# Debian 12's own (in the package kubernetes-client) is 1.20. Its successor's is a single program without libraries: it is fetched with an apt state of its
# own, so that the system's apt never hears of the newer suite, and unpacked into .tools/.
install_kubectl() {
  if [ "$VERSION_ID" = 13 ]; then
    install_packages kubectl
    return
  fi
  local tools="$root/.tools" state
  state=$(mktemp -d)
  if unpack_newer_kubectl "$state" "$tools" >"$state/log" 2>&1; then
    rm -rf "$state"
    return
  fi
  echo "  a newer kubectl could not be had ($(grep -m1 -E '^(E|Err):' "$state/log" || tail -1 "$state/log")): taking $VERSION_CODENAME's" >&2
  rm -rf "$state"
  command -v kubectl >/dev/null 2>&1 || install_packages kubernetes-client
}

unpack_newer_kubectl() {
  local state=$1 tools=$2
  private_apt "$state" trixie || return
  mkdir -p "$tools/bin" || return
  (cd "$state" && APT_CONFIG="$state/apt.conf" apt-get download kubectl) || return
  dpkg-deb -x "$state"/kubectl_*.deb "$tools/kubectl" || return
  ln -sf ../kubectl/usr/bin/kubectl "$tools/bin/kubectl" || return
  "$tools/bin/kubectl" version --client
}
