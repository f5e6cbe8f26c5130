package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/state"
	"github.com/jackc/pgx/v5/pgconn"
)

// The program is killed again and again within a snapshot, while the tables are
// written to: the snapshot goes on, and in the end all is as in the source.
func TestSnapshotKilled(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	pg.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text, w text); ALTER TABLE a ALTER w SET STORAGE EXTERNAL;
		INSERT INTO a SELECT i, 0, repeat('x', 100), CASE WHEN i % 1000 = 0 THEN repeat(md5(i::text), 100) END FROM generate_series(1, 300000) i;
		CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 100, repeat('y', 50) FROM generate_series(1, 100000) i`)
	conn, err := pgconn.Connect(context.Background(), pg.DSN(db))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	s := newServer(t, "--checkpoint-interval", "5ms")
	s.start()
	h, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	p, dsn := proxied(t, pg)
	p.Throttle(20 << 20) // else it may be over before the first kill
	must(t, h, fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (f, a)
		WITH (slot_name = 'killed', poll_interval = '10ms', checkpoint_interval = '5ms', snapshot_chunk_bytes = 262144)`, quote(dsn(db))))
	h.Close(context.Background())
	for kill := range 10 {
		for range rng.IntN(6) {
			i := rng.IntN(300000)
			must(t, conn, fmt.Sprintf(`UPDATE a SET n = n + 1 WHERE id BETWEEN %d AND %d`, i, i+500))
			must(t, conn, fmt.Sprintf(`UPDATE a SET id = id + %d WHERE id BETWEEN %d AND %d`, 400000*(kill+1), i+100, i+103))
			must(t, conn, fmt.Sprintf(`DELETE FROM a WHERE id BETWEEN %d AND %d`, i+200, i+220))
			must(t, conn, fmt.Sprintf(`UPDATE f SET x = (x + 1) %% 100 WHERE ctid IN ('(%d,1)', '(%d,2)')`, i%1000, i%1000))
			must(t, conn, fmt.Sprintf(`DELETE FROM f WHERE ctid = '(%d,3)'`, i%1000))
			must(t, conn, fmt.Sprintf(`INSERT INTO f SELECT %d, repeat('y', 50) FROM generate_series(1, 5)`, i%100))
		}
		time.Sleep(time.Duration(50+rng.IntN(500)) * time.Millisecond)
		if rng.IntN(3) == 0 {
			p.All(faultproxy.Cut)
			continue
		}
		s.Kill()
		s.spawn()
	}
	p.Throttle(0)
	if err := s.ready(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if h, err = s.dial(); err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	must(t, conn, "UPDATE a SET n = n + 1 WHERE id % 5000 = 0")
	must(t, conn, "INSERT INTO a VALUES (-1, 0, 'last', NULL)")
	deadline := time.Now().Add(time.Minute)
	for must(t, h, "SELECT count(*) FROM a WHERE id = -1")[0] != "1" {
		if time.Now().After(deadline) {
			t.Fatal("the last row does not arrive")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, q := range []string{
		"SELECT count(*), sum(id::bigint), sum(n), sum(n * id::bigint), sum(length(v)), sum(length(w)), count(w) FROM a", "SELECT x, count(*) FROM f GROUP BY x ORDER BY x",
		"SELECT id, n, w FROM a WHERE w IS NOT NULL ORDER BY id",
	} {
		got, want := strings.Join(must(t, h, q), "\n"), strings.Join(must(t, conn, q), "\n")
		if got != want {
			t.Fatalf("%s:\ngot  %.300s\nwant %.300s", q, got, want)
		}
	}
	n := wentOn(t, s)
	if t.Logf("went on %d times", n); n == 0 {
		t.Fatal("no snapshot went on")
	}
	s.stop()
	if n := states(t, s); n != 2 {
		t.Errorf("%d states of two tables", n)
	}
}

// wentOn counts in the log how often a snapshot went on with what was done.
func wentOn(t *testing.T, s *server) (n int) {
	t.Helper()
	log, err := os.ReadFile(s.Log())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "the snapshot goes on") && !strings.Contains(line, "chunks_done=0 ") && !strings.Contains(line, `"chunks_done":0,`) {
			n++
		}
	}
	return n
}

// states counts the states of a process that has ended.
func states(t *testing.T, s *server) int {
	t.Helper()
	store, err := state.Open(state.Options{Dir: s.Data, MemoryBudget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	list, err := store.States()
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// What another process has loaded of a table without a key is gone on with, and
// goes with the table and with the source.
func TestSnapshotKeylessDropped(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	pg.MustExec(t, db, `CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 10, repeat('y', 100) FROM generate_series(1, 30000) i;
		CREATE TABLE g (x int, y text); ALTER TABLE g REPLICA IDENTITY FULL; INSERT INTO g SELECT * FROM f`)
	p, dsn := proxied(t, pg)
	p.Throttle(400_000)
	s := newServer(t, "--checkpoint-interval", "5ms")
	s.start()
	h := s.connect()
	create := fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (f, g)
		WITH (slot_name = 'dropped', poll_interval = '10ms', checkpoint_interval = '5ms', snapshot_chunk_bytes = 65536)`, quote(dsn(db)))
	restart := func() {
		t.Helper()
		eventually(t, h, "SELECT snapshot_chunks_done > 10 AND snapshot_chunks_done < snapshot_chunks FROM helios.sources", "t")
		s.Kill()
		if states(t, s) == 0 {
			t.Fatal("nothing was kept")
		}
		s.spawn()
		before := wentOn(t, s)
		for deadline := time.Now().Add(30 * time.Second); wentOn(t, s) == before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the snapshot does not go on")
			}
		}
		h = s.connect()
	}
	must(t, h, create)
	restart()
	must(t, h, "DROP SOURCE src CASCADE")
	s.stop()
	if n := states(t, s); n != 0 {
		t.Fatalf("%d states of no table", n)
	}
	s.start()
	h = s.connect()
	must(t, h, create)
	restart()
	must(t, h, "ALTER SOURCE src DROP TABLE f")
	p.Throttle(0)
	eventually(t, h, "SELECT state FROM helios.sources", "streaming")
	const q = "SELECT x, y, count(*) FROM g GROUP BY x, y ORDER BY x"
	if got, want := must(t, h, q), must(t, pg.MustConnect(t, db).PgConn(), q); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
	s.stop()
	if n := states(t, s); n != 1 {
		t.Errorf("%d states of one table", n)
	}
}

// A source of the contents alone is killed again and again, while its tables are
// written to: it goes on, and in the end its tables are as they were between two
// transactions. It leaves nothing at the server, dropped within its snapshot or behind it.
func TestInitialOnlyKilled(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	pg.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text); INSERT INTO a SELECT i, 0, repeat('x', 100) FROM generate_series(1, 60000) i;
		CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 100, repeat('y', 50) FROM generate_series(1, 20000) i; CREATE TABLE other (id int PRIMARY KEY)`)
	conn := pg.MustConnect(t, db).PgConn()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	s := newServer(t, "--checkpoint-interval", "5ms")
	s.start()
	h := s.connect()
	p, dsn := proxied(t, pg)
	p.Throttle(2 << 20)
	create := fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a, f)
		WITH (snapshot_mode = 'initial_only', poll_interval = '10ms', checkpoint_interval = '5ms', snapshot_chunk_bytes = 131072)`, quote(dsn(db)))
	ended := func() bool { return strings.Contains(s.LogTail(1000), "snapshot published") } // sooner than expected
	wait := func(what string, cond func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited too long for %s", what)
			}
		}
	}
	attempts := func() int { return strings.Count(s.LogTail(1000), "the snapshot goes on") }
	within := func() {
		t.Helper()
		eventually(t, h, "SELECT snapshot_chunks_done > 10 OR state = 'finished' FROM helios.sources", "t")
	}
	restart := func() {
		t.Helper()
		before := wentOn(t, s)
		s.Kill()
		s.spawn()
		wait("the snapshot to go on", func() bool { return wentOn(t, s) > before || ended() })
		wait("a connection", func() (ok bool) {
			c, err := s.dial()
			if h = c; err == nil {
				t.Cleanup(func() { c.Close(context.Background()) })
			}
			return err == nil
		})
	}
	altered := func(why string) {
		t.Helper()
		for _, sql := range []string{"ALTER SOURCE src ADD TABLE other", "ALTER SOURCE src REFRESH TABLE a"} {
			if _, err := ask(context.Background(), h, sql); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "55000") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	dropped := func() {
		t.Helper()
		must(t, h, "DROP SOURCE src CASCADE")
		eventually(t, conn, "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)", "0")
		s.stop()
		if n := states(t, s); n != 0 {
			t.Errorf("%d states of no table", n)
		}
	}
	must(t, h, create)
	within()
	restart()
	dropped()
	if wentOn(t, s) == 0 && !ended() {
		t.Error("the snapshot did not go on")
	}
	s.start()
	h = s.connect()
	must(t, h, create)
	contents := func(c *pgconn.PgConn) string {
		t.Helper()
		return strings.Join(append(must(t, c, "SELECT count(*), sum(id::bigint), sum(n), sum(n * id::bigint), sum(length(v)) FROM a"),
			must(t, c, "SELECT x, count(*) FROM f GROUP BY x ORDER BY x")...), "\n")
	}
	were := map[string]bool{contents(conn): true}
	for kill := range 4 {
		within()
		altered("")
		i := rng.IntN(8000) // of the chunks that are done
		must(t, conn, fmt.Sprintf(`BEGIN; UPDATE a SET n = n + 1 WHERE id BETWEEN %d AND %d; UPDATE a SET id = id + %d WHERE id BETWEEN %d AND %d; DELETE FROM a WHERE id BETWEEN %d AND %d;
			UPDATE f SET x = (x + 1) %% 100 WHERE ctid IN ('(%d,1)', '(%d,2)'); DELETE FROM f WHERE ctid = '(%d,3)'; INSERT INTO f SELECT 7, repeat('y', 50) FROM generate_series(1, 5); COMMIT`,
			i, i+200, 100000*(kill+1), i+300, i+303, i+400, i+420, i%200, i%200, i%200))
		were[contents(conn)] = true
		if kill != 1 {
			restart()
			continue
		}
		must(t, conn, "VACUUM FULL a") // it begins anew
		n := attempts()
		p.All(faultproxy.Cut)
		wait("the snapshot to go on", func() bool { return attempts() > n || ended() })
	}
	p.Throttle(0)
	time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
	s.Kill() // within the last chunks, when the rows go to the tables, or behind that
	s.start()
	h = s.connect()
	for range 2 {
		eventually(t, h, "SELECT state FROM helios.sources", "finished")
		if got := contents(h); !were[got] {
			t.Fatalf("got %.300s\nwant one of %.900v", got, were)
		}
		altered("has ended")
		s.stop()
		if n := states(t, s); n != 2 {
			t.Errorf("%d states of two tables", n)
		}
		s.start()
		h = s.connect()
	}
	dropped()
}

// How far a snapshot has come is shown, also where it goes on after a lost
// connection and after a kill.
func TestSnapshotProgress(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	pg.MustExec(t, db, `CREATE TABLE other (id int); CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i`)
	p := faultproxy.New(t, fmt.Sprintf("127.0.0.1:%d", pg.Port))
	p.AfterBytes(2_000_000, faultproxy.Hold)
	s := newServer(t, "--checkpoint-interval", "5ms")
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a) WITH (slot_name = 'progress', poll_interval = '10ms', snapshot_chunk_bytes = 65536, snapshot_workers = 1)`,
		quote(strings.Replace(pg.TCP(db), fmt.Sprint(pg.Port), fmt.Sprint(p.Port()), 1))))
	const within = "SELECT snapshot_chunks_done > 0 AND snapshot_chunks_done < snapshot_chunks FROM helios.sources"
	for deadline := time.Now().Add(30 * time.Second); p.Pending() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, h, within, "t")
	// A snapshot that goes on needs a slot, and that waits for this transaction.
	open := pg.MustConnect(t, db).PgConn()
	must(t, open, "BEGIN; INSERT INTO other VALUES (1)")
	p.All(faultproxy.Cut)
	eventually(t, pg.MustConnect(t, db).PgConn(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE_REPLICATION_SLOT%' AND state = 'active'", "1")
	done := must(t, h, "SELECT snapshot_chunks_done, snapshot_chunks FROM helios.sources")[0]
	eventually(t, h, within, "t")
	s.Kill()
	s.spawn()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if h, err = s.dial(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	eventually(t, h, "SELECT snapshot_chunks_done, snapshot_chunks FROM helios.sources", done)
	must(t, open, "COMMIT")
	eventually(t, h, "SELECT state, snapshot_chunks_done = snapshot_chunks FROM helios.sources", "streaming", "t")
}
