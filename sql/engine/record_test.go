package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/state"
)

// A fullableFS says that its disk has no room left while full is set.
type fullableFS struct {
	vfs.FS
	full atomic.Bool
}

func (fs *fullableFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if fs.full.Load() {
		return vfs.DiskUsage{TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 39, TotalBytes: 1 << 40}, nil
}

// TestRecordOnlyCommitted: a statement that a full disk refuses while a view
// is built must not reach the view.
func TestRecordOnlyCommitted(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	fs := &fullableFS{FS: vfs.Default}
	store, err := state.Open(state.Options{Dir: t.TempDir(), FS: fs, MemoryBudget: 64 << 20, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Store: store, Logger: log, CheckpointInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	ses, err := e.NewSession(ctx, map[string]string{"user": "u", "database": "helios"})
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string) error { return ses.Query(ctx, sql, discard{}) }
	if err := exec("CREATE TABLE t (a int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	rec := &recorder{max: 1 << 20}
	err = e.ticker.do(ctx, func() error {
		for _, rel := range e.ticker.cat.Relations() {
			if rel.Name == "t" {
				rec.start([]physical.Fingerprint{physical.RelationFingerprint(uint32(rel.ID))})
			}
		}
		e.ticker.recorders = append(e.ticker.recorders, rec)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	committed, refused := 0, 0
	insert := func() {
		switch err := exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", committed+refused)); {
		case err == nil:
			committed++
		case pgerr.CodeOf(err) == pgerr.DiskFull:
			refused++
		default:
			t.Fatal(err)
		}
	}
	insert()
	fs.full.Store(true)
	for refused == 0 { // how full the disk is is not asked for every commit
		insert()
	}
	fs.full.Store(false)
	for before := committed; committed == before; {
		insert()
		time.Sleep(time.Millisecond)
	}
	rows := 0
	err = e.ticker.do(ctx, func() error {
		var err error
		_, rows, err = rec.take(-1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows != committed {
		t.Errorf("%d rows recorded of %d committed and %d refused", rows, committed, refused)
	}
}

// discard is a result that nobody reads.
type discard struct{ session.ResultWriter }

func (discard) Complete(string) error     { return nil }
func (discard) Notice(*pgerr.Error) error { return nil }
