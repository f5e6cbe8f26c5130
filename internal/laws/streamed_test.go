package laws

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

var streamedRows = flag.Int("streamed.rows", 100_000, "rows of the streamed test's largest transaction")

// streaming makes PostgreSQL send transactions of a few hundred rows while they run.
var streaming = pgtest.Setting("logical_decoding_work_mem", "64kB")

// TestStreamed runs large transactions side by side, parts of them and one of
// them rolled back, with the program killed in between; the views are PostgreSQL's
// own answers at the end. Then one transaction that is much larger than the memory.
func TestStreamed(t *testing.T) {
	pg := pgtest.Start(t, streaming, pgtest.Setting("max_wal_size", "16GB"))
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, "CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, amount numeric(12,2), note text); INSERT INTO orders SELECT i, i % 100, i, 'old' FROM generate_series(1, 1000) i")
	s := newServer(t, "--memory", fmt.Sprintf("%dMB", *boundMemory))
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf("CREATE SOURCE shop FROM CDC CONNECTION %s ALL TABLES WITH (max_step_rows = 2000)", quote(pg.DSN(db))))
	const query = "SELECT user_id, count(*) AS n, sum(amount) AS s, max(note) AS note FROM orders GROUP BY user_id"
	must(t, h, "CREATE MATERIALIZED VIEW by_user AS "+query)
	same := func() {
		t.Helper()
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'; SELECT count(*) FROM by_user")
		if d := differ(must(t, h, "SELECT * FROM by_user"), must(t, c, query)); d != "" {
			t.Fatal(d)
		}
	}
	insert := func(from, n int) string {
		return fmt.Sprintf("INSERT INTO orders SELECT i, i %% 100, i %% 1000, 'a note of about sixty bytes, as orders usually have them ' || i FROM generate_series(%d, %d) i", from, from+n-1)
	}
	x, y, z := pg.MustConnect(t, db).PgConn(), pg.MustConnect(t, db).PgConn(), pg.MustConnect(t, db).PgConn()
	for i, step := range []struct {
		conn *pgconn.PgConn
		sql  string
	}{
		{x, "BEGIN; " + insert(10_000, 2000)}, {y, "BEGIN; UPDATE orders SET note = 'new' WHERE id <= 500; " + insert(20_000, 2000)}, {z, "BEGIN; " + insert(30_000, 2000)},
		{x, "SAVEPOINT a; DELETE FROM orders WHERE id > 10000; " + insert(11_000_000, 2000)}, {y, "SAVEPOINT a; " + insert(22_000, 2000) + "; RELEASE a"},
		{c, insert(40_000, 1000)}, {z, "DELETE FROM orders WHERE id > 500"}, {x, "ROLLBACK TO a; " + insert(12_000, 2000)}, {z, "ROLLBACK"},
		{y, "DELETE FROM orders WHERE id BETWEEN 20000 AND 21000; COMMIT"}, {x, "UPDATE orders SET user_id = 7 WHERE id > 10000 AND id % 5 = 0; COMMIT"},
	} {
		must(t, step.conn, step.sql)
		if i%3 == 2 {
			s.Kill()
			s.start()
			h = s.connect()
		}
	}
	same()
	must(t, c, "BEGIN; "+insert(50_000, 1000)+"; TRUNCATE orders; "+insert(60_000, 2000)+"; COMMIT")
	same()
	began := time.Now()
	must(t, c, insert(1_000_000, *streamedRows))
	written := time.Since(began)
	same()
	t.Logf("%d rows: written in %v, in the view after %v, peak RSS %d MB with a budget of %d MB, state %d MB", *streamedRows,
		written.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), s.peakMB(), *boundMemory, s.stateMB())
	if left, err := os.ReadDir(filepath.Join(s.Data, "spool")); err != nil || len(left) > 0 {
		t.Errorf("files in the spool %v, %v", left, err)
	}
}
