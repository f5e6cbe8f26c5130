package cdc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5"
)

// streamedDSN makes the server stream transactions of a few hundred rows.
func streamedDSN(db string) string { return server.DSN(db) + "&logical_decoding_work_mem=64kB" }

const streamedTables = `CREATE TABLE a (id int PRIMARY KEY, v text, n int); ALTER TABLE a ALTER v SET STORAGE EXTERNAL;
	CREATE TABLE b (id int PRIMARY KEY, v text, n int); ALTER TABLE b ALTER v SET STORAGE EXTERNAL; ALTER TABLE b REPLICA IDENTITY FULL;
	CREATE TABLE c (id int PRIMARY KEY, v text); CREATE TABLE d (id int PRIMARY KEY);
	INSERT INTO a SELECT i, repeat('long', 1000), 0 FROM generate_series(1, 400) i; INSERT INTO b SELECT * FROM a`

// interleave runs large transactions side by side, a statement of each in turn.
func interleave(t testing.TB, db string) {
	t.Helper()
	rows := func(table string, from, n int) string {
		return fmt.Sprintf("INSERT INTO %s SELECT i, repeat('x', 100) FROM generate_series(%d, %d) i", table, from, from+n-1)
	}
	scripts := [][]string{
		{"BEGIN", rows("a (id, v)", 10_000, 900), "SAVEPOINT s", rows("a (id, v)", 11_000, 900), "SAVEPOINT t", rows("a (id, v)", 12_000, 900), "RELEASE t", rows("a (id, v)", 13_000, 900),
			"SELECT pg_logical_emit_message(false, 'test', 'at once')",
			"ROLLBACK TO s", rows("a (id, v)", 14_000, 900), "SAVEPOINT u", rows("a (id, v)", 15_000, 900), "RELEASE u", rows("a (id, v)", 16_000, 900), "COMMIT"},
		{"BEGIN", "UPDATE a SET n = n + 1 WHERE id <= 400", "UPDATE b SET n = n + 1 WHERE id <= 400", "SELECT pg_logical_emit_message(true, 'test', 'within')",
			"UPDATE b SET n = n + 1 WHERE id <= 400", "DELETE FROM a WHERE id <= 400 AND id % 3 = 0", "UPDATE a SET id = -id WHERE id <= 400 AND id % 3 = 1", "COMMIT"},
		{"BEGIN", rows("b (id, v)", 20_000, 900), rows("b (id, v)", 21_000, 900), "SAVEPOINT s", "ALTER TABLE d ADD x int", "INSERT INTO d SELECT i, i FROM generate_series(9000, 9900) i", rows("b (id, v)", 22_000, 900), "ROLLBACK"},
		{"BEGIN", rows("c", 30_000, 900), "SAVEPOINT s", "ALTER TABLE c ADD gone int", "INSERT INTO c SELECT i, 'x', i FROM generate_series(31000, 31900) i", "ROLLBACK TO s", rows("c", 31_000, 100),
			"ALTER TABLE c ADD more int DEFAULT 7", rows("c (id, v)", 32_000, 900), "TRUNCATE c", rows("c (id, v)", 33_000, 900), "COMMIT"},
		{"INSERT INTO d VALUES (1)", "INSERT INTO d VALUES (2)", "BEGIN; INSERT INTO d VALUES (3); UPDATE d SET id = -id; COMMIT", "INSERT INTO d VALUES (4)"},
	}
	ctx := context.Background()
	conns := make([]*pgx.Conn, len(scripts))
	for i := range conns {
		conns[i] = server.MustConnect(t, db)
	}
	for step, left := 0, true; left; step++ {
		left = false
		for i, s := range scripts {
			if step < len(s) {
				left = true
				if _, err := conns[i].Exec(ctx, s[step], pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("%s: %v", s[step], err)
				}
			}
		}
	}
}

// streamedTxns is how many transactions the server has streamed through a slot.
func streamedTxns(t testing.TB, db, slot string) (n int) {
	t.Helper()
	if err := server.MustConnect(t, db).QueryRow(context.Background(), "SELECT coalesce(sum(stream_txns), 0)::int FROM pg_stat_replication_slots WHERE slot_name = $1", slot).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStreamed(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, streamedTables)
	cfg := testConfig(server, db, "a", "b", "c", "d")
	cfg.ConnectionString = streamedDSN(db)
	cfg.MaxStepRows = 500
	c := start(t, server, db, cfg)
	c.same()
	interleave(t, db)
	c.same()
	c.exec("INSERT INTO c VALUES (1, 'after', 2); UPDATE a SET n = 5; DELETE FROM b")
	c.same()
	if len(c.errs) > 0 {
		t.Fatalf("table errors %v", c.errs)
	}
	if n := streamedTxns(t, db, cfg.SlotName); n < 4 {
		t.Fatalf("the server has streamed %d transactions only", n)
	}
	if m := c.src.Metrics(); m.Reconnects != 0 || m.SpoolBytes != 0 {
		t.Fatalf("metrics %+v", m)
	}
}

// A source that streams is ended and cut off again and again, at times goes on
// without streaming, and gives the same events at the same positions as one that never does.
func TestStreamedEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, streamedTables)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	cfg := eventsConfig(db, "a", "b", "c", "d")
	cfg.SnapshotMode, cfg.TransactionEvents, cfg.HeartbeatInterval = SnapshotNever, true, time.Hour
	cfg.MaxStepRows = 300
	ref := cfg
	ref.SlotName = "ref_" + db
	reference := startReader(t, ref, nil)
	cfg.ConnectionString = streamedDSN(db)
	r := startReader(t, cfg, nil)
	interleave(t, db)
	server.MustExec(t, db, "INSERT INTO d VALUES (99)")
	line := func(e *Event) string {
		return fmt.Sprintf("%s/%d %s %d %s", e.CommitLSN, e.Seq, e.LSN, e.XID, describe(e))
	}
	last := func(s string) bool { return strings.HasSuffix(s, "after(id=99)") }
	var want []string
	for len(want) == 0 || !last(want[len(want)-1]) {
		e, err := reference.next()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, line(e))
	}
	starts := 1
	for i, w := range want {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if got := line(e); got != w {
			t.Fatalf("event %d of %d after %d starts:\ngot  %s\nwant %s", i, len(want), starts, got, w)
		}
		switch rnd.IntN(1500) {
		case 0:
			server.MustExec(t, db, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '"+cfg.SlotName+"'")
		case 1, 2, 3:
			cp := through(t, r.src.Checkpoint())
			r.src.Close()
			if starts++; starts%3 == 0 {
				cfg.ConnectionString = server.DSN(db)
			} else {
				cfg.ConnectionString = streamedDSN(db)
			}
			cfg.MaxStepRows = 1 + rnd.IntN(1000)
			r = startReader(t, cfg, cp)
		}
	}
	if n := streamedTxns(t, db, cfg.SlotName); n < 4 {
		t.Fatalf("the server has streamed %d transactions only", n)
	}
	t.Logf("%d events, %d starts", len(want), starts)
}

// A message that may be of a savepoint rolled back makes the source ask for
// whole transactions.
func TestStreamedMessages(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text)")
	cfg := eventsConfig(db, "a")
	cfg.ConnectionString, cfg.SnapshotMode, cfg.HeartbeatInterval = streamedDSN(db), SnapshotNever, time.Hour
	r := startReader(t, cfg, nil)
	server.MustExec(t, db, `BEGIN; INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i; SELECT pg_logical_emit_message(true, 'p', 'stays');
		SAVEPOINT s; SELECT pg_logical_emit_message(true, 'p', 'goes'); INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1001, 2000) i;
		ROLLBACK TO s; INSERT INTO a VALUES (3000, 'end'); COMMIT`)
	var got []string
	for len(got) < 1002 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe(e))
	}
	if want := []string{"message p:stays true", "create a@1 after(id=3000 v=end)"}; !slices.Equal(got[1000:], want) {
		t.Fatalf("%v", got[1000:])
	}
	if r.src.Metrics().Reconnects == 0 { // more than one while the slot is still in use
		t.Fatal("the source did not reconnect")
	}
}

// A transaction that was handed over up to a step goes on there, streamed or
// not; what the server has sent of open ones is sent again.
func TestStreamedResume(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY, v text); CREATE TABLE b (a int PRIMARY KEY)")
	cfg := testConfig(server, db, "a", "b")
	cfg.MaxStepRows = 100
	c := start(t, server, db, cfg)
	c.same()
	stop := errors.New("enough")
	var want []int
	for i, streamed := range []bool{true, false, true} {
		// The first part comes this way, the rest the other.
		set := func(streamed bool) {
			if c.cfg.ConnectionString = server.DSN(db); streamed {
				c.cfg.ConnectionString = streamedDSN(db)
			}
			c.resume()
		}
		set(streamed)
		c.mu.Lock()
		steps := 0
		c.onCommit = func(*connectors.Txn) error {
			if steps++; steps == 4 {
				c.onCommit = nil
				return stop
			}
			return nil
		}
		c.mu.Unlock()
		n := 1000 * i
		c.exec(fmt.Sprintf(`BEGIN; INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(%d, %d) i; SAVEPOINT s; INSERT INTO a SELECT -i, repeat('x', 200) FROM generate_series(%d, %d) i; ROLLBACK TO s;
			INSERT INTO b SELECT generate_series(%d, %d); COMMIT`, n+1, n+750, n+1, n+750, n+1, n+100))
		if err := <-c.done; err != stop {
			t.Fatal(err)
		}
		c.done <- nil
		if c.at.Step != 300 {
			t.Fatalf("stopped at %+v", c.at)
		}
		c.cfg.MaxStepRows = 333
		set(!streamed)
		c.same()
		c.cfg.MaxStepRows = 100
		want = append(want, 100, 100, 100, 333, 217)
	}
	rows := []int{}
	for _, n := range c.txns {
		rows = append(rows, n.rows)
	}
	if !slices.Equal(rows, want) {
		t.Fatalf("rows by step %v, want %v", rows, want)
	}
	// The server is cut off while it streams.
	c.cfg.ConnectionString, c.cfg.MaxStepRows = streamedDSN(db), 100
	c.resume()
	c.same()
	conn, other := server.MustConnect(t, db), server.MustConnect(t, db)
	ctx := context.Background()
	exec := func(conn *pgx.Conn, sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	exec(conn, "BEGIN; UPDATE a SET v = v || 'y'")
	exec(other, "BEGIN; INSERT INTO b SELECT generate_series(-1000, 0)")
	deadline := time.Now().Add(30 * time.Second)
	for before := streamedTxns(t, db, cfg.SlotName); c.src.Metrics().Reconnects == 0 || streamedTxns(t, db, cfg.SlotName) == before && c.src.Metrics().Reconnects < 2; {
		exec(other, "SAVEPOINT s; DELETE FROM b WHERE a > 0; ROLLBACK TO s")
		c.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + cfg.SlotName + "'")
		if time.Now().After(deadline) {
			t.Fatalf("metrics %+v", c.src.Metrics())
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.exec("INSERT INTO b VALUES (-5000)") // progress passes the open ones
	c.sync()
	exec(conn, "DELETE FROM a WHERE a % 2 = 0; COMMIT")
	exec(other, "UPDATE b SET a = a + 100000; COMMIT")
	c.same()
	if c.src.Metrics().Reconnects == 0 {
		t.Fatal("the connection was never lost")
	}
}

// On a full disk the source says so and goes on with whole transactions.
func TestStreamedDiskFull(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY, v text)")
	cfg := testConfig(server, db, "a")
	cfg.ConnectionString, cfg.SpoolDir, cfg.SpoolMinFree = streamedDSN(db), t.TempDir()+"/spool", 1
	cfg.MaxStepRows = 1000
	c := start(t, server, db, cfg)
	c.same()
	c.mu.Lock()
	spooled := int64(0)
	c.onCommit = func(*connectors.Txn) error { spooled = max(spooled, c.src.Metrics().SpoolBytes); return nil }
	c.mu.Unlock()
	c.exec("INSERT INTO a SELECT i, repeat('x', 4000) FROM generate_series(1, 4000) i")
	c.same()
	c.mu.Lock()
	if m := c.src.Metrics(); m.SpoolBytes != 0 || spooled < 1<<20 || m.Reconnects != 0 {
		t.Fatalf("%d bytes at most, metrics %+v", spooled, m)
	}
	c.mu.Unlock()
	if left, err := os.ReadDir(cfg.SpoolDir); err != nil || len(left) > 0 {
		t.Fatalf("files %v, %v", left, err)
	}
	c.stop()
	src, err := newFeed(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	src.spoolFile = devFull
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	c.mu.Lock()
	c.src, c.cancel, c.done = src, cancel, done
	at := c.at
	c.mu.Unlock()
	go func() { done <- src.Run(ctx, &at, c.mirror) }()
	c.exec("INSERT INTO a SELECT -i, repeat('x', 4000) FROM generate_series(1, 4000) i")
	c.same()
	c.mu.Lock()
	defer c.mu.Unlock()
	// Other failures are of the slot, which is in use for a moment.
	others := slices.DeleteFunc(slices.Clone(c.failures), func(err error) bool { return pgerr.CodeOf(err) == pgerr.DiskFull })
	if len(c.failures)-len(others) != 1 {
		t.Fatalf("%v, metrics %+v", c.failures, src.Metrics())
	}
}

// The server is answered while a streamed transaction is handed on slowly.
func TestStreamedSlowSink(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY, v text)")
	cfg := testConfig(server, db, "a")
	cfg.ConnectionString = streamedDSN(db) + "&wal_sender_timeout=5s"
	cfg.MaxStepRows, cfg.BufferSize = 1000, 10
	c := start(t, server, db, cfg)
	c.same()
	c.mu.Lock()
	slow := 1
	c.onCommit = func(*connectors.Txn) error {
		if slow--; slow >= 0 {
			time.Sleep(6 * time.Second)
		}
		return nil
	}
	c.mu.Unlock()
	c.exec("INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1, 10000) i")
	c.exec("INSERT INTO a VALUES (0, 'end')")
	c.same()
	if n := c.src.Metrics().Reconnects; n != 0 || streamedTxns(t, db, cfg.SlotName) == 0 {
		t.Fatalf("%d reconnections: %v", n, c.lastErr)
	}
}
