package engine

import (
	"context"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/state"
)

// A readView is one published tick: what a statement reads. It is shared by
// all readers of that tick.
type readView struct {
	snap      *state.Snapshot
	cat       *catalog.Snapshot
	tick      uint64
	positions []sourcePosition
	at        time.Time
	// unfinished: the store was opened within a large transaction, whose rest
	// must come first.
	unfinished bool
}

// A sourcePosition is how far one source has come.
type sourcePosition struct {
	source   catalog.ID
	position connectors.Position
}

// release gives the view back.
func (v *readView) release() { v.snap.Release() }

// lsn gives the position of a source, 0 if it has none yet.
func (v *readView) lsn(source catalog.ID) connectors.LSN {
	for _, p := range v.positions {
		if p.source == source {
			return p.position.LSN
		}
	}
	return 0
}

// acquire gives the last published tick; the caller releases it.
func (t *Ticker) acquire() *readView {
	t.pub.Lock()
	defer t.pub.Unlock()
	t.pub.view.snap.Retain()
	return t.pub.view
}

// publish makes the last commit what readers see.
func (t *Ticker) publish() {
	v := &readView{snap: t.store.Snapshot(), cat: t.cat, tick: t.tick, positions: t.positionList(), at: time.Now(), unfinished: t.unfinished() != 0}
	t.pub.Lock()
	old := t.pub.view
	t.pub.view = v
	t.pub.Unlock()
	t.wake()
	if old != nil {
		old.release()
	}
}

// wake makes those who wait for a tick look again.
func (t *Ticker) wake() {
	t.pub.Lock()
	defer t.pub.Unlock()
	if t.pub.waiting > 0 {
		close(t.pub.changed)
		t.pub.changed = make(chan struct{})
	}
}

// awaited reports whether someone waits for a tick.
func (t *Ticker) awaited() bool {
	t.pub.Lock()
	defer t.pub.Unlock()
	return t.pub.waiting > 0
}

// waitFor gives the first published tick for which ok is true; the caller
// releases it. ok may also end the wait with an error.
func (t *Ticker) waitFor(ctx context.Context, ok func(*readView) (bool, error)) (*readView, error) {
	for {
		t.pub.Lock()
		t.pub.view.snap.Retain()
		v, changed := t.pub.view, t.pub.changed
		t.pub.waiting++
		t.pub.Unlock()
		done, err := ok(v)
		if done || err != nil {
			t.pub.Lock()
			t.pub.waiting--
			t.pub.Unlock()
			if err != nil {
				v.release()
				return nil, err
			}
			return v, nil
		}
		v.release()
		select {
		case <-changed:
		case <-ctx.Done():
			err = canceled(ctx)
		}
		t.pub.Lock()
		t.pub.waiting--
		t.pub.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// canceled is the error of a statement whose context ended.
func canceled(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && pgerr.CodeOf(cause) != pgerr.InternalError {
		return cause
	}
	return pgerr.Newf(pgerr.QueryCanceled, "canceling statement due to user request")
}

// A txnOpener opens arrangements for writing in a transaction of the store.
type txnOpener struct{ txn *state.Txn }

func (o txnOpener) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	return o.txn.Open(fp, part)
}

// A snapshotOpener opens arrangements for reading. The snapshot may be
// changed between uses by its owner.
type snapshotOpener struct{ snap *state.Snapshot }

func (o snapshotOpener) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	return o.snap.Open(fp, part)
}
