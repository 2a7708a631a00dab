#!/bin/sh
# Removes the files of a list: prune.sh FOLDER <LIST
#
# The list has one glob per line, below FOLDER; lines that begin with '#' are comments. A glob that
# matches nothing is an error: the list must follow the packages.
set -eu

cd "$1"
sed '/^#/d; /^$/d' | while read -r glob; do
    # shellcheck disable=SC2086  # the shell expands the glob
    rm -r -- $glob
done
