package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

const schema = `
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, country text NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id int NOT NULL, amount numeric(10,2) NOT NULL, status text NOT NULL, note text, created_at timestamptz NOT NULL);
`

// order is the row of orders whose id is i.
const order = `i, 1 + i * 7919 %% %[1]d, (100 + i * 104729 %% 49900) / 100.0, (ARRAY['paid','paid','shipped','cancelled'])[1 + i %% 4],
	'a note of about sixty bytes, as orders usually have them ' || i, timestamptz '2024-01-01' + i * interval '1 second'`

// fill makes the shop's tables in a database. User 1 lives alone in country zz.
func fill(ctx context.Context, pg *pgtest.Server, db string, users, orders int) error {
	if err := pg.Exec(ctx, "", "CREATE DATABASE "+db); err != nil {
		return err
	}
	return pg.Exec(ctx, db, schema+fmt.Sprintf(`
INSERT INTO users SELECT i, 'user ' || i, CASE WHEN i = 1 THEN 'zz' ELSE (ARRAY['de','fr','it','es','nl','pl','at','ch','se','pt'])[1 + i * 7 %% 10] END FROM generate_series(1, %[1]d) i;
INSERT INTO orders SELECT `+order+` FROM generate_series(1::bigint, %[2]d) i;
CHECKPOINT; ANALYZE`, users, orders))
}

const publication = "helios_bench"

func sourceStatement(pg *pgtest.Server, db string) string {
	return fmt.Sprintf(`CREATE SOURCE shop FROM CDC CONNECTION '%s' TABLES (public.users, public.orders AS shop_orders)
	WITH (slot_name = 'helios_bench', publication_name = '%s')`, pg.TCP(db), publication)
}

const revenueQuery = `SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest
	FROM shop_orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country`

const revenueStatement = "CREATE MATERIALIZED VIEW revenue AS " + revenueQuery

// check compares the view and the size of the table with PostgreSQL's answers.
func (s *server) check(ctx context.Context, pg *pgtest.Server, db string) error {
	ours, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer ours.Close(context.WithoutCancel(ctx))
	theirs, err := pg.Connect(ctx, db)
	if err != nil {
		return err
	}
	defer theirs.Close(context.WithoutCancel(ctx))
	for _, q := range [][2]string{
		{"SELECT * FROM revenue ORDER BY country", strings.ReplaceAll(revenueQuery, "shop_orders", "orders") + " ORDER BY country"},
		{"SELECT count(*), sum(id), sum(amount) FROM shop_orders", "SELECT count(*), sum(id), sum(amount) FROM orders"},
	} {
		got, err := texts(ctx, ours, q[0])
		if err != nil {
			return err
		}
		want, err := texts(ctx, theirs, q[1])
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("wrong answer to %s:\n%s\nPostgreSQL's:\n%s", q[0], got, want)
		}
	}
	return nil
}

// texts gives the rows of a query, one a line.
func texts(ctx context.Context, conn *pgx.Conn, sql string) (string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", fmt.Errorf("%s: %w", sql, err)
	}
	var b strings.Builder
	for _, row := range results[0].Rows {
		for _, v := range row {
			b.Write(v)
			b.WriteByte('|')
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// value gives the only value of a query's answer.
func value[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) (v T, err error) {
	err = conn.QueryRow(ctx, sql, args...).Scan(&v)
	if err != nil {
		err = fmt.Errorf("%s: %w", sql, err)
	}
	return v, err
}

// launch starts PostgreSQL servers with durable commits.
func launch(servers ...**pgtest.Server) error {
	var g errgroup.Group
	for _, s := range servers {
		if *s != nil {
			continue
		}
		g.Go(func() (err error) {
			*s, err = pgtest.Launch(pgtest.Options{Fsync: true, Settings: map[string]string{
				"synchronous_commit": "on", "shared_buffers": "256MB", "max_wal_size": "16GB", "checkpoint_timeout": "1h"}})
			return err
		})
	}
	return g.Wait()
}

func closeAll(err *error, servers ...**pgtest.Server) {
	for _, s := range servers {
		if *s != nil {
			*err = errors.Join(*err, (*s).Close())
			*s = nil
		}
	}
}

// newSource starts a server whose source and view are there.
func (b *bench) newSource(ctx context.Context, db string) (*server, error) {
	s, err := newServer(b.binary, b.memory, b.dir)
	if err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, sourceStatement(b.pg, db), revenueStatement); err != nil {
		s.stop()
		return nil, err
	}
	if _, err := s.logged(ctx, "source", "streaming"); err != nil {
		s.stop()
		return nil, err
	}
	if err := s.check(ctx, b.pg, db); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}
