#!/bin/sh
# Check what a make target needs, and print the one command that helps where something is missing.
#   find-python        print the newest Python 3.11-3.14 that can make virtual environments (or "python3")
#   python COMMAND     check that COMMAND is such a Python
#   git                check that git is there
set -u

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'

on_system() {  # what to type on Debian and Ubuntu, Fedora, macOS, elsewhere
    if command -v apt-get >/dev/null 2>&1; then echo "  sudo apt-get install $1"
    elif command -v dnf >/dev/null 2>&1; then echo "  sudo dnf install $2"
    elif [ "$(uname -s)" = Darwin ]; then echo "  $3"
    else echo "  install $2 with your system's package manager"; fi >&2
}

case "${1:-}" in
find-python)
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && "$name" -c "$fits" 2>/dev/null \
            && "$name" -c 'import venv, ensurepip' 2>/dev/null; then
            echo "$name"
            exit 0
        fi
    done
    for name in python3.14 python3.13 python3.12 python3.11; do  # without venv: "python" will say what is missing
        if command -v "$name" >/dev/null 2>&1; then echo "$name"; exit 0; fi
    done
    echo python3
    ;;
python)
    command=${2:-python3}
    if ! command -v "$command" >/dev/null 2>&1 || ! "$command" -c "$fits" 2>/dev/null; then
        echo "Isogloss needs Python 3.11, 3.12, 3.13 or 3.14; $command is $(command -v "$command" >/dev/null 2>&1 && "$command" --version 2>&1 || echo not there)." >&2
        echo "Install one, or name it with PYTHON=...:" >&2
        on_system "python3 python3-venv" python3.13 "brew install python@3.13"
        exit 1
    fi
    if ! "$command" -c 'import venv, ensurepip' 2>/dev/null; then
        version=$("$command" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$command has no venv, which makes virtual environments. Type:" >&2
        on_system "python$version-venv" "python$version" "brew install python@$version"
        exit 1
    fi
    ;;
git)
    if ! command -v git >/dev/null 2>&1; then
        echo "The tests need git. Type:" >&2
        on_system git git "xcode-select --install"
        exit 1
    fi
    ;;
*)
    echo "usage: check-setup.sh find-python | python COMMAND | git" >&2
    exit 2
    ;;
esac
