package cdc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A slot that cannot give what is missing ends the source with an error that
// names it; it is never made anew in silence.
func TestSlotLost(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t, pgtest.Setting("max_slot_wal_keep_size", "1MB"), pgtest.Setting("max_wal_size", "32MB"))
	for _, c := range []struct {
		name string
		lose func(*capture)
		code pgerr.Code
		text string
	}{
		{"dropped", func(c *capture) { c.exec("SELECT pg_drop_replication_slot('" + c.cfg.SlotName + "')") }, pgerr.UndefinedObject, "does not exist"},
		{"moved", func(c *capture) {
			c.exec("SELECT pg_replication_slot_advance('" + c.cfg.SlotName + "', pg_current_wal_lsn())")
		}, pgerr.ObjectNotInPrerequisite, "has been moved"},
		{"another plugin", func(c *capture) {
			c.exec("SELECT pg_drop_replication_slot('" + c.cfg.SlotName + "')")
			c.exec("SELECT pg_create_logical_replication_slot('" + c.cfg.SlotName + "', 'test_decoding')")
		}, pgerr.ObjectNotInPrerequisite, "plugin"},
		{"another database", func(c *capture) {
			c.exec("SELECT pg_drop_replication_slot('" + c.cfg.SlotName + "')")
			srv.MustExec(t, "", "SELECT pg_create_logical_replication_slot('"+c.cfg.SlotName+"', 'pgoutput')")
		}, pgerr.ObjectNotInPrerequisite, "database"},
		{"invalidated", func(c *capture) {
			for range 3 {
				c.exec("INSERT INTO other SELECT 'x' FROM generate_series(1, 1000); SELECT pg_switch_wal(); CHECKPOINT")
			}
		}, pgerr.ObjectNotInPrerequisite, "invalidated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := srv.CreateDatabase(t)
			srv.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE other (v text)")
			c2 := start(t, srv, db, testConfig(srv, db, "a"))
			c2.same()
			c2.stop()
			c2.exec("INSERT INTO a VALUES (1)")
			// The walsender may not have noticed the end yet.
			c2.exec("DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_replication_slots WHERE active AND slot_name = '" + c2.cfg.SlotName + "') LOOP PERFORM pg_sleep(0.01); END LOOP; END $$")
			c.lose(c2)
			c2.resume()
			select {
			case err := <-c2.done:
				c2.done <- nil
				if pgerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("%s: %v", pgerr.CodeOf(err), err)
				}
				if c.name != "another plugin" && c.name != "another database" && !strings.Contains(err.Error(), c2.cfg.SlotName) {
					t.Fatalf("the slot is not named: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("no error")
			}
		})
	}
}

// PostgreSQL 18 invalidates slots that nobody uses for a time: the reason is named.
func TestSlotIdleTimeout(t *testing.T) {
	t.Parallel()
	const setting = "idle_replication_slot_timeout"
	has := server.MustQuery(t, "", "SELECT count(*) FROM pg_settings WHERE name = '"+setting+"'") == "1"
	if has != (server.Major() >= 18) {
		t.Fatalf("PostgreSQL %s has %s: %v", server.Version(), setting, has)
	}
	if !has {
		return
	}
	srv := pgtest.Start(t, pgtest.Setting(setting, "1s"))
	srv.MustExec(t, "", "CREATE TABLE a (id int PRIMARY KEY)")
	c := start(t, srv, "postgres", testConfig(srv, "postgres", "a"))
	c.same()
	c.stop()
	for deadline := time.Now().Add(60 * time.Second); srv.MustQuery(t, "", "SELECT invalidation_reason FROM pg_replication_slots") != "idle_timeout"; {
		if time.Now().After(deadline) {
			t.Fatal("the slot is not invalidated")
		}
		time.Sleep(100 * time.Millisecond)
		srv.MustExec(t, "", "INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a; CHECKPOINT")
	}
	c.resume()
	err := <-c.done
	c.done <- nil
	var lost *PositionLostError
	if !errors.As(err, &lost) || !strings.Contains(err.Error(), "idle_timeout") {
		t.Fatal(err)
	}
}

// A failover slot is made from PostgreSQL 17 on, and refused before.
func TestFailoverSlot(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	cfg := testConfig(server, db, "a")
	cfg.Failover = true
	if server.Major() < 17 {
		if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != pgerr.FeatureNotSupported || !strings.Contains(err.Error(), "need PostgreSQL 17") {
			t.Fatal(err)
		}
		return
	}
	c := start(t, server, db, cfg)
	c.same()
	c.exec("INSERT INTO a VALUES (2)")
	c.same()
	if got := c.query("SELECT failover FROM pg_replication_slots WHERE slot_name = '" + cfg.SlotName + "'")[0][0]; got != "t" {
		t.Fatalf("failover is %s", got)
	}
}

// A slot that another connection uses is waited for, visibly.
func TestSlotInUse(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY)")
	c := start(t, server, db, testConfig(server, db, "a"))
	c.until("the stream", func() bool { return slices.Contains(c.statuses, "streaming") })
	c.mu.Lock()
	c.noConfirm = true // the slot stays at or before at
	at := c.at
	c.mu.Unlock()
	second := &capture{mirror: &mirror{}, t: t, srv: server, db: db, cfg: c.cfg}
	second.at, second.started = at, true
	second.run(&at)
	defer second.stop()
	second.until("the slot to be found in use", func() bool { return pgerr.CodeOf(second.lastErr) == pgerr.ObjectInUse })
	c.stop()
	second.until("the slot to be free", func() bool { return second.lastErr == nil && len(second.statuses) > 1 })
	second.exec("INSERT INTO a VALUES (1)")
	second.sync()
	if len(second.text(0)) != 1 {
		t.Fatal("nothing arrived")
	}
}

// An interrupted snapshot is void, and starts over with a new slot.
func TestSnapshotInterrupted(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")
	c := &capture{mirror: &mirror{}, t: t, srv: server, db: db, cfg: testConfig(server, db, "a")}
	stop := errors.New("killed")
	src, err := newFeed(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Run(context.Background(), nil, &failingSink{c.mirror, 3, stop}); err != stop {
		t.Fatal(err)
	}
	c.exec("DELETE FROM a WHERE id % 2 = 0")
	c.run(nil)
	defer c.stop()
	c.same()
	// The connection is lost in the middle.
	c.stop()
	if err := DropSlot(context.Background(), c.cfg, true); err != nil {
		t.Fatal(err)
	}
	cut := 0
	src, err = newFeed(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.mirror = &mirror{src: src}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan error, 1)
	go func() {
		c.done <- src.Run(ctx, nil, &cuttingSink{c.mirror, func() {
			if cut++; cut == 2 {
				c.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database()")
			}
		}})
	}()
	c.same()
	if cut < 3 || src.Metrics().Reconnects == 0 {
		t.Fatalf("the snapshot was not cut: %d chunks", cut)
	}
	c.exec("INSERT INTO a VALUES (0, 'new')")
	c.same()
}

type failingSink struct {
	*mirror
	left int
	err  error
}

func (s *failingSink) SnapshotChunk(ctx context.Context, c connectors.SnapshotChunk) error {
	if s.left--; s.left < 0 {
		return s.err
	}
	return s.mirror.SnapshotChunk(ctx, c)
}

type cuttingSink struct {
	*mirror
	cut func()
}

func (s *cuttingSink) SnapshotChunk(ctx context.Context, c connectors.SnapshotChunk) error {
	s.cut()
	return s.mirror.SnapshotChunk(ctx, c)
}

func TestSnapshotNever(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	cfg := testConfig(server, db, "a")
	cfg.SnapshotMode = SnapshotNever
	c := start(t, server, db, cfg)
	c.until("the start", func() bool { return c.started })
	c.exec("INSERT INTO a VALUES (2)")
	c.sync()
	if got := c.text(0); len(got) != 1 || got[0] != "2|" {
		t.Fatal(got)
	}
	// A second run without a position goes on from the slot's.
	c.stop()
	c.exec("INSERT INTO a VALUES (3)")
	c.mirror = &mirror{}
	c.run(nil)
	c.sync()
	if got := c.text(0); len(got) == 0 || got[len(got)-1] != "3|" {
		t.Fatal(got)
	}
}

func TestDropSlot(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY)")
	cfg := testConfig(server, db, "a")
	c := start(t, server, db, cfg)
	c.same()
	// It is in use: its walsender is ended first.
	if err := DropSlot(context.Background(), cfg, true); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-c.done:
		c.done <- nil
		if pgerr.CodeOf(err) != pgerr.UndefinedObject {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the source goes on without its slot")
	}
	if got := c.query("SELECT (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + cfg.SlotName + "')")[0]; got[0] != "0" || got[1] != "0" {
		t.Fatalf("left behind: %v", got)
	}
	if err := DropSlot(context.Background(), cfg, true); err != nil {
		t.Fatalf("second time: %v", err)
	}
	// A publication of somebody else's is kept.
	c.exec("CREATE PUBLICATION " + cfg.PublicationName + " FOR TABLE a")
	if err := DropSlot(context.Background(), cfg, true); err != nil || c.query("SELECT count(*) FROM pg_publication")[0][0] != "1" {
		t.Fatalf("the publication is gone: %v", err)
	}
}

func TestSlotCommand(t *testing.T) {
	for _, c := range []struct {
		temporary, export, failover bool
		want                        string
	}{
		{false, true, false, "CREATE_REPLICATION_SLOT s LOGICAL pgoutput EXPORT_SNAPSHOT"},
		{true, true, false, "CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"},
		{false, false, false, "CREATE_REPLICATION_SLOT s LOGICAL pgoutput NOEXPORT_SNAPSHOT"},
		{false, true, true, "CREATE_REPLICATION_SLOT s LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER)"},
		{false, false, true, "CREATE_REPLICATION_SLOT s LOGICAL pgoutput (SNAPSHOT 'nothing', FAILOVER)"},
	} {
		if got := slotCommand("s", c.temporary, c.export, c.failover); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// A slot that goes between the look at it and the start of replication is
// looked at again, which tells what has become of it.
func TestSlotGoneAtStart(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY)")
	src, err := newFeed(testConfig(server, db, "a"))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{feed: src, cfg: src.cfg, sink: &mirror{}}
	r.asm = newAssembler(t.Context(), r.sink, &r.cfg, 0, connectors.Position{LSN: 1}, &r.m)
	if err := r.stream(t.Context()); !IsTransient(err) || pgerr.CodeOf(err) != pgerr.UndefinedObject {
		t.Fatal(err)
	}
}
