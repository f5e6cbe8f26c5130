package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

const (
	accounts   = 200
	allBalance = accounts * 1000
)

// TestTransactions moves money between accounts from many clients at once.
// Every read must see the same sum, wherever it takes it from; reads of one
// statement and of one block must be at one point, and a later one never before
// an earlier one; and who commits sees it with helios.min_lsn.
func TestTransactions(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, fmt.Sprintf(`
		CREATE TABLE regions (id int PRIMARY KEY, name text NOT NULL);
		CREATE TABLE accounts (id int PRIMARY KEY, region int NOT NULL, balance bigint NOT NULL);
		CREATE TABLE transfers (id bigserial PRIMARY KEY, writer int, amount bigint);
		INSERT INTO regions SELECT i, 'r' || i FROM generate_series(0, 9) i;
		INSERT INTO accounts SELECT i, i %% 10, 1000 FROM generate_series(1, %d) i`, accounts))
	s := newServer(t)
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf(`CREATE SOURCE bank FROM CDC CONNECTION %s ALL TABLES WITH (max_step_rows = 50, buffer_size = 500)`, quote(pg.DSN(db))))
	must(t, h, `CREATE MATERIALIZED VIEW by_region AS SELECT r.name, sum(a.balance) AS s, count(*) AS n FROM accounts a JOIN regions r ON r.id = a.region GROUP BY r.name`)
	must(t, h, `CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS s, count(*) AS n FROM accounts`)
	must(t, h, `CREATE MATERIALIZED VIEW total_of_regions AS SELECT sum(s) AS s, sum(n) AS n FROM by_region`)
	must(t, h, `CREATE MATERIALIZED VIEW moves AS SELECT count(*) AS n, sum(amount) AS s FROM transfers`)

	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
	defer cancel()
	g, gctx := errgroup.WithContext(context.Background())
	var commits, reads atomic.Int64
	loop := func(connect func() (*pgconn.PgConn, error), step func(*pgconn.PgConn) error) {
		g.Go(func() error {
			conn, err := connect()
			if err != nil {
				return err
			}
			defer conn.Close(context.Background())
			for ctx.Err() == nil && gctx.Err() == nil {
				if err := step(conn); err != nil {
					return err
				}
			}
			return nil
		})
	}
	source := func() (*pgconn.PgConn, error) {
		c, err := pg.Connect(gctx, db)
		if err != nil {
			return nil, err
		}
		return c.PgConn(), nil
	}
	for w := range 5 {
		rng := rand.New(rand.NewPCG(uint64(w), 1))
		loop(source, func(c *pgconn.PgConn) error {
			commits.Add(1)
			return transfer(gctx, c, rng, w)
		})
	}
	for range 3 {
		loop(s.dial, func(h *pgconn.PgConn) error { reads.Add(1); return readStatement(gctx, h) })
	}
	var last atomic.Int64
	loop(s.dial, func(h *pgconn.PgConn) error { reads.Add(1); return readBlock(gctx, h, &last) })
	loop(s.dial, func(h *pgconn.PgConn) error { reads.Add(1); return readBlock(gctx, h, &last) })
	g.Go(func() error {
		c, err := source()
		if err != nil {
			return err
		}
		defer c.Close(context.Background())
		h, err := s.dial()
		if err != nil {
			return err
		}
		defer h.Close(context.Background())
		for n := 0; ctx.Err() == nil && gctx.Err() == nil; n++ {
			if err := readOwn(gctx, c, h, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
	for _, q := range []string{"SELECT * FROM accounts", "SELECT id, writer, amount FROM transfers"} {
		if d := differ(must(t, h, q), must(t, c, q)); d != "" {
			t.Errorf("%s\n%s", q, d)
		}
	}
	t.Logf("%d transactions, %d reads", commits.Load(), reads.Load())
}

// transfer moves money in one of several ways; some of them are rolled back
// with the sum in disorder.
func transfer(ctx context.Context, c *pgconn.PgConn, rng *rand.Rand, writer int) error {
	id := func() int { return 1 + rng.IntN(accounts) }
	a, b, n := id(), id(), 1+rng.IntN(50)
	move := fmt.Sprintf("UPDATE accounts SET balance = balance - %d WHERE id = %d; UPDATE accounts SET balance = balance + %d WHERE id = %d;", n, a, n, b)
	note := fmt.Sprintf("INSERT INTO transfers (writer, amount) VALUES (%d, 0);", writer)
	var sql string
	how := rng.IntN(7)
	if rng.IntN(100) == 0 {
		how = 7
	}
	switch how {
	case 0, 1, 2:
		sql = "BEGIN;" + move + note + "COMMIT"
	case 3: // from all of a region to one account
		sql = fmt.Sprintf(`BEGIN; LOCK TABLE accounts; WITH x AS (UPDATE accounts SET balance = balance - 1 WHERE region = %d RETURNING 1)
			UPDATE accounts SET balance = balance + (SELECT count(*) FROM x) WHERE id = (SELECT min(id) FROM accounts WHERE region <> %d); %s COMMIT`, a%10, a%10, note)
	case 4: // half a transfer, undone
		sql = fmt.Sprintf("BEGIN; UPDATE accounts SET balance = balance - %d WHERE id = %d; %s ROLLBACK", n, a, note)
	case 5: // half of one within a savepoint, then a whole one
		sql = fmt.Sprintf("BEGIN; SAVEPOINT s; UPDATE accounts SET balance = 0 WHERE id < %d; ROLLBACK TO s; %s %s COMMIT", a, move, note)
	case 6: // the account moves to another region, as another row; an update that waited for the old one would miss it
		sql = fmt.Sprintf("BEGIN; LOCK TABLE accounts; WITH x AS (DELETE FROM accounts WHERE id = %d RETURNING *) INSERT INTO accounts SELECT id, %d, balance FROM x; %s COMMIT", a, rng.IntN(10), note)
	case 7: // many steps
		sql = "BEGIN; LOCK TABLE accounts; UPDATE accounts SET balance = balance - 1; UPDATE accounts SET region = (region + 1) % 10; UPDATE accounts SET balance = balance + 1;" + note + "COMMIT"
	}
	_, err := c.Exec(ctx, sql).ReadAll()
	if e, ok := err.(*pgconn.PgError); ok && (e.Code == "40P01" || e.Code == "23505") {
		_, err = c.Exec(ctx, "ROLLBACK").ReadAll()
	}
	return err
}

const sums = `SELECT 'accounts' AS k, sum(balance) AS s, count(*) AS n FROM accounts
	UNION ALL SELECT 'joined', sum(a.balance), count(*) FROM accounts a JOIN regions r ON r.id = a.region
	UNION ALL SELECT 'total', s, n FROM total
	UNION ALL SELECT 'regions', sum(s), sum(n) FROM by_region
	UNION ALL SELECT 'total of regions', s, n FROM total_of_regions`

func checkSums(rows []string) error {
	if len(rows) != 5 {
		return fmt.Errorf("%d rows: %q", len(rows), rows)
	}
	want := fmt.Sprintf("|%d|%d", allBalance, accounts)
	for _, r := range rows {
		if !strings.HasSuffix(r, want) {
			return fmt.Errorf("a part of a transaction is seen: %q", rows)
		}
	}
	return nil
}

// readStatement reads all sums in one statement.
func readStatement(ctx context.Context, h *pgconn.PgConn) error {
	rows, err := ask(ctx, h, sums)
	if err != nil {
		return err
	}
	return checkSums(rows)
}

// readBlock reads sums and counters in several statements of one block.
func readBlock(ctx context.Context, h *pgconn.PgConn, last *atomic.Int64) error {
	if _, err := ask(ctx, h, "BEGIN READ ONLY"); err != nil {
		return err
	}
	before := last.Load()
	var seen []string
	for _, q := range []string{"SELECT n FROM moves", "SELECT count(*) FROM transfers", "SELECT n FROM moves"} {
		rows, err := ask(ctx, h, q)
		if err != nil {
			return err
		}
		seen = append(seen, rows[0])
		if rows, err = ask(ctx, h, sums); err != nil {
			return err
		}
		if err := checkSums(rows); err != nil {
			return err
		}
	}
	if _, err := ask(ctx, h, "COMMIT"); err != nil {
		return err
	}
	if seen[0] != seen[1] || seen[1] != seen[2] {
		return fmt.Errorf("one block reads at several points: %q", seen)
	}
	n, err := strconv.ParseInt(seen[0], 10, 64)
	if err != nil {
		return err
	}
	if n < before {
		return fmt.Errorf("a block that began later reads an earlier point: %d before %d", n, before)
	}
	for old := last.Load(); old < n && !last.CompareAndSwap(old, n); old = last.Load() {
	}
	return nil
}

// readOwn commits a row and reads it at the position of its commit.
func readOwn(ctx context.Context, c, h *pgconn.PgConn, n int) error {
	if _, err := ask(ctx, c, fmt.Sprintf("INSERT INTO transfers (writer, amount) VALUES (100, %d)", n)); err != nil {
		return err
	}
	lsn, err := ask(ctx, c, "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	rows, err := ask(ctx, h, fmt.Sprintf("SET helios.min_lsn = '%s'; SELECT count(*), max(amount) FROM transfers WHERE writer = 100", lsn[0]))
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%d|%d", n+1, n); rows[0] != want {
		return fmt.Errorf("own commits are not seen at %s: %q, not %q", lsn[0], rows[0], want)
	}
	return nil
}
