package laws

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// TestSources captures disjoint tables of one database by two sources, one of
// them through a row filter, and a view joins them while many clients write.
// Each source has a position of its own, of whole transactions; once both have
// reached a common point, and after a kill, all is as PostgreSQL says.
func TestSources(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	filter := "status <> 'x'"
	if pg.Major() < 15 {
		filter = "" // refused there, as connectors/cdc tests
	}
	must(t, c, `CREATE TABLE users (id int PRIMARY KEY, region text NOT NULL);
		CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int NOT NULL, amount int NOT NULL, status text); ALTER TABLE orders REPLICA IDENTITY FULL;
		CREATE TABLE pairs (id int PRIMARY KEY, v int NOT NULL); CREATE TABLE twins (id int PRIMARY KEY, v int NOT NULL);
		INSERT INTO users SELECT i, 'r' || i % 5 FROM generate_series(1, 50) i;
		INSERT INTO orders (user_id, amount, status) SELECT 1 + i % 50, i, (ARRAY['open', 'x', NULL])[1 + i % 3] FROM generate_series(1, 300) i;
		INSERT INTO pairs SELECT i, 0 FROM generate_series(1, 10) i; INSERT INTO twins SELECT * FROM pairs`)
	s := newServer(t)
	s.start()
	h := s.connect()
	where := ""
	if filter != "" {
		where = " WHERE (" + filter + ")"
	} else {
		filter = "true"
	}
	must(t, h, fmt.Sprintf(`CREATE SOURCE one FROM CDC CONNECTION %s TABLES (users, pairs, twins)`, quote(pg.DSN(db))))
	must(t, h, fmt.Sprintf(`CREATE SOURCE two FROM CDC CONNECTION %s TABLES (orders (id, user_id, amount, status) AS sales%s) WITH (max_step_rows = 20)`, quote(pg.DSN(db)), where))
	must(t, h, `CREATE MATERIALIZED VIEW by_region AS SELECT u.region, count(*) AS n, sum(o.amount) AS s FROM users u JOIN sales o ON o.user_id = u.id GROUP BY u.region`)
	must(t, h, `CREATE MATERIALIZED VIEW odd AS SELECT p.id, p.v, w.v AS w FROM pairs p JOIN twins w ON w.id = p.id WHERE p.v <> w.v`)
	eventually(t, h, "SELECT name, positions FROM helios.views", "by_region|one 0/", ", two 0/")
	eventually(t, h, "SELECT name, positions FROM helios.views", "odd|one 0/")
	if n := must(t, c, "SELECT count(*) FROM pg_replication_slots WHERE slot_name IN ('helios_one', 'helios_two')"); n[0] != "2" {
		t.Fatalf("%s slots", n[0])
	}

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	g, gctx := errgroup.WithContext(context.Background())
	var writes, reads atomic.Int64
	for w := range 3 {
		conn := pg.MustConnect(t, db).PgConn()
		g.Go(func() error {
			for i := w; ctx.Err() == nil && gctx.Err() == nil; i += 3 {
				_, err := ask(context.Background(), conn, fmt.Sprintf(`BEGIN; INSERT INTO orders (user_id, amount, status) SELECT 1 + (%[1]d + j) %% 50, j, 'open' FROM generate_series(1, 30) j;
					UPDATE orders SET status = CASE status WHEN 'x' THEN 'open' WHEN 'open' THEN 'x' ELSE 'x' END, amount = amount + 1 WHERE id %% 40 = %[1]d %% 40 AND id %% 3 = %[2]d;
					UPDATE pairs SET v = %[1]d WHERE id = 1 + %[1]d %% 10; UPDATE twins SET v = %[1]d WHERE id = 1 + %[1]d %% 10;
					DELETE FROM orders WHERE id %% 50 = %[1]d %% 50 AND id %% 3 = %[2]d; COMMIT`, i, w))
				if err != nil {
					return err
				}
				_, err = ask(context.Background(), conn, fmt.Sprintf("UPDATE users SET region = 'r%d' WHERE id = %d", i%5, 1+i%50))
				if err != nil {
					return err
				}
				writes.Add(1)
			}
			return nil
		})
	}
	reader := s.connect()
	g.Go(func() error {
		for ctx.Err() == nil && gctx.Err() == nil {
			// A transaction of one source is seen whole or not at all.
			rows, err := ask(context.Background(), reader, "SELECT * FROM odd")
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				return fmt.Errorf("half a transaction: %q", rows)
			}
			reads.Add(1)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d transactions, %d reads", writes.Load(), reads.Load())
	compare := func() {
		t.Helper()
		must(t, h, "SET statement_timeout = '60s'; SET helios.min_lsn = '"+currentLSN(t, c)+"'")
		for ours, theirs := range map[string]string{
			"SELECT * FROM sales": "SELECT * FROM orders WHERE " + filter,
			"SELECT * FROM users": "SELECT * FROM users",
			"SELECT * FROM odd":   "SELECT 1 WHERE false",
			"SELECT * FROM by_region": "SELECT u.region, count(*), sum(o.amount) FROM users u JOIN orders o ON o.user_id = u.id WHERE " + filter +
				" GROUP BY u.region",
		} {
			if d := differ(must(t, h, ours), must(t, c, theirs)); d != "" {
				t.Errorf("%s\n%s", ours, d)
			}
		}
	}
	compare()
	s.Kill()
	must(t, c, "UPDATE orders SET status = 'x' WHERE id % 2 = 0; UPDATE users SET region = 'away' WHERE id < 10")
	s.start()
	h = s.connect()
	compare()
	must(t, h, "DROP SOURCE two CASCADE")
	if n := must(t, c, "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'helios_two'), (SELECT count(*) FROM pg_publication WHERE pubname = 'helios_two')"); n[0] != "0|0" {
		t.Errorf("left of the dropped source: %s", n[0])
	}
	must(t, c, "INSERT INTO users VALUES (1000, 'late')")
	must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
	if d := differ(must(t, h, "SELECT * FROM users"), must(t, c, "SELECT * FROM users")); d != "" {
		t.Errorf("the other source\n%s", d)
	}
}
