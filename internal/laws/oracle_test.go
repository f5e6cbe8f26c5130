// Package laws tests the promises of docs/architecture.md against a real
// PostgreSQL.
package laws

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/state"
)

var (
	oracleRuns  = flag.Int("oracle.runs", 1, "seeds of the oracle test")
	oracleSeed  = flag.Uint64("oracle.seed", 0, "first seed; 0: from the clock")
	oracleSteps = flag.Int("oracle.steps", 25, "comparisons in each run")
)

// An instance is an engine in this process over a directory.
type instance struct {
	store  *state.Store
	engine *engine.Engine
	cancel context.CancelFunc
	done   chan error
	ses    session.Session
}

func open(dir string) (*instance, error) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	store, err := state.Open(state.Options{Dir: dir, MemoryBudget: 64 << 20, Logger: log})
	if err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log, CheckpointInterval: 100 * time.Millisecond,
		Connectors: map[string]connectors.Connector{"cdc": cdc.Connector{}}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	in := &instance{store: store, engine: e, cancel: cancel, done: make(chan error, 1)}
	go func() { in.done <- e.Run(ctx) }()
	in.ses, err = e.NewSession(ctx, map[string]string{"user": "u", "database": "helios"})
	return in, err
}

func (in *instance) close() error {
	in.ses.Close()
	in.cancel()
	if err := <-in.done; err != nil {
		return err
	}
	if err := in.engine.Close(); err != nil {
		return err
	}
	return in.store.Close()
}

// query runs a statement and gives its rows as PostgreSQL prints them.
func (in *instance) query(ctx context.Context, sql string) ([]string, error) {
	r := &rowsWriter{}
	err := in.ses.Query(ctx, sql, r)
	return r.rows, err
}

// A rowsWriter keeps rows as text, columns joined by a bar.
type rowsWriter struct {
	session.ResultWriter
	format types.Format
	cols   []session.ResultColumn
	rows   []string
}

func (r *rowsWriter) Columns(cols []session.ResultColumn) error { r.cols = cols; return nil }
func (r *rowsWriter) Complete(string) error                     { return nil }
func (r *rowsWriter) Notice(*pgerr.Error) error                 { return nil }
func (r *rowsWriter) Parameter(string, string) error            { return nil }
func (r *rowsWriter) Row(row types.Row) error {
	var b []byte
	for i, sp := range row.Spans(len(r.cols), nil) {
		if i > 0 {
			b = append(b, '|')
		}
		if sp.Len < 0 {
			b = append(b, "∅"...)
			continue
		}
		b = r.format.AppendText(b, r.cols[i].Type.OID, row[sp.Off:sp.Off+sp.Len])
	}
	r.rows = append(r.rows, string(b))
	return nil
}

// ask asks PostgreSQL.
func ask(ctx context.Context, conn *pgconn.PgConn, sql string) ([]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range results[len(results)-1].Rows {
		var cols []string
		for _, v := range row {
			if v == nil {
				cols = append(cols, "∅")
			} else {
				cols = append(cols, string(v))
			}
		}
		out = append(out, strings.Join(cols, "|"))
	}
	return out, nil
}

// differ describes how two multisets of rows differ; "" if they do not.
func differ(got, want []string) string {
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return ""
	}
	var b strings.Builder
	i, j, n := 0, 0, 0
	for (i < len(got) || j < len(want)) && n < 10 {
		switch {
		case j == len(want) || i < len(got) && got[i] < want[j]:
			fmt.Fprintf(&b, "  only here:       %.300s\n", got[i])
			i, n = i+1, n+1
		case i == len(got) || want[j] < got[i]:
			fmt.Fprintf(&b, "  only PostgreSQL: %.300s\n", want[j])
			j, n = j+1, n+1
		default:
			i, j = i+1, j+1
		}
	}
	return b.String()
}

// TestOracle runs a random workload and compares every view with
// PostgreSQL's own answer at many points, also after restarts and for views that are
// created late.
func TestOracle(t *testing.T) {
	seed := *oracleSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"))
	for i := range *oracleRuns {
		seed := seed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("rerun with -oracle.seed=%d", seed)
			oracle(t, pg, seed)
		})
	}
}

func oracle(t *testing.T, pg *pgtest.Server, seed uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db)
	conn := c.PgConn()
	_, err := conn.Exec(ctx, "SET timezone = 'UTC'; SET extra_float_digits = 1;"+schema).ReadAll()
	must(err)
	w := newWorkload(seed, conn)
	for range 30 {
		must(w.transaction(ctx))
	}
	dir := t.TempDir()
	in, err := open(dir)
	must(err)
	defer func() { must(in.close()) }()
	exec := func(sql string) {
		t.Helper()
		if _, err := in.query(ctx, sql); err != nil {
			t.Fatalf("%s\n%s: %v", sql, pgerr.CodeOf(err), err)
		}
	}
	exec(fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION '%s' ALL TABLES WITH (slot_name = 'oracle_%s', publication_name = 'oracle', poll_interval = '10ms', max_step_rows = 70)`,
		strings.ReplaceAll(pg.DSN(db), "'", "''"), db))
	defs := slices.Concat(views, stacked)
	for i, q := range defs {
		_, err := ask(ctx, conn, fmt.Sprintf("CREATE VIEW v%d AS %s", i, q))
		must(err)
	}
	created := make([]bool, len(defs))
	create := func(i int) {
		if !created[i] {
			exec(fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, defs[i]))
			created[i] = true
		}
	}
	for step := range *oracleSteps {
		for range 1 + w.rng.IntN(8) {
			must(w.transaction(ctx))
		}
		// Views come into being one after another, on data in motion.
		for range 3 {
			create(w.rng.IntN(len(views)))
		}
		if step == *oracleSteps/2 {
			for i := range defs {
				create(i)
			}
		}
		if w.rng.IntN(6) == 0 {
			must(in.close())
			in, err = open(dir)
			must(err)
		}
		lsn, err := ask(ctx, conn, "SELECT pg_current_wal_lsn()")
		must(err)
		exec("SET helios.min_lsn = '" + lsn[0] + "'; SET statement_timeout = '30s'")
		compare := func(mine, q string, inOrder bool) {
			t.Helper()
			want, wantErr := ask(ctx, conn, q)
			got, gotErr := in.query(ctx, mine)
			if sqlstate(wantErr) != sqlstate(gotErr) {
				t.Fatalf("seed %d step %d: %s\n%s\nhere: %v\nPostgreSQL: %v", seed, step, mine, q, gotErr, wantErr)
			}
			if inOrder && !slices.Equal(got, want) {
				t.Fatalf("seed %d step %d: %s\nhere:       %q\nPostgreSQL: %q", seed, step, mine, got, want)
			}
			if d := differ(got, want); gotErr == nil && d != "" {
				t.Fatalf("seed %d step %d: %s\n%s\n%s", seed, step, mine, q, d)
			}
		}
		for i, q := range defs {
			// A one-shot query must give the same, whether kept as a view or not.
			if i < len(views) || created[i] {
				compare(q, q, false)
			}
			if created[i] {
				compare(fmt.Sprintf("SELECT * FROM v%d", i), q, false)
			}
		}
		for _, q := range ordered {
			compare(q, q, true)
		}
		for _, q := range lookups {
			q = fmt.Sprintf(q, w.id())
			compare(q, q, false)
		}
	}
	exec("DROP SOURCE src CASCADE")
	left, err := ask(ctx, conn, "SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'oracle_"+db+"'")
	must(err)
	if len(left) > 0 {
		t.Fatal("DROP SOURCE leaves its slot behind")
	}
}

// sqlstate is the code of an error of either side, "" for none.
func sqlstate(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	if err == nil {
		return ""
	}
	return string(pgerr.CodeOf(err))
}
