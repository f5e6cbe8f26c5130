package cdc

import (
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// A heartbeat is received as progress, and no transaction.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY)")
	cfg := testConfig(server, db, "a")
	cfg.HeartbeatInterval = 20 * time.Millisecond
	c := start(t, server, db, cfg)
	c.same()
	for range 2 {
		c.mu.Lock()
		at := c.at.LSN
		c.mu.Unlock()
		c.until("a heartbeat", func() bool { return c.at.LSN > at })
	}
	if len(c.txns) > 0 {
		t.Fatalf("transactions %v", c.txns)
	}
}

// With heartbeats alone the slot of a server that nobody else uses advances,
// and lets go of the log.
func TestHeartbeatIdleServer(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t)
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY)")
	cfg := testConfig(srv, db, "a")
	cfg.HeartbeatInterval = 50 * time.Millisecond
	c := start(t, srv, db, cfg)
	c.same()
	began := c.query("SELECT pg_current_wal_lsn()")[0][0]
	deadline := time.Now().Add(60 * time.Second)
	for c.query("SELECT confirmed_flush_lsn > '" + began + "' AND restart_lsn > '" + began + "' FROM pg_replication_slots")[0][0] != "t" {
		if time.Now().After(deadline) {
			t.Fatalf("the slot stays: %v after %s", c.query("SELECT * FROM pg_replication_slots"), began)
		}
		c.query("CHECKPOINT") // what the server does by itself, less often
		time.Sleep(50 * time.Millisecond)
	}
}

// A statement of the user's runs with each heartbeat. Its failure is shown, and
// the stream goes on.
func TestHeartbeatQuery(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (a int PRIMARY KEY); CREATE TABLE beat (n int); INSERT INTO beat VALUES (0)")
	cfg := testConfig(server, db, "a")
	cfg.HeartbeatInterval, cfg.HeartbeatQuery = 20*time.Millisecond, "UPDATE beat SET n = n + 1"
	c := start(t, server, db, cfg)
	c.same()
	beats := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); c.query("SELECT n > 1 FROM beat")[0][0] != want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no heartbeats")
			}
		}
	}
	beats("t")
	c.exec("ALTER TABLE beat RENAME n TO m")
	c.until("the failure", func() bool { return c.lastErr != nil && strings.Contains(c.lastErr.Error(), `heartbeat: `) })
	c.exec("INSERT INTO a VALUES (1)")
	c.same()
	if m := c.src.Metrics(); m.HeartbeatFailures == 0 || m.HeartbeatError == "" || m.Reconnects != 0 {
		t.Fatalf("%+v", m)
	}
	c.exec("ALTER TABLE beat RENAME m TO n; UPDATE beat SET n = 0")
	c.until("the end of the failure", func() bool { return c.lastErr == nil })
	beats("t")
	if m := c.src.Metrics(); m.HeartbeatError != "" {
		t.Fatalf("%+v", m)
	}
}
