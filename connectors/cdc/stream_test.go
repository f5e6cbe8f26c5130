package cdc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/jackc/pgx/v5"
)

func TestSnapshotThenStream(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text);
		INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 20000) i;
		CREATE TABLE b (k text, n numeric(12,3)); ALTER TABLE b REPLICA IDENTITY FULL;
		INSERT INTO b VALUES ('x', 1.5), ('x', 1.5), (NULL, NULL);
		CREATE TABLE "Odd ""name" ("select" int PRIMARY KEY, "a b" text); INSERT INTO "Odd ""name" VALUES (1, 'ü')`)
	c := start(t, server, db, testConfig(server, db, "a", "b", `Odd "name`))
	c.same()
	c.exec("UPDATE a SET v = 'new' WHERE id % 100 = 0; DELETE FROM a WHERE id BETWEEN 5 AND 50; INSERT INTO a VALUES (-1, NULL)")
	c.exec("DELETE FROM b WHERE ctid = '(0,1)'; UPDATE b SET n = 2 WHERE k IS NULL; INSERT INTO b VALUES ('x', 7)")
	c.exec(`UPDATE "Odd ""name" SET "select" = 2`)
	c.same()
	c.exec("BEGIN; INSERT INTO a VALUES (100000, 'a'); SAVEPOINT s; INSERT INTO a VALUES (100001, 'b'); ROLLBACK TO s; INSERT INTO b VALUES ('y', 0); COMMIT")
	c.exec("BEGIN; DELETE FROM a; ROLLBACK")
	c.same()
	c.exec("TRUNCATE b, a; INSERT INTO b VALUES ('after', 1)")
	c.exec("BEGIN; INSERT INTO a VALUES (1, 'gone'); TRUNCATE a; INSERT INTO a VALUES (2, 'stays'); COMMIT")
	c.same()
	n := len(c.txns)
	c.resume()
	c.exec("INSERT INTO a VALUES (3, 'after the restart')")
	c.same()
	if len(c.txns) != n+1 {
		t.Fatalf("%d transactions after the restart, want 1", len(c.txns)-n)
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE pk (a int, v text, b text, PRIMARY KEY (b, a)); ALTER TABLE pk ALTER v SET STORAGE EXTERNAL;
		CREATE TABLE ix (x int, u text NOT NULL, v text); CREATE UNIQUE INDEX ix_u ON ix (u); ALTER TABLE ix REPLICA IDENTITY USING INDEX ix_u;
		CREATE TABLE ful (a int, v text, w text); ALTER TABLE ful ALTER v SET STORAGE EXTERNAL; ALTER TABLE ful REPLICA IDENTITY FULL;
		INSERT INTO pk VALUES (1, repeat('long', 5000), 'k'), (2, NULL, 'k');
		INSERT INTO ful VALUES (1, repeat('long', 5000), 'x'), (1, repeat('long', 5000), 'x'), (2, NULL, NULL)`)
	c := start(t, server, db, testConfig(server, db, "pk", "ix", "ful"))
	c.same()
	c.exec("UPDATE pk SET a = 10 WHERE a = 1; UPDATE pk SET b = 'new' WHERE a = 2; UPDATE pk SET v = 'short' WHERE a = 2")
	c.exec("INSERT INTO ix VALUES (1, 'a', 'v'), (NULL, 'b', NULL); UPDATE ix SET x = 5; UPDATE ix SET u = 'c', v = 'moved' WHERE u = 'a'; DELETE FROM ix WHERE u = 'b'")
	c.exec("UPDATE ful SET w = 'y' WHERE ctid = '(0,1)'; UPDATE ful SET a = 3 WHERE a = 2; DELETE FROM ful WHERE w = 'x'")
	c.exec("UPDATE pk SET a = 11 WHERE a = 10; UPDATE pk SET a = a + 1")
	c.same()
	if k := c.tables[0].Key; len(k) != 2 || len(c.tables[2].Key) != 0 {
		t.Fatalf("keys %v and %v", k, c.tables[2].Key)
	}
}

// The unchanged mark stays where only the sink can fill it in.
func TestUnchangedToast(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE d (a int PRIMARY KEY, v text, n int); ALTER TABLE d ALTER v SET STORAGE EXTERNAL;
		CREATE TABLE f (a int PRIMARY KEY, v text, n int); ALTER TABLE f ALTER v SET STORAGE EXTERNAL; ALTER TABLE f REPLICA IDENTITY FULL;
		INSERT INTO d VALUES (1, repeat('long', 5000), 0); INSERT INTO f SELECT * FROM d`)
	c := start(t, server, db, testConfig(server, db, "d", "f"))
	c.same()
	marked := map[int]bool{}
	c.mu.Lock()
	c.onCommit = func(txn *connectors.Txn) error {
		for _, ch := range txn.Changes {
			s := ch.Changes.New(0).Spans(3, nil)
			marked[ch.Table] = s[1].Len == types.UnchangedLen
		}
		return nil
	}
	c.mu.Unlock()
	c.exec("UPDATE d SET n = 1; UPDATE f SET n = 1")
	c.same()
	if !marked[0] || marked[1] {
		t.Fatalf("marked as unchanged: %v", marked)
	}
}

// Writes to other tables and databases move the slot of idle tables.
func TestIdleSlotAdvances(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE idle (a int PRIMARY KEY); CREATE TABLE busy (a int)")
	c := start(t, server, db, testConfig(server, db, "idle"))
	c.same()
	flushed := func() string {
		return c.query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + c.cfg.SlotName + "'")[0][0]
	}
	for range 3 {
		c.exec("INSERT INTO busy SELECT generate_series(1, 1000)")
		want := c.query("SELECT pg_current_wal_flush_lsn()")[0][0]
		deadline := time.Now().Add(10 * time.Second)
		for c.query("SELECT '" + flushed() + "'::pg_lsn >= '" + want + "'::pg_lsn")[0][0] != "t" {
			if time.Now().After(deadline) {
				t.Fatalf("the slot stays at %s, short of %s", flushed(), want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if len(c.txns) != 0 {
		t.Fatalf("%d transactions of captured tables", len(c.txns))
	}
	// And lets go of the log.
	began := flushed()
	for deadline := time.Now().Add(30 * time.Second); c.query("SELECT restart_lsn > '" + began + "' FROM pg_replication_slots WHERE slot_name = '" + c.cfg.SlotName + "'")[0][0] != "t"; {
		if time.Now().After(deadline) {
			t.Fatalf("the slot keeps the log from before %s", began)
		}
		c.exec("INSERT INTO busy VALUES (1)")
		c.query("CHECKPOINT") // what the server does by itself, less often
		time.Sleep(50 * time.Millisecond)
	}
}

// Without a confirmation the slot stays where it is.
func TestSlotWaitsForConfirm(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY)")
	c := start(t, server, db, testConfig(server, db, "a"))
	c.same()
	c.mu.Lock()
	c.noConfirm = true
	c.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // what was confirmed is told
	before := c.query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + c.cfg.SlotName + "'")
	c.exec("INSERT INTO a VALUES (1)")
	c.same()
	time.Sleep(100 * time.Millisecond)
	after := c.query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + c.cfg.SlotName + "'")
	if before[0][0] != after[0][0] {
		t.Fatalf("the slot moved from %s to %s", before[0][0], after[0][0])
	}
}

// A large transaction comes in steps; stopped in between, it goes on with the
// next one, even when the steps are cut otherwise now.
func TestSteps(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY, v text); CREATE TABLE b (a int PRIMARY KEY)")
	cfg := testConfig(server, db, "a", "b")
	cfg.MaxStepRows = 100
	c := start(t, server, db, cfg)
	c.same()
	stop := errors.New("enough")
	c.mu.Lock()
	steps := 0
	c.onCommit = func(txn *connectors.Txn) error {
		if steps++; steps == 4 {
			return stop
		}
		return nil
	}
	c.mu.Unlock()
	c.exec("INSERT INTO b VALUES (0)")
	c.exec("BEGIN; INSERT INTO a SELECT i, 'x' FROM generate_series(1, 950) i; INSERT INTO b SELECT generate_series(1, 50); DELETE FROM a WHERE a % 2 = 0; COMMIT")
	if err := <-c.done; err != stop {
		t.Fatal(err)
	}
	c.done <- nil
	if c.at.Step != 200 {
		t.Fatalf("stopped at %+v", c.at)
	}
	c.cfg.MaxStepRows = 333
	c.resume()
	c.same()
	rows := []int{}
	for _, n := range c.txns {
		rows = append(rows, n.rows)
	}
	if want := []int{1, 100, 100, 333, 333, 333, 276}; !slices.Equal(rows, want) {
		t.Fatalf("rows by step %v, want %v", rows, want)
	}
	c.cfg.MaxStepRows, c.cfg.MaxStepBytes = 0, 1000
	c.resume()
	c.exec("BEGIN; TRUNCATE a; INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 100) i; COMMIT")
	c.same()
}

// The connection is cut again and again while the server is written to.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a serial PRIMARY KEY, v int); INSERT INTO a (v) SELECT generate_series(1, 1000)")
	cfg := testConfig(server, db, "a")
	cfg.MaxStepRows = 50
	c := start(t, server, db, cfg)
	c.same()
	for i := range 20 {
		c.exec("INSERT INTO a (v) SELECT generate_series(1, 200); UPDATE a SET v = v + 1 WHERE a % 10 = 0; DELETE FROM a WHERE a % 17 = 0")
		if i%3 == 0 {
			c.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + c.cfg.SlotName + "'")
		}
	}
	c.same()
	if m := c.src.Metrics(); m.Reconnects == 0 || m.Transactions == 0 || m.SnapshotRecords == 0 {
		t.Fatalf("metrics %+v", m)
	}
}

func TestServerCrash(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t, pgtest.Fsync())
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (a serial PRIMARY KEY, v int); INSERT INTO a (v) SELECT generate_series(1, 1000)")
	c := start(t, srv, db, testConfig(srv, db, "a"))
	c.same()
	for i, stop := range []func() error{srv.Kill, srv.Stop, srv.StopImmediate} {
		c.exec("INSERT INTO a (v) SELECT generate_series(1, 5000); DELETE FROM a WHERE a % 3 = 0")
		if i > 0 {
			c.sync()
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		c.until("the loss to be noticed", func() bool { return c.lastErr != nil })
		if err := srv.Restart(); err != nil {
			t.Fatal(err)
		}
		c.exec("INSERT INTO a (v) VALUES (-1)")
		c.same()
	}
}

// The source is ended and started at random while the server is written to:
// each transaction arrives exactly once.
func TestRestarts(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a serial PRIMARY KEY, v int); CREATE TABLE f (v int); ALTER TABLE f REPLICA IDENTITY FULL")
	c := start(t, server, db, testConfig(server, db, "a", "f"))
	c.same()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	done := make(chan error, 1)
	go func() {
		conn, err := server.Connect(context.Background(), db)
		for i := 0; err == nil && i < 400; i++ {
			_, err = conn.Exec(context.Background(), fmt.Sprintf("INSERT INTO a (v) SELECT generate_series(1, %d)", i%7))
			if err == nil {
				_, err = conn.Exec(context.Background(), fmt.Sprintf("INSERT INTO f VALUES (%d)", i%3))
			}
			if err == nil && i%5 == 0 {
				_, err = conn.Exec(context.Background(), "UPDATE f SET v = v + 1; DELETE FROM f WHERE v > 10", pgx.QueryExecModeSimpleProtocol)
			}
		}
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-time.After(time.Duration(rnd.IntN(60)) * time.Millisecond):
			c.resume()
		}
	}
	c.same()
}

// While the sink is busy for longer than wal_sender_timeout, the server is
// still answered.
func TestSlowSink(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t, pgtest.Setting("wal_sender_timeout", "2s"))
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY, v text)")
	cfg := testConfig(srv, db, "a")
	cfg.BufferSize = 10
	c := start(t, srv, db, cfg)
	c.same()
	slow := 2
	c.mu.Lock()
	c.onCommit = func(*connectors.Txn) error {
		if slow--; slow >= 0 {
			time.Sleep(3 * time.Second)
		}
		return nil
	}
	c.mu.Unlock()
	c.exec("INSERT INTO a VALUES (0, ''); INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i")
	for i := range 10 {
		c.exec(fmt.Sprintf("UPDATE a SET v = 'y' WHERE a = %d", i))
	}
	c.same()
	time.Sleep(3 * time.Second) // idle for longer than the timeout, too
	if n := c.src.Metrics().Reconnects; n != 0 {
		t.Fatalf("%d reconnections: %v", n, c.lastErr)
	}
}
