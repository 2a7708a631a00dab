#!/bin/sh
# Removes what a list names: prune.sh FOLDER <LIST
#
# The list has one glob a line, below FOLDER; '#' begins a line for people. A glob that matches
# nothing ends it with an error: the list has to follow what the packages bring.
set -eu

cd "$1"
sed '/^#/d; /^$/d' | while read -r glob; do
    # shellcheck disable=SC2086  # the shell expands the glob
    rm -r -- $glob
done
