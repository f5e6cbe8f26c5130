package cdc

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

func TestOnTimeline(t *testing.T) {
	const history = "1\t0/3000000\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-01\n"
	for _, c := range []struct {
		at   connectors.Position
		old  uint32
		lost bool
	}{
		{connectors.Position{LSN: 0x3000000}, 1, false},
		{connectors.Position{LSN: 0x3000001}, 1, true},
		{connectors.Position{LSN: 0x2ffffff, Step: 5, StepLSN: 0x3000010}, 1, true},
		{connectors.Position{LSN: 0x3000001}, 2, false},
		{connectors.Position{LSN: 0x5000001}, 2, true},
		{connectors.Position{LSN: 1}, 4, true},
	} {
		err := onTimeline(c.at, c.old, 3, history)
		var lost *PositionLostError
		if errors.As(err, &lost) != c.lost || (err != nil) != c.lost {
			t.Errorf("%+v on %d: %v", c.at, c.old, err)
		}
	}
}

// ends waits for the source's end and gives its error.
func (c *capture) ends() error {
	c.t.Helper()
	select {
	case err := <-c.done:
		c.done <- nil
		return err
	case <-time.After(30 * time.Second):
		c.t.Fatalf("the source goes on: %v", c.statuses)
		return nil
	}
}

// promote starts a stopped server as a standby and promotes it.
func promote(t *testing.T, srv *pgtest.Server) {
	t.Helper()
	signal := filepath.Join(srv.Dir, "data", "standby.signal")
	if err := os.WriteFile(signal, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(signal, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{srv.Restart, func() error { return srv.Exec(t.Context(), "", "SELECT pg_promote(true, 60)") }} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-R", "-p", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A source goes on at a promoted server that has its slot and its position in
// its history, and at no other; nor at one restored from a backup.
func TestOtherHistory(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t)
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v int)")
	insert := func() { srv.MustExec(t, db, "INSERT INTO a (v) SELECT generate_series(1, 1000)") }
	data, backup := filepath.Join(srv.Dir, "data"), filepath.Join(srv.Dir, "backup")
	cfg := testConfig(srv, db, "a")
	c := &capture{mirror: &mirror{}, t: t, srv: srv, db: db, cfg: cfg}
	c.run(nil)
	t.Cleanup(c.stop)
	insert()
	c.same()
	kept := func(timeline uint32) {
		t.Helper()
		c.until("the origin to be kept", func() bool { return c.config.Timeline == timeline && c.config.SystemID != "" })
		c.cfg.SystemID, c.cfg.Timeline = c.config.SystemID, c.config.Timeline
	}
	kept(1)
	c.stop()
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, data, backup)
	promote(t, srv)
	insert()
	c.resume()
	c.same()
	kept(2)
	insert()
	c.same()
	lost := func(text string) {
		t.Helper()
		c.resume()
		err := c.ends()
		var lost *PositionLostError
		if !errors.As(err, &lost) || pgerr.CodeOf(err) != pgerr.ObjectNotInPrerequisite || !strings.Contains(err.Error(), text) {
			t.Fatalf("%q: %v", text, err)
		}
	}
	// The backup, before timeline 2 was, and with less log than was read.
	c.stop()
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, backup, data)
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	lost("timeline 2")
	c.cfg.Timeline = 0
	lost("restored from a backup")
	// The backup, gone on on a timeline 2 of its own, past the position.
	c.cfg.Timeline = 1
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	promote(t, srv)
	insert()
	insert()
	insert()
	lost("branched off timeline 1")
	c.cfg.SystemID = "42"
	lost("system identifier")
	// A new snapshot, where that is wanted.
	c.cfg.SnapshotMode = SnapshotWhenNeeded
	c.resume()
	c.same()
	c.exec("SELECT pg_switch_wal()")
	insert()
	c.same()
	kept(2)
}

// An unfinished snapshot goes on at a promoted server that has in its history
// all that was read, and begins anew at another one, though that has the slot.
func TestSnapshotOtherHistory(t *testing.T) {
	t.Parallel()
	for _, mode := range []SnapshotMode{SnapshotInitial, SnapshotInitialOnly} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			snapshotOtherHistory(t, mode)
		})
	}
}

func snapshotOtherHistory(t *testing.T, mode SnapshotMode) {
	srv := pgtest.Start(t)
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text) WITH (fillfactor = 50); INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(1, 2000) i;
		CREATE TABLE f (id int, v text) WITH (fillfactor = 50); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT * FROM a`)
	data, backup := filepath.Join(srv.Dir, "data"), filepath.Join(srv.Dir, "backup")
	stop := func() {
		t.Helper()
		if err := srv.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testConfig(srv, db, "a", "f")
	cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = mode, 64<<10, 1
	k := &keeper{mirror: &mirror{}}
	c := newKeeperCapture(t, k, db, cfg)
	c.srv = srv
	interrupted := func(goes int) {
		t.Helper()
		if k.calls = 20; c.take(k) {
			t.Fatal("the snapshot is in")
		}
		if k.goes != goes {
			t.Fatalf("went on %d times, expected %d", k.goes, goes)
		}
	}
	interrupted(0)
	stop()
	promote(t, srv)
	stop()
	copyDir(t, data, backup)
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	// What is read now has never been there on the next timeline.
	srv.MustExec(t, db, "UPDATE a SET v = 'never' WHERE id % 10 = 0; UPDATE f SET v = 'never' WHERE id % 10 = 0")
	interrupted(1)
	stop()
	copyDir(t, backup, data)
	promote(t, srv)
	srv.MustExec(t, db, "UPDATE a SET v = 'new' WHERE id < 5; SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000)) FROM generate_series(1, 5)")
	if k.calls = math.MaxInt; !c.take(k) {
		t.Fatal("the snapshot is not in")
	}
	if mode == SnapshotInitial {
		c.sync()
	}
	c.compare()
	if k.goes != 1 {
		t.Errorf("went on %d times", k.goes)
	}
}

// A snapshot that replaces what the sink has goes on too. Tables that stand for
// others by then begin anew.
func TestSnapshotOfOthersGoesOn(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('a', 200) FROM generate_series(1, 1000) i;
		CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT i, repeat('b', 200) FROM generate_series(1, 1000) i;
		CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c SELECT i, repeat('c', 200) FROM generate_series(1, 1000) i`)
	cfg := testConfig(server, db, "a", "b", "c")
	cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = SnapshotWhenNeeded, 16<<10, 1
	k := &keeper{mirror: &mirror{}}
	c := newKeeperCapture(t, k, db, cfg)
	anew := new(connectors.Position)
	read := uint64(0)
	for range 3 {
		if k.calls = 30; c.takeFrom(anew, k) {
			t.Fatal("the snapshot is in")
		}
		read += c.src.Metrics().SnapshotRecords
	}
	if k.goes != 2 || read > 3000 {
		t.Fatalf("went on %d times, %d rows read", k.goes, read)
	}
	server.MustExec(t, db, "ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b; DELETE FROM c WHERE id % 10 = 0; UPDATE c SET v = 'changed' WHERE id % 10 = 1")
	if k.calls = math.MaxInt; !c.takeFrom(anew, k) {
		t.Fatal("the snapshot is not in")
	}
	if m := c.src.Metrics(); k.goes != 3 || m.SnapshotRecords < 2000 {
		t.Errorf("went on %d times, %d rows read in the end", k.goes, m.SnapshotRecords)
	}
	server.MustExec(t, db, "UPDATE a SET v = 'later' WHERE id < 10; UPDATE b SET v = 'later' WHERE id < 20")
	c.same()
}
