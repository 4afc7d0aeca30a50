# Sourced by run and test: finds Python, makes the environment once, and what Qt needs where it may.
# Sets $venv and $root. Arguments: the extra to install ("" or "[test]").

say() { printf 'shardboard: %s\n' "$*" >&2; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${SHARDBOARD_VENV:-$root/.venv}

QT_LIBRARIES="libglib2.0-0 libgl1 libegl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libbrotli1"
WINDOW_LIBRARIES="libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
    libxcb-render-util0 libxcb-shape0 libxcb-util1 libxcb-xkb1 libx11-xcb1"
FAST_LIBRARIES="libopenblas0-pthread"

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Installs Debian packages that are missing, where that is possible; says in a sentence what is missing where it is not.
system_libraries() {
    command -v dpkg-query >/dev/null 2>&1 || return 0
    missing=
    for package in "$@"; do
        # Debian 13 renamed some packages for 64-bit time.
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            dpkg-query -W -f='${Status}' "${package}t64" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            as_root="sudo -n"
        else
            say "these system packages are missing; install them with: sudo apt-get install$missing"
            return 0
        fi
    fi
    say "installing system packages:$missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null 2>&1 || true
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null ||
        say "the system packages could not be installed; the window may not open"
}

# The environment is believed only when its stamp says for what it was made.
make_environment() {
    extra=$1
    python=$(find_python) || {
        if command -v apt-get >/dev/null 2>&1; then
            system_libraries python3 python3-venv
        fi
        python=$(find_python) || {
            say "Python 3.11, 3.12 or 3.13 is needed. On a Mac: brew install python@3.12, or the installer of python.org."
            exit 1
        }
    }
    stamp=$( (cat "$root/pyproject.toml" "$root/packaging/constraints.txt"; "$python" -V; echo "$python") | cksum)
    wanted="$stamp|$extra"
    have=$(cat "$venv/.shardboard-stamp" 2>/dev/null || true)
    case "$have" in
        "$wanted" | "$stamp|[test]") return 0 ;;
    esac
    mkdir -p "$(dirname -- "$venv")"
    lock="$venv.lock"
    tries=0
    until mkdir "$lock" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -eq 1 ] && say "waiting for another run that sets the environment up"
        if [ $tries -gt 900 ]; then
            say "$lock is in the way; remove it if no other run is active"
            exit 1
        fi
        sleep 1
        have=$(cat "$venv/.shardboard-stamp" 2>/dev/null || true)
        [ "$have" = "$wanted" ] && return 0
    done
    trap 'rmdir "$lock" 2>/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    say "setting up the environment in $venv (once)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        system_libraries python3-venv
    fi
    rm -f "$venv/.shardboard-stamp"
    if [ ! -x "$venv/bin/python" ] || [ "$("$venv/bin/python" -V 2>/dev/null)" != "$("$python" -V)" ]; then
        rm -rf "$venv"
        "$python" -m venv "$venv" || exit 1
    fi
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -c "$root/packaging/constraints.txt" \
        -e "$root$extra" || {
        say "the packages could not be installed; the lines above say why"
        exit 1
    }
    printf '%s' "$wanted" >"$venv/.shardboard-stamp"
    rmdir "$lock" 2>/dev/null
    trap - EXIT INT TERM
}

# On Linux the BLAS inside MLX's wheel is slow; OpenBLAS makes matrix products 10 times faster where it is installed.
fast_blas() {
    [ "$(uname)" = Linux ] && [ -z "${SHARDBOARD_NO_OPENBLAS:-}" ] || return 0
    for library in /usr/lib/*/openblas-pthread/libopenblas.so.0 /usr/lib/*/openblas-pthread/libblas.so.3; do
        if [ -e "$library" ]; then
            LD_PRELOAD="$library${LD_PRELOAD:+:$LD_PRELOAD}"
            OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
            OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
            export LD_PRELOAD OPENBLAS_NUM_THREADS OMP_NUM_THREADS
            return 0
        fi
    done
}
