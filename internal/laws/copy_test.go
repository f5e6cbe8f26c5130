package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

const (
	copySlots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'helios_copy%' AND database = current_database()"
	sameA     = "SELECT count(*), sum(id::bigint), sum(n), sum(n * id::bigint), sum(length(v)) FROM a"
	sameP     = "SELECT count(*), sum(id::bigint), sum(n), sum(n * id::bigint), sum(length(v)) FROM p"
	sameF     = "SELECT x, count(*) FROM f GROUP BY x"
)

// newCopier is a program with a source over one of three tables, behind a proxy.
func newCopier(t *testing.T, pg *pgtest.Server, checkpoint string) (*alterer, *faultproxy.Proxy) {
	t.Helper()
	a := &alterer{t: t, pg: pg, db: pg.CreateDatabase(t)}
	a.c = pg.MustConnect(t, a.db).PgConn()
	must(t, a.c, `CREATE TABLE base (id int PRIMARY KEY, n int); INSERT INTO base VALUES (1, 0);
		CREATE TABLE a (id int PRIMARY KEY, n int, v text); INSERT INTO a SELECT i, 0, repeat('x', 100) FROM generate_series(1, 60000) i;
		CREATE TABLE p (id int PRIMARY KEY, n int, v text) PARTITION BY RANGE (id);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50000); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50000) TO (60000);
		INSERT INTO p SELECT i, 0, repeat('x', 100) FROM generate_series(0, 59999) i;
		CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 100, repeat('y', 100) FROM generate_series(1, 60000) i`)
	a.s = newServer(t, "--memory", "64MB", "--checkpoint-interval", checkpoint)
	a.start()
	p, dsn := proxied(t, pg)
	must(t, a.h, fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (base)
		WITH (slot_name = '%s', poll_interval = '10ms', snapshot_chunk_bytes = 131072, max_step_rows = 500, keepalive_timeout = '2s')`, quote(dsn(a.db)), a.db))
	eventually(t, a.h, "SELECT state FROM helios.sources", "streaming")
	t.Cleanup(func() { must(t, a.s.connect(), "DROP SOURCE IF EXISTS src CASCADE") })
	return a, p
}

// begin runs a statement that is not waited for.
func (a *alterer) begin(sql string) {
	h := a.s.connect()
	go func() { _, _ = h.Exec(context.Background(), sql).ReadAll() }()
	eventually(a.t, a.h, "SELECT altering FROM helios.sources", " rows")
}

// The program is killed again and again while a table is copied, and written
// to: the copy goes on, and in the end the table is as in the source.
func TestCopyKilled(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"), pgtest.Setting("max_wal_senders", "20"))
	for _, c := range []struct{ name, before, upstream, sql, same, table string }{
		{"add", "", "", "ALTER SOURCE src ADD TABLE a", sameA, "a"},
		{"add without a key", "", "", "ALTER SOURCE src ADD TABLE f", sameF, "f"},
		{"refresh", "ALTER SOURCE src ADD TABLE a; CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(n) AS s FROM a", "", "ALTER SOURCE src REFRESH TABLE a", sameA, "a"},
		{"stale", "ALTER SOURCE src ADD TABLE p; CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(n) AS s FROM p", "ALTER TABLE p DETACH PARTITION p2", "SELECT 1", sameP, "p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 8))
			a, p := newCopier(t, pg, "5ms")
			if c.before != "" {
				must(t, a.h, c.before)
			}
			p.Throttle(4 << 20) // else it may be over before the first kill
			if c.upstream != "" {
				must(t, a.c, c.upstream)
			}
			a.begin(c.sql)
			for kill := range 6 {
				for range rng.IntN(4) {
					i := rng.IntN(60000)
					must(t, a.c, fmt.Sprintf(`UPDATE a SET n = n + 1 WHERE id BETWEEN %d AND %d`, i, i+200))
					must(t, a.c, fmt.Sprintf(`UPDATE a SET id = id + %d WHERE id BETWEEN %d AND %d`, 100000*(kill+1), i+100, i+103))
					must(t, a.c, fmt.Sprintf(`DELETE FROM a WHERE id BETWEEN %d AND %d`, i+150, i+170))
					must(t, a.c, fmt.Sprintf(`UPDATE p SET n = n + 1 WHERE id BETWEEN %d AND %d`, i, i+200))
					must(t, a.c, fmt.Sprintf(`UPDATE f SET x = (x + 1) %% 100 WHERE ctid IN ('(%d,1)', '(%d,2)')`, i%900, i%900))
					must(t, a.c, fmt.Sprintf(`DELETE FROM f WHERE ctid = '(%d,3)'`, i%900))
					must(t, a.c, "UPDATE base SET n = n + 1")
				}
				time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
				if rng.IntN(3) == 0 {
					p.All(faultproxy.Cut)
					continue
				}
				a.s.Kill()
				a.start()
			}
			p.Throttle(0)
			eventually(t, a.h, "SELECT altering FROM helios.sources", "∅")
			must(t, a.c, "UPDATE a SET n = n + 1 WHERE id % 500 = 0; UPDATE p SET n = n + 1 WHERE id % 500 = 0; DELETE FROM f WHERE x = 7; INSERT INTO f VALUES (101, 'last')")
			a.same(c.same, "SELECT n FROM base")
			if c.before != "" {
				a.same("SELECT n, s FROM v -- SELECT count(*), sum(n) FROM " + c.table)
			}
			snapshots, others := wentOn(t, a.s), a.logged("the copy of a table goes on")
			if t.Logf("went on %d times in the snapshot, %d times behind it", snapshots, others); snapshots == 0 {
				t.Error("no copy went on")
			}
			eventually(t, a.c, copySlots, "0")
			must(t, a.h, "ALTER SOURCE src DROP TABLE "+c.table+" CASCADE")
			a.s.stop()
			if n := states(t, a.s); n != 1 {
				t.Errorf("%d states of one table", n)
			}
			a.start()
		})
	}
}

// A copy whose snapshot is in goes on from where it was in the changes since.
func TestCopyKilledBehindSnapshot(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"), pgtest.Setting("max_wal_senders", "20"))
	for _, c := range []struct{ table, same string }{{"a", sameA}, {"f", sameF}} {
		t.Run(c.table, func(t *testing.T) {
			a, p := newCopier(t, pg, "1s") // positions are kept with what they are of, not only then
			p.Throttle(3 << 20)
			ctx, cancel := context.WithCancel(context.Background())
			var g sync.WaitGroup
			writer := pg.MustConnect(t, a.db).PgConn()
			g.Go(func() { // as much as the main source keeps up with; what comes while the copy's snapshot is read, the copy has to catch up with
				for i := 0; ctx.Err() == nil; i++ {
					at := i * 1000 % 59000
					sql := fmt.Sprintf(`UPDATE a SET n = n + 1 WHERE id > %d AND id <= %d; UPDATE a SET id = -id WHERE id = %d; DELETE FROM a WHERE id = %d;
						INSERT INTO f SELECT i, 'y' FROM generate_series(1, 1000) i; DELETE FROM f WHERE ctid = '(%d,4)'; SELECT pg_sleep(0.1)`, at, at+1000, i+1, at+5, i)
					if _, err := writer.Exec(context.Background(), sql).ReadAll(); err != nil {
						t.Error(err)
						return
					}
				}
			})
			a.begin("ALTER SOURCE src ADD TABLE " + c.table)
			for deadline := time.Now().Add(30 * time.Second); a.logged("table loaded") == 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("its snapshot does not end")
				}
			}
			p.Throttle(1 << 20) // both sources: this one stays behind
			time.Sleep(600 * time.Millisecond)
			a.s.Kill()
			if a.logged("table copied") > 0 {
				t.Fatal("the copy has ended too early")
			}
			a.start()
			cancel()
			g.Wait()
			p.Throttle(0)
			eventually(t, a.h, "SELECT altering FROM helios.sources", "∅")
			if n, loads := a.logged("the copy of a table goes on"), a.logged("table loaded"); n != 1 || loads != 1 {
				t.Errorf("it went on %d times behind its snapshot, and was loaded %d times", n, loads)
			}
			a.same(c.same, "SELECT n FROM base")
			eventually(t, a.c, copySlots, "0")
		})
	}
}

// A copy's slot that cannot be dropped when the copy has ended is dropped
// later, by another process if need be, or with the source.
func TestCopySlotFreed(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"), pgtest.Setting("max_wal_senders", "20"))
	for _, end := range []string{"restart", "drop source"} {
		t.Run(end, func(t *testing.T) {
			a, p := newCopier(t, pg, "5ms")
			p.Throttle(1 << 20)
			h := a.s.connect()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := h.Exec(ctx, "ALTER SOURCE src ADD TABLE a").ReadAll()
				done <- err
			}()
			eventually(t, a.c, copySlots, "1")
			eventually(t, a.h, "SELECT altering LIKE '% of %' AND altering NOT LIKE '%: 0 rows%' FROM helios.sources", "t") // its slot is made to stay
			p.Refuse(true)
			p.All(faultproxy.Cut)
			cancel()
			if err := <-done; err == nil {
				t.Fatal("it was not canceled")
			}
			eventually(t, a.h, "SELECT altering FROM helios.sources", "dropping the slot")
			if got := must(t, a.c, copySlots)[0]; got != "1" {
				t.Fatalf("%s slots", got)
			}
			if end == "restart" {
				a.s.Kill()
				p.Refuse(false)
				a.start()
			} else {
				must(t, a.h, "DROP SOURCE src CASCADE")
				p.Refuse(false)
			}
			p.Throttle(0)
			eventually(t, a.c, copySlots, "0")
			if end == "restart" {
				must(t, a.h, "ALTER SOURCE src ADD TABLE a")
				a.same(sameA)
				eventually(t, a.c, copySlots, "0")
			}
		})
	}
}
