#!/usr/bin/env bash
# Runs a script with OpenFOAM's programs and settings: Python for *.py, bash for all others.
#   openfoam.sh SCRIPT
# FOAM_BASHRC names the installation. Its bashrc fails under `set -u`, and Debian's refers to
# helper programs that are not packaged, hence neither strictness nor its complaints here.
# shellcheck disable=SC1090
source "$FOAM_BASHRC" 2>/dev/null
if [[ -z ${WM_PROJECT_DIR:-} ]]; then
  echo "FOAM_BASHRC=$FOAM_BASHRC sets up no OpenFOAM (WM_PROJECT_DIR is empty)" >&2
  exit 1
fi
case $1 in
  *.py) exec /usr/bin/python3 "$1" ;;
  *) exec bash "$1" ;;
esac
