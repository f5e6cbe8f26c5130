// Package examples holds statements to read and to run; the tests run them
// with psql against the built program.
package examples

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/heliostest"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

var update = flag.Bool("update", false, "rewrite the expected output")

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "helios-examples-")
		if err == nil {
			defer os.RemoveAll(dir)
			binary, err = heliostest.Build(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// shop starts a PostgreSQL with the database shop of shop.sql.
func shop(t *testing.T) (pg *pgtest.Server, dsn string) {
	t.Helper()
	pg = pgtest.Start(t)
	pg.MustExec(t, "", "CREATE DATABASE shop")
	cmd := heliostest.Psql(t.Context(), pg.Port, "postgres", "shop", "-v", "ON_ERROR_STOP=1", "-f", "shop.sql")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("shop.sql: %v\n%s", err, out)
	}
	return pg, fmt.Sprintf("postgres://cdc_user@127.0.0.1:%d/shop", pg.Port)
}

// psql runs a file of queries/ and gives what a user would see. Errors of
// statements are part of it.
func psql(t *testing.T, port int, user, db, file string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := heliostest.Psql(ctx, port, user, db, append(args, "-f", file)...)
	cmd.Dir = "queries"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql -f %s: %v\n%s", file, err, out)
	}
	return string(out)
}

// TestQueries runs every file of queries/ against one fresh helios-sql, in
// order, and compares the output with expected/.
func TestQueries(t *testing.T) {
	pg, dsn := shop(t)
	p := heliostest.Start(t, binary)
	files, err := filepath.Glob("queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	for _, path := range files {
		file := filepath.Base(path)
		t.Run(strings.TrimSuffix(file, ".sql"), func(t *testing.T) {
			got := psql(t, p.Port, "helios", "helios", file, "-v", "source_dsn="+dsn)
			// Ports differ from run to run.
			got = strings.ReplaceAll(got, fmt.Sprintf(`at port "%d"`, p.Port), `at port "5480"`)
			got = strings.ReplaceAll(got, fmt.Sprintf(`at port "%d"`, pg.Port), `at port "5432"`)
			expected := filepath.Join("queries", "expected", strings.TrimSuffix(file, ".sql")+".out")
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("output differs from %s; -update rewrites it\n%s", expected, firstDifference(got, string(want)))
			}
		})
	}
}

// TestPostgresAgrees runs the files that need nothing of our own against
// PostgreSQL, with plain views in the place of materialized ones: at every
// point a view that is never stale answers as the query itself does.
func TestPostgresAgrees(t *testing.T) {
	pg := pgtest.Start(t)
	files, err := filepath.Glob("queries/0*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	for _, path := range append(files, "queries/10-transactions.sql") {
		file := filepath.Base(path)
		t.Run(strings.TrimSuffix(file, ".sql"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			plain := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(plain, []byte(strings.ReplaceAll(string(text), "MATERIALIZED VIEW", "VIEW")), 0o600); err != nil {
				t.Fatal(err)
			}
			got := psql(t, pg.Port, "postgres", pg.CreateDatabase(t), plain)
			got = strings.ReplaceAll(got, plain, file)
			want, err := os.ReadFile(filepath.Join("queries", "expected", strings.TrimSuffix(file, ".sql")+".out"))
			if err != nil {
				t.Fatal(err)
			}
			if ours := strings.ReplaceAll(string(want), "MATERIALIZED VIEW", "VIEW"); got != ours {
				t.Errorf("PostgreSQL's answer differs from what we expect\n%s", firstDifference(got, ours))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			return fmt.Sprintf("line %d is missing: %q", i+1, w[i])
		case i >= len(w):
			return fmt.Sprintf("line %d is too many: %q", i+1, g[i])
		case g[i] != w[i]:
			return fmt.Sprintf("line %d:\ngot  %q\nwant %q\n\nall of it:\n%s", i+1, g[i], w[i], got)
		}
	}
	return ""
}

// TestPipeline runs the pipeline file at two starts over the same state: the
// second one changes nothing. Then a changed file replaces a view.
func TestPipeline(t *testing.T) {
	_, dsn := shop(t)
	text, err := os.ReadFile("pipeline.sql")
	if err != nil {
		t.Fatal(err)
	}
	pipeline := strings.ReplaceAll(string(text), "postgres://cdc_user@127.0.0.1:5432/shop", dsn)
	file := filepath.Join(t.TempDir(), "pipeline.sql")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pipeline)
	p := heliostest.Start(t, binary, "--init", file)
	ask := func(want string) {
		t.Helper()
		out, err := p.Psql(t.Context(), "-At", "-c", "SELECT * FROM against_target ORDER BY country").CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	ids := func() string {
		out, err := p.Psql(t.Context(), "-At", "-c", "SELECT id, name FROM helios.relations ORDER BY id").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	ask("de|1000.00|15.50|1.6\nfr|500.00|20.00|4.0")
	before := ids()

	p.Kill()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask("de|1000.00|15.50|1.6\nfr|500.00|20.00|4.0")
	if after := ids(); after != before {
		t.Errorf("the second start changed the relations:\n%s\nbefore:\n%s", after, before)
	}

	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	write(strings.ReplaceAll(pipeline, "round(100 * coalesce(r.total, 0) / t.revenue, 1)", "round(coalesce(r.total, 0) / t.revenue, 3)"))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask("de|1000.00|15.50|0.016\nfr|500.00|20.00|0.040")
}

// TestMetrics holds the list of metrics in docs/operations.md to what /metrics serves.
func TestMetrics(t *testing.T) {
	_, dsn := shop(t)
	p := heliostest.Start(t, binary)
	out, err := p.Psql(t.Context(), "-v", "ON_ERROR_STOP=1", "-c", "CREATE SOURCE shop FROM CDC CONNECTION '"+dsn+"' ALL TABLES",
		"-c", "CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM orders").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, body, err := p.Get(t.Context(), "/metrics")
	if err != nil || code != 200 {
		t.Fatalf("/metrics: %d, %v", code, err)
	}
	list := "| metric | meaning |\n|---|---|\n"
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, "# HELP helios_")
		if name, help, _ := strings.Cut(strings.TrimSpace(rest), " "); ok {
			list += "| `helios_" + name + "` | " + strings.TrimSuffix(help, ".") + " |\n"
		}
	}
	const page, begin, end = "../docs/operations.md", "<!-- begin metrics -->\n", "<!-- end metrics -->"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("docs/operations.md has no list of metrics")
	}
	if old == list {
		return
	}
	if !*update {
		t.Errorf("docs/operations.md does not list the metrics that are served; -update rewrites it\n%s", firstDifference(list, old))
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+list+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
