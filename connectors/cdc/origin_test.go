package cdc

import (
	"errors"
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

// A source goes on at a promoted server that has its slot and its position in
// its history, and at no other; nor at one restored from a backup.
func TestOtherHistory(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t)
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v int)")
	insert := func() { srv.MustExec(t, db, "INSERT INTO a (v) SELECT generate_series(1, 1000)") }
	copyDir := func(from, to string) {
		t.Helper()
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-R", "-p", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
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
	copyDir(data, backup)
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
	copyDir(backup, data)
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
