#!/usr/bin/env bash
# Installs what the tests and the demo need besides Go, if it is missing:
# PostgreSQL's server programs (initdb, postgres) and psql. Does nothing, and
# says nothing, where they are there.
set -euo pipefail

has_server() {
	local dir
	for dir in "${HELIOS_PG_BIN:-}" "${PG_BIN:-}" ${PATH//:/ } /usr/lib/postgresql/*/bin; do
		if [[ -n $dir && -x $dir/initdb && -x $dir/postgres ]]; then return 0; fi
	done
	return 1
}

has_psql() { command -v psql >/dev/null; }

if ! command -v go >/dev/null; then
	echo "Go is missing: install the version that go.mod names, from https://go.dev/dl/" >&2
	exit 1
fi

if ! has_server || ! has_psql; then
	if command -v apt-get >/dev/null; then
		if [[ $(id -u) == 0 ]]; then
			sudo=()
		elif command -v sudo >/dev/null; then
			sudo=(sudo)
		else
			echo "PostgreSQL is missing: run apt-get install postgresql as root" >&2
			exit 1
		fi
		echo "installing PostgreSQL" >&2
		# The package would make a cluster and start it on port 5432: we want its programs only.
		conf=/etc/postgresql-common/createcluster.d/helios-sql.conf
		"${sudo[@]}" mkdir -p "${conf%/*}"
		echo "create_main_cluster = false" | "${sudo[@]}" tee "$conf" >/dev/null
		"${sudo[@]}" apt-get update -q >&2
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql postgresql-client >&2
		"${sudo[@]}" rm -f "$conf"
	elif [[ $(uname) == Darwin ]]; then
		echo "PostgreSQL is missing: run brew install postgresql@17 and put its bin directory into PATH" >&2
		exit 1
	else
		echo "PostgreSQL is missing: install its server and psql, or name the server's bin directory in HELIOS_PG_BIN" >&2
		exit 1
	fi
fi

has_server || { echo "no initdb and postgres found: name their directory in HELIOS_PG_BIN" >&2; exit 1; }
has_psql || { echo "psql is not in PATH" >&2; exit 1; }

# PostgreSQL does not run as root.
if [[ $(id -u) == 0 ]] && ! id postgres >/dev/null 2>&1 && ! id nobody >/dev/null 2>&1; then
	useradd --system --no-create-home --shell /usr/sbin/nologin postgres
fi
