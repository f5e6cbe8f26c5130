package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/state"
)

// hydrateChunk is how many rows go through a new operator between two commits
// of its state.
const hydrateChunk = 20_000

// A delta of at most this many rows is caught up between two ticks; a larger
// one in the background first.
const cutOverRows = 5_000

// maxRounds bounds the rounds in the background: a view that falls behind
// faster than it catches up is cut over all the same.
const maxRounds = 20

// hydrate builds a new view's state while other views go on ticking, and adds
// the view to the circuit and the catalog at one tick. After an error nothing
// of it is left. The caller holds e.ddl.
func (e *Engine) hydrate(ctx context.Context, rel *catalog.Relation, sink *physical.Sink, replaced []catalog.ID) (err error) {
	t := e.ticker
	began := time.Now()
	progress := e.hydrations.add(rel)
	defer e.hydrations.remove(progress)

	own := t.store.NewTxn()
	fresh := []physical.Fingerprint{physical.RelationFingerprint(uint32(rel.ID))}
	shared := &movingOpener{}
	defer shared.close()
	rec := &recorder{max: e.opts.RecordMaxBytes}
	var h *circuit.Hydrator
	err = t.do(ctx, func() error {
		for _, fp := range circuit.States(sink) {
			if !t.circuit.Has(fp) {
				fresh = append(fresh, fp)
			}
		}
		err := shared.move(t.store.Snapshot())
		if err != nil {
			return err
		}
		if h, err = circuit.NewHydrator(uint32(rel.ID), sink, t.circuit.Has, txnOpener{own}, shared); err != nil {
			return err
		}
		rec.start(h.Boundary())
		t.recorders = append(t.recorders, rec)
		return nil
	})
	if err != nil {
		return err
	}
	defer func() {
		// Whatever happened, the recorder ends; after an error the state goes too.
		_ = own.Close()
		_ = t.do(e.ctx(), func() error {
			t.removeRecorder(rec)
			if err == nil {
				return nil
			}
			for _, fp := range fresh {
				t.txn.DropState(fp)
			}
			return t.commit(e.ctx(), false)
		})
	}()

	commit := func() error {
		if err := own.Commit(nil); err != nil {
			return err
		}
		progress.rows.Add(hydrateChunk)
		return ctx.Err()
	}
	if err := h.Run(ctx, hydrateChunk, commit); err != nil {
		if ctx.Err() != nil {
			return canceled(ctx)
		}
		return err
	}
	for range maxRounds {
		var deltas map[physical.Fingerprint]*op.Delta
		var next *state.Snapshot
		var rows int
		err := t.do(ctx, func() (err error) {
			if deltas, rows, err = rec.take(cutOverRows); err == nil && deltas != nil {
				next = t.store.Snapshot()
			}
			return err
		})
		if err != nil {
			return err
		}
		if deltas == nil {
			break
		}
		progress.behind.Store(int64(rows))
		if err := h.CatchUp(deltas); err != nil {
			next.Release()
			return err
		}
		if err := own.Commit(nil); err != nil {
			next.Release()
			return err
		}
		if err := shared.move(next); err != nil {
			return err
		}
	}
	err = t.do(ctx, func() error {
		deltas, _, err := rec.take(-1)
		if err != nil {
			return err
		}
		if err := h.CatchUp(deltas); err != nil {
			return err
		}
		if err := own.Commit(nil); err != nil {
			return err
		}
		cat := t.cat
		for _, id := range replaced {
			cat = t.dropRelation(cat, cat.Relation(id))
		}
		if cat, err = cat.WithRelation(rel); err != nil {
			return err
		}
		if err := t.circuit.AddView(uint32(rel.ID), sink); err != nil {
			return err
		}
		return t.commitCatalog(cat)
	})
	if err != nil {
		return err
	}
	e.log.Info("view hydrated", "view", rel.Name, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// A recorder keeps what a hydration misses: the boundary operators' deltas
// since its snapshot. Used on the loop's goroutine alone.
type recorder struct {
	fps    []physical.Fingerprint
	deltas map[physical.Fingerprint]*op.Delta
	max    int
	over   bool
}

func (r *recorder) start(fps []physical.Fingerprint) {
	r.fps, r.deltas = fps, map[physical.Fingerprint]*op.Delta{}
}

// record adds the last tick's deltas.
func (r *recorder) record(c *circuit.Circuit) {
	if r.over {
		return
	}
	size := 0
	for _, fp := range r.fps {
		d := c.NodeDelta(fp)
		if d == nil || d.Empty() {
			continue
		}
		mine := r.deltas[fp]
		if mine == nil {
			mine = &op.Delta{}
			r.deltas[fp] = mine
		}
		mine.Rows.AppendBatch(&d.Rows, 1)
		mine.Errs.AppendBatch(&d.Errs, 1)
		size += mine.Rows.Bytes() + 24*mine.Rows.Len()
	}
	r.over = size > r.max
}

// take hands over what was recorded, consolidated; nil if it is at most few rows.
func (r *recorder) take(few int) (map[physical.Fingerprint]*op.Delta, int, error) {
	if r.over {
		return nil, 0, pgerr.Newf(pgerr.InsufficientResources, "the view's inputs changed by more than %d bytes while it was built", r.max).
			WithHint("Try again when there are fewer changes, or raise the memory budget.")
	}
	rows := 0
	for _, d := range r.deltas {
		rows += d.Rows.Len() + d.Errs.Len()
	}
	if rows <= few {
		return nil, 0, nil
	}
	for _, d := range r.deltas {
		d.Rows.Canonical()
		d.Errs.Canonical()
	}
	out := r.deltas
	r.deltas = map[physical.Fingerprint]*op.Delta{}
	return out, rows, nil
}

func (t *Ticker) removeRecorder(rec *recorder) {
	for i, r := range t.recorders {
		if r == rec {
			t.recorders = append(t.recorders[:i], t.recorders[i+1:]...)
			return
		}
	}
}

// A movingOpener opens arrangements at a snapshot that its owner moves on
// between rounds; arrangements already open move along.
type movingOpener struct {
	snap *state.Snapshot
	open []*movingArrangement
}

// A movingArrangement is an arrangement at its opener's snapshot. Read-only.
type movingArrangement struct {
	op.Arrangement
	fp   physical.Fingerprint
	part string
}

func (o *movingOpener) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	a, err := o.snap.Open(fp, part)
	if err != nil {
		return nil, err
	}
	m := &movingArrangement{a, fp, part}
	o.open = append(o.open, m)
	return m, nil
}

// move goes on to a later snapshot, which it then owns.
func (o *movingOpener) move(to *state.Snapshot) error {
	o.close()
	o.snap = to
	for _, m := range o.open {
		a, err := to.Open(m.fp, m.part)
		if err != nil {
			return fmt.Errorf("moving to the next snapshot: %w", err)
		}
		m.Arrangement = a
	}
	return nil
}

func (o *movingOpener) close() {
	if o.snap != nil {
		o.snap.Release()
		o.snap = nil
	}
}

// A progressList is what helios.views shows of views being hydrated.
type progressList struct {
	sync.Mutex
	list []*hydration
}

// A hydration is the progress of one view.
type hydration struct {
	rel          *catalog.Relation
	began        time.Time
	rows, behind atomic.Int64
}

func (l *progressList) add(rel *catalog.Relation) *hydration {
	h := &hydration{rel: rel, began: time.Now()}
	l.Lock()
	l.list = append(l.list, h)
	l.Unlock()
	return h
}

func (l *progressList) remove(h *hydration) {
	l.Lock()
	defer l.Unlock()
	for i, o := range l.list {
		if o == h {
			l.list = append(l.list[:i], l.list[i+1:]...)
			return
		}
	}
}

func (l *progressList) all() []*hydration {
	l.Lock()
	defer l.Unlock()
	return append([]*hydration(nil), l.list...)
}
