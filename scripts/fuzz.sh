#!/usr/bin/env bash
# Runs every fuzzer of the repository for FUZZTIME (30s), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
	go test -list '^Fuzz' "$dir" | { grep '^Fuzz' || true; } | while read -r name; do
		echo "== $dir $name"
		go test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-30s}" </dev/null
	done
done
