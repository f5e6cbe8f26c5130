package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/wire"
)

// A target is a server that programs are run against.
type target struct{ host, port, user, database string }

// pair starts our server and PostgreSQL.
func pair(t testing.TB) (pg *pgtest.Server, ours, theirs target) {
	s := start(t, wire.Options{})
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	pg = pgtest.Start(t)
	cfg, err := pgx.ParseConfig(pg.TCP(""))
	if err != nil {
		t.Fatal(err)
	}
	return pg, target{host, port, "postgres", "helios"}, target{cfg.Host, fmt.Sprint(cfg.Port), "postgres", "postgres"}
}

func (to target) dsn() string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", to.user, net.JoinHostPort(to.host, to.port), to.database)
}

// run runs a program of PostgreSQL's against the target and gives all it prints.
func (to target) run(t testing.TB, program, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+to.host, "PGPORT="+to.port, "PGUSER="+to.user, "PGDATABASE="+to.database, "PGSSLMODE=disable", "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = fmt.Appendf(out, "%v\n", err)
	}
	return string(out)
}

// TestPsql runs psql in its ways against both servers: it prints the same.
func TestPsql(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	pg, ours, theirs := pair(t)
	psql := pg.Bin("psql")
	file := filepath.Join(t.TempDir(), "script.sql")
	script := "\\echo from a file\nselect 1 as one;\nselect a,\n  nosuch\nfrom t;\nbegin;\nselect 2;\ncommit;\n"
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		input string
		args  []string
	}{
		{"", []string{"-c", "create table t (a int primary key, b text, c numeric(8,2))", "-c", "insert into t values (1, 'ä', 1.5), (2, null, -3)"}},
		{"", []string{"-c", "select * from t; select count(*) from t"}},
		{"", []string{"--csv", "-c", "select b, a from t order by a"}},
		{"", []string{"-x", "-c", "table t"}},
		{"", []string{"-At", "-c", "select 'ä', nosuch from t"}},
		{"", []string{"-c", "select 1; selec 2"}},
		{"", []string{"-c", "insert into t values (1)"}},
		{"", []string{"-f", file}},
		{"", []string{"-v", "ON_ERROR_STOP=1", "-f", file}},
		{"", []string{"-1", "-c", "delete from t where a = 2", "-c", "select nosuch"}},
		{"\\echo hello\nselect :x + 1 as y \\gset\n\\echo :y\ncopy t (a, b) from stdin;\n7\tseven\n8\t\\N\n\\.\nselect * from t;\n", []string{"-v", "x=41"}},
		{"\\copy t to stdout\n\\copy (select a from t order by a desc) to stdout with csv header\n", nil},
		{"begin;\nselect a from t where a = 'x';\nselect 1;\nrollback;\n\\set VERBOSITY sqlstate\nselect 1/(a-a) from t;\n", nil},
		{"\\set FETCH_COUNT 1\nselect a from t order by a;\n", nil},
		{"prepare p(int) as select $1 + a from t order by a;\nexecute p(10);\ndeallocate p;\nexecute p(1);\n", nil},
		{"set timezone = 'Europe/Paris';\nselect timestamptz '2026-07-01 12:00:00Z';\n\\set n NULL\n\\pset null '<null>'\nselect null as x, true as t;\n", nil},
	} {
		args := append([]string{"-X"}, tt.args...)
		if got, want := ours.run(t, psql, tt.input, args...), theirs.run(t, psql, tt.input, args...); got != want {
			t.Errorf("psql %q <<< %q\nours:\n%s\nPostgreSQL:\n%s", tt.args, tt.input, got, want)
		}
	}
}

// accounts fills the table that pgbench's statements read.
func accounts(t testing.TB, to target, rows int) {
	t.Helper()
	c := connect(t, to.dsn(), pgx.QueryExecModeSimpleProtocol)
	mustExec(t, c, "create table accounts (aid int primary key, bid int, abalance int, filler text)")
	pr, pw := io.Pipe()
	go func() {
		for i := range rows {
			if _, err := fmt.Fprintf(pw, "%d\t%d\t%d\tfiller text of row %d\n", i+1, i%10, i*7%1000, i); err != nil {
				return
			}
		}
		pw.Close()
	}()
	if _, err := c.PgConn().CopyFrom(context.Background(), pr, "copy accounts from stdin"); err != nil {
		t.Fatal(err)
	}
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// TestPgbench runs pgbench with each protocol against our server.
func TestPgbench(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	pg, ours, _ := pair(t)
	accounts(t, ours, 1000)
	script := filepath.Join(t.TempDir(), "script.sql")
	text := "\\set aid random(1, 1000)\nbegin;\nselect abalance from accounts where aid = :aid;\nend;\n"
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"simple", "extended", "prepared"} {
		out := ours.run(t, pg.Bin("pgbench"), "", "-n", "-M", mode, "-f", script, "-c", "3", "-t", "100")
		if !strings.Contains(out, "transactions actually processed: 300/300") || !strings.Contains(out, "failed transactions: 0 ") {
			t.Errorf("%s:\n%s", mode, out)
		}
	}
}

// BenchmarkPoint looks up one row by its key, prepared, through pgx and through
// pgbench with eight clients, in our server and in PostgreSQL.
func BenchmarkPoint(b *testing.B) {
	pg, ours, theirs := pair(b)
	script := filepath.Join(b.TempDir(), "script.sql")
	if err := os.WriteFile(script, []byte("\\set aid random(1, 100000)\nselect abalance from accounts where aid = :aid;\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, to := range []struct {
		name string
		target
	}{{"ours", ours}, {"postgres", theirs}} {
		accounts(b, to.target, 100_000)
		b.Run("pgx/"+to.name, func(b *testing.B) {
			c := connect(b, to.dsn(), pgx.QueryExecModeCacheStatement)
			for i := range b.N {
				var n int
				if err := c.QueryRow(context.Background(), "select abalance from accounts where aid = $1", i%100_000+1).Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("pgbench/"+to.name, func(b *testing.B) {
			out := to.run(b, pg.Bin("pgbench"), "", "-n", "-M", "prepared", "-f", script, "-c", "8", "-t", fmt.Sprint(max(b.N/8, 1)))
			m := tps.FindStringSubmatch(out)
			if m == nil {
				b.Fatal(out)
			}
			var v float64
			fmt.Sscan(m[1], &v)
			b.ReportMetric(v, "tx/s")
		})
	}
}

// BenchmarkRows sends 100,000 rows to psql.
func BenchmarkRows(b *testing.B) {
	pg, ours, theirs := pair(b)
	for _, to := range []struct {
		name string
		target
	}{{"ours", ours}, {"postgres", theirs}} {
		accounts(b, to.target, 100_000)
		b.Run(to.name, func(b *testing.B) {
			for range b.N {
				if out := to.run(b, pg.Bin("psql"), "", "-X", "-At", "-o", "/dev/null", "-c", "select * from accounts"); out != "" {
					b.Fatal(out)
				}
			}
			b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
