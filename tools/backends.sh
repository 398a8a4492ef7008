#!/usr/bin/env bash
# Brings the real programs that the tests run against into .backends/bin: consul, etcd, etcdctl, prometheus with its promtool,
# chromium without a screen, and tini; with `wrk` as an argument, the load generator of the benchmarks too. Nothing is installed on the machine: packages are
# downloaded from the mirror that the machine's own apt sources name, and unpacked into the git-ignored folder.
#
#   npm run backends          what is already there is left alone; a second run does nothing
#   npm run backends -- wrk   the same, and wrk
#   npm run backends -- interop   the same, and who speaks HTTP/2 and gRPC besides us: nghttp2, haproxy, gRPC's C core, grpc-go
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
home="$root/.backends"
bin="$home/bin"

# Debian's releases after this one carry no consul any more.
consul_release=bullseye

fail() {
  echo "backends: $*" >&2
  exit 1
}

wanted=(consul etcd etcdctl prometheus promtool chromium tini)
for argument in "$@"; do
  case "$argument" in
    wrk) wanted+=(wrk) ;;
    interop) wanted+=(nghttp h2load nghttpd haproxy grpc-python grpc-go) ;;
    *) fail "\"$argument\" is not something this script can bring; the extras are wrk and interop." ;;
  esac
done

missing=()
for name in "${wanted[@]}"; do
  [[ -x "$bin/$name" ]] || missing+=("$name")
done
if ((${#missing[@]} == 0)); then
  echo "backends: ${wanted[*]} are in ${bin#"$root"/}."
  exit 0
fi

for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null ||
    fail "this machine has no $tool, so put ${missing[*]} on the PATH by its own package manager; the tests look there too."
done

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,archives}/partial "$work/sources.list.d" "$work/debs" "$work/tree" "$bin" "$home/lib"

# apt reads copies of the machine's own sources, whatever their format, beside one of ours.
shopt -s nullglob
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
  [[ -r "$file" ]] && cp "$file" "$work/sources.list.d/"
done
[[ -f "$work/sources.list.d/sources.list" ]] && mv "$work/sources.list.d/sources.list" "$work/sources.list.d/main.list"

apt_options=(
  -o Dir::Etc::sourcelist=/dev/null
  -o Dir::Etc::sourceparts="$work/sources.list.d"
  -o Dir::State::Lists="$work/lists"
  -o Dir::Cache::archives="$work/archives"
  -o Dir::Cache::pkgcache=
  -o Dir::Cache::srcpkgcache=
  -o APT::Get::List-Cleanup=0
  -o Acquire::Languages=none
  -o Acquire::Retries=2
)
# As root, apt would download as a user that may not enter the temporary folder.
if [[ "$(id -u)" == 0 ]]; then apt_options+=(-o APT::Sandbox::User=root); fi

# The mirror that serves this release serves the older one too; apt is asked which one that is.
codename="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")"
mirror="$(apt-get "${apt_options[@]}" --print-uris update 2>/dev/null |
  sed -n "s#^'\(.*\)/dists/$codename/InRelease'.*#\1#p" | head -n 1)"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [[ -n "$mirror" && -r "$keyring" && "$codename" != "$consul_release" ]]; then
  echo "deb [signed-by=$keyring] $mirror $consul_release main" >"$work/sources.list.d/older.list"
fi

echo "backends: fetching ${missing[*]} …"
# An update that reaches only some of the sources may still have brought what is needed; the download tells.
apt-get "${apt_options[@]}" -qq update >"$work/update.log" 2>&1 || true

# Downloads the packages and unpacks them into the temporary tree, once each; says which one failed.
unpack() {
  local package
  for package in "$@"; do
    compgen -G "$work/debs/${package}_*.deb" >/dev/null && continue
    if ! (cd "$work/debs" && apt-get "${apt_options[@]}" -qq download "$package") >"$work/download.log" 2>&1; then
      sed 's/^/  /' "$work/update.log" "$work/download.log" >&2
      fail "apt could not download $package, so put ${missing[*]} on the PATH yourself."
    fi
    dpkg -x "$work/debs/${package}"_*.deb "$work/tree"
  done
}

# Into its place by rename, so that a run cut short leaves no half of a program.
place() {
  install -m 755 "$1" "$bin/.$2.new"
  mv "$bin/.$2.new" "$bin/$2"
}

# A program that needs libraries which few machines have: they come along, found by a wrapper instead of the system's linker.
place_wrapped() {
  find "$work/tree/usr/lib" -name 'lib*.so*' -exec cp -a {} "$home/lib/" \;
  install -m 755 "$1" "$home/lib/$2"
  cat >"$work/wrapper" <<WRAPPER
#!/usr/bin/env bash
lib="\$(cd "\$(dirname "\$(readlink -f "\${BASH_SOURCE[0]}")")/../lib" && pwd)"
LD_LIBRARY_PATH="\$lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$lib/$2" "\$@"
WRAPPER
  place "$work/wrapper" "$2"
}

for name in "${missing[@]}"; do
  case "$name" in
    nghttp | h2load)
      unpack nghttp2-client libnghttp2-14 libev4 libjansson4 libc-ares2 libxml2 libjemalloc2 libevent-openssl-2.1-7
      place_wrapped "$work/tree/usr/bin/$name" "$name"
      ;;
    nghttpd)
      unpack nghttp2-server libnghttp2-14 libev4 libjansson4 libc-ares2 libxml2 libjemalloc2
      place_wrapped "$work/tree/usr/sbin/nghttpd" nghttpd
      ;;
    haproxy)
      unpack haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
      place_wrapped "$work/tree/usr/sbin/haproxy" haproxy
      ;;
    grpc-python)
      # Debian's Python with gRPC's C core, without protobuf: messages are bytes to it.
      unpack python3-grpcio libabsl20220623 libre2-9 libc-ares2
      rm -rf "$home/lib/python"
      cp -a "$work/tree/usr/lib/python3/dist-packages" "$home/lib/python"
      find "$work/tree/usr/lib" -name 'lib*.so*' -exec cp -a {} "$home/lib/" \;
      cat >"$work/grpc-python" <<'WRAPPER'
#!/usr/bin/env bash
lib="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib" && pwd)"
LD_LIBRARY_PATH="$lib" PYTHONPATH="$lib/python" exec /usr/bin/python3 "$@"
WRAPPER
      place "$work/grpc-python" grpc-python
      ;;
    grpc-go)
      # Debian's Go and its sources of grpc-go, for as long as it takes to build our peer with them.
      # shellcheck disable=SC2046 # one word for each package
      unpack $(apt-get "${apt_options[@]}" -s install --no-install-recommends golang-google-grpc-dev golang-go 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep '^golang')
      goroot="$(compgen -G "$work/tree/usr/lib/go-*" | head -n 1)"
      (cd "$root/test/interop/go" &&
        GOROOT="$goroot" GOPATH="$work/tree/usr/share/gocode" GOCACHE="$work/go-cache" GO111MODULE=off CGO_ENABLED=0 GOFLAGS= \
          "$goroot/bin/go" build -o "$work/grpc-go" .)
      place "$work/grpc-go" grpc-go
      ;;
    consul)
      unpack consul
      place "$work/tree/usr/bin/consul" consul
      ;;
    etcd)
      unpack etcd-server
      place "$work/tree/usr/bin/etcd" etcd
      ;;
    etcdctl)
      unpack etcd-client
      place "$work/tree/usr/bin/etcdctl" etcdctl
      ;;
    prometheus | promtool)
      unpack prometheus
      place "$work/tree/usr/bin/$name" "$name"
      ;;
    chromium)
      # Its libraries come along, as far as the machine lacks them, and one font, since a page without any has no text.
      # shellcheck disable=SC2046 # one word for each package
      unpack fonts-dejavu-core $(apt-get "${apt_options[@]}" -s install --no-install-recommends chromium-headless-shell 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -v '^xdg-utils$' || true) chromium-headless-shell
      rm -rf "$home/chromium"
      mkdir -p "$home/chromium/share"
      cp -a "$work/tree/usr/lib" "$home/chromium/"
      cp -a "$work/tree/usr/share/fonts" "$home/chromium/share/"
      [[ ! -d "$work/tree/etc/fonts" ]] || cp -a "$work/tree/etc/fonts" "$home/chromium/etc-fonts"
      cat >"$work/chromium" <<'WRAPPER'
#!/usr/bin/env bash
home="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../chromium" && pwd)"
libraries="$(find "$home/lib" -name '*.so*' -not -path '*/lib/chromium/*' -printf '%h\n' | sort -u | paste -sd:)"
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" XDG_DATA_HOME="$home/share"
[[ -d /etc/fonts ]] || export FONTCONFIG_PATH="$home/etc-fonts"
exec "$home/lib/chromium/chromium-headless-shell" "$@"
WRAPPER
      place "$work/chromium" chromium
      ;;
    tini)
      unpack tini
      place "$work/tree/usr/bin/tini" tini
      ;;
    wrk)
      # wrk needs a Lua library that few machines have; it comes along, found by a wrapper instead of the system's linker.
      libraries="$(apt-cache "${apt_options[@]}" depends --important wrk | sed -n 's/^ *Depends: \(libluajit[^ ]*\)$/\1/p')"
      # shellcheck disable=SC2086 # one word for each library
      unpack wrk $libraries
      find "$work/tree/usr/lib" \( -name 'libluajit*.so*' \) -exec cp -a {} "$home/lib/" \;
      install -m 755 "$work/tree/usr/bin/wrk" "$home/lib/wrk"
      cat >"$work/wrk" <<'WRAPPER'
#!/usr/bin/env bash
lib="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib" && pwd)"
LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$lib/wrk" "$@"
WRAPPER
      place "$work/wrk" wrk
      ;;
  esac
done

echo "backends: ${missing[*]} are now in ${bin#"$root"/}."
