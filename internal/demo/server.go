package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/heliostest"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// A server is the helios-sql that is shown.
type server struct{ *heliostest.Process }

// start runs the program and says how.
func (s server) start(ctx context.Context) error {
	args := s.CommandLine()
	fmt.Println("$ bin/helios-sql", strings.Join(args[1:], " "))
	return s.Start(ctx)
}

// psql runs a statement as a user would, and prints it and the answer.
func (s server) psql(ctx context.Context, sql string) error {
	fmt.Printf("helios=> %s\n", strings.ReplaceAll(sql, "\n", "\nhelios-> "))
	began := time.Now()
	cmd := s.Psql(ctx, "-q", "-v", "ON_ERROR_STOP=1")
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	os.Stdout.Write(out)
	fmt.Printf("(%d ms)\n", time.Since(began).Milliseconds())
	if err != nil {
		return fmt.Errorf("psql: %w\nend of the log:\n%s", err, s.LogTail(20))
	}
	return nil
}

// watch prints the best countries once a second, and how fresh the answer is:
// the time from an own commit's acknowledgement to an answer of helios-sql that has it.
func (s server) watch(ctx context.Context, pg *pgtest.Server, w *workload, d time.Duration) error {
	conn, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	shop, err := pg.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer shop.Close(context.WithoutCancel(ctx))
	fmt.Printf("%6s %9s %6s %7s %8s   %s\n", "", "committed", "tick", "lag", "fresh in", "best three: country orders total")
	began := time.Now()
	for time.Since(began) < d {
		lsn, err := texts(ctx, shop.PgConn(), "UPDATE orders SET amount = amount + 0.01 WHERE id = 1; SELECT pg_current_wal_flush_lsn()")
		if err != nil {
			return err
		}
		committed := time.Now()
		best, err := texts(ctx, conn.PgConn(), "SET helios.min_lsn = '"+lsn[0][0]+"'; SELECT country, orders, total FROM revenue ORDER BY total DESC, country LIMIT 3")
		if err != nil {
			return err
		}
		fresh := time.Since(committed)
		state, err := texts(ctx, conn.PgConn(), "SELECT t.tick, s.lag_bytes FROM helios.sources s JOIN helios.ticks t ON t.source = s.name")
		if err != nil {
			return err
		}
		if len(state) != 1 {
			return fmt.Errorf("helios.sources has %d rows\n%s", len(state), s.LogTail(20))
		}
		line := ""
		for _, r := range best {
			line += "  " + strings.Join(r, " ")
		}
		fmt.Printf("%5.1fs %9d %6s %5s B %5.1f ms %s\n", time.Since(began).Seconds(), w.committed.Load(), state[0][0], state[0][1], fresh.Seconds()*1000, line)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
	return w.failed()
}

// compare asks both for each view's rows, helios-sql once it has all that PostgreSQL has committed.
func (s server) compare(ctx context.Context, pg *pgtest.Server) error {
	shop, err := pg.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer shop.Close(context.WithoutCancel(ctx))
	conn, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	lsn, err := texts(ctx, shop.PgConn(), "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return err
	}
	began := time.Now()
	for i, v := range demoViews {
		// Reads wait until everything up to this point is in the views.
		sql := "SELECT * FROM " + v.name + " ORDER BY " + v.columns
		if i == 0 {
			sql = "SET helios.min_lsn = '" + lsn[0][0] + "'; " + sql
		}
		got, err := texts(ctx, conn.PgConn(), sql)
		if err != nil {
			return err
		}
		took := time.Since(began)
		want, err := texts(ctx, shop.PgConn(), v.atPostgres())
		if err != nil {
			return err
		}
		if d := difference(got, want); d != "" {
			return fmt.Errorf("view %s is not PostgreSQL's answer at %s: %s", v.name, lsn[0][0], d)
		}
		fmt.Printf("%s: %d rows, equal to PostgreSQL's at LSN %s (%d ms)\n", v.name, len(got), lsn[0][0], took.Milliseconds())
	}
	return nil
}

// texts runs statements with the simple protocol and gives the last one's rows as texts.
func texts(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	if len(results) == 0 {
		return nil, errors.New("no result")
	}
	var out [][]string
	for _, row := range results[len(results)-1].Rows {
		line := make([]string, len(row))
		for i, v := range row {
			if line[i] = "NULL"; v != nil {
				line[i] = string(v)
			}
		}
		out = append(out, line)
	}
	return out, nil
}

// difference says where two answers differ; "" if nowhere.
func difference(got, want [][]string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("row %d is missing: %q", i+1, want[i])
		case i >= len(want):
			return fmt.Sprintf("row %d is too many: %q", i+1, got[i])
		}
		if g, w := strings.Join(got[i], "|"), strings.Join(want[i], "|"); g != w {
			return fmt.Sprintf("row %d is %q, PostgreSQL's is %q", i+1, got[i], want[i])
		}
	}
	return ""
}
