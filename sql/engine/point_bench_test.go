package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/state"
)

// A discard takes results and drops them.
type discard struct {
	printer
	rows int
}

func (d *discard) Row(types.Row) error   { d.rows++; return nil }
func (d *discard) Complete(string) error { return nil }

// BenchmarkPointRead executes prepared statements that read one row by the
// whole key of its relation; one operation is what the messages of one query do.
func BenchmarkPointRead(b *testing.B) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := state.Open(state.Options{Dir: b.TempDir(), MemoryBudget: 64 << 20, Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		for _, end := range []func() error{func() error { return <-ended }, e.Close, store.Close} {
			if err := end(); err != nil {
				b.Error(err)
			}
		}
	})
	ses, err := e.NewSession(ctx, map[string]string{"user": "helios", "database": "helios"})
	if err != nil {
		b.Fatal(err)
	}
	defer ses.Close()
	var rows strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&rows, ", (%d, 'c%d', %d)", i+1, i%200, i)
	}
	if out := run(ses, `CREATE TABLE orders (id int8 PRIMARY KEY, country text NOT NULL, amount int8);
		INSERT INTO orders VALUES (0, 'zz', 1)`+rows.String()+`;
		CREATE MATERIALIZED VIEW revenue AS SELECT country, count(*) AS orders, sum(amount) AS total FROM orders GROUP BY country`, nil); strings.Contains(out, "ERROR") {
		b.Fatal(out)
	}
	for _, q := range []struct {
		name, sql string
		param     func(i int) [][]byte
	}{
		{"constant", "SELECT orders FROM revenue WHERE country = 'zz'", func(int) [][]byte { return nil }},
		{"parameter", "SELECT amount FROM orders WHERE id = $1", func(i int) [][]byte { return [][]byte{fmt.Append(nil, i*7%20_000)} }},
	} {
		b.Run(q.name, func(b *testing.B) { benchPointRead(b, ses, q.sql, q.param) })
	}
}

func benchPointRead(b *testing.B, ses session.Session, sql string, param func(i int) [][]byte) {
	ctx := context.Background()
	if err := ses.Parse(ctx, "q", sql, nil); err != nil {
		b.Fatal(err)
	}
	defer ses.CloseStatement("q")
	out := &discard{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		args := param(i)
		if err := ses.Bind(ctx, "", "q", nil, args); err != nil {
			b.Fatal(err)
		}
		if _, err := ses.DescribePortal(""); err != nil {
			b.Fatal(err)
		}
		if _, err := ses.Execute(ctx, "", 0, out); err != nil {
			b.Fatal(err)
		}
		if err := ses.Sync(ctx, false); err != nil {
			b.Fatal(err)
		}
	}
	if out.rows == 0 {
		b.Fatal("no row was read")
	}
}
