package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// A renewal makes tables of a source what copies of them are. It is noted in the
// store's metadata, in two states: while the copies are loaded it says that there
// is no position to go on from, so that whatever happens they are loaded to their end,
// from where the snapshot's record says; when they are whole, that the differences are
// being applied, in steps as of a large transaction: until its end readers keep what
// was before, and what interrupts it, it goes on with the same copies. Applying again
// what is applied changes nothing.
type renewal struct {
	Why    string              // the position was lost, for people
	Loaded bool                // the copies are whole
	At     connectors.Position // what they are of
	Copies []renewedTable      `json:",omitempty"`
}

// A renewedTable is a relation and the state that its copy is in.
type renewedTable struct {
	Relation catalog.ID
	State    physical.Fingerprint
}

// renewalKey is where a source's renewal lies in the store's metadata.
func renewalKey(source catalog.ID) string { return fmt.Sprintf("renewal %d", source) }

// scratch names the state that a captured table's new snapshot is loaded into.
func scratch(rel catalog.ID) physical.Fingerprint {
	fp := physical.RelationFingerprint(uint32(rel))
	copy(fp[:], "new")
	return fp
}

// renewal gives a source's renewal, nil if there is none.
func (e *Engine) renewal(source catalog.ID) (*renewal, error) {
	data, ok, err := e.store.Meta(renewalKey(source))
	if err != nil || !ok {
		return nil, err
	}
	n := new(renewal)
	if err := json.Unmarshal(data, n); err != nil {
		return nil, fmt.Errorf("reading the renewal of source %d: %w", source, err)
	}
	return n, nil
}

// noteRenewal adds a renewal, in a state that begins, to the tick's batch. A
// record of a snapshot that there is while it is loaded is thus of it.
func (t *Ticker) noteRenewal(source catalog.ID, n *renewal) error {
	data, err := json.Marshal(n)
	if err == nil {
		t.txn.SetMeta(renewalKey(source), data)
		t.txn.DeleteMeta(snapshotKey(source))
	}
	return err
}

// forgetRenewal takes a renewal and its copies away in the tick's batch.
func (t *Ticker) forgetRenewal(source catalog.ID) error {
	n, err := t.engine.renewal(source)
	if err != nil || n == nil {
		return err
	}
	for _, c := range n.Copies {
		t.txn.DropState(c.State)
	}
	t.txn.DeleteMeta(renewalKey(source))
	return nil
}

// noted gives the source's renewal, nil if there is none. While the copies of one
// are to be loaded the source is renewing, from before it runs.
func (r *sourceRunner) noted() (*renewal, error) {
	n, err := r.engine.renewal(r.id)
	if n != nil {
		r.why = n.Why
	}
	r.renewing.Store(n != nil && !n.Loaded)
	return n, err
}

// startRenewal commits that copies are whole, and a catalog that is published
// with the renewal's end. From here on only renew goes on.
func (t *Ticker) startRenewal(ctx context.Context, cat *catalog.Snapshot, source catalog.ID, n *renewal) error {
	if err := t.noteRenewal(source, n); err != nil {
		return err
	}
	if err := saveCatalog(t.txn, cat); err != nil {
		return err
	}
	t.stepOn(source, n.At.LSN)
	if err := t.commit(ctx, true); err != nil {
		return err
	}
	t.cat = cat
	return nil
}

// stepOn moves a source's position one step on towards an LSN.
func (t *Ticker) stepOn(source catalog.ID, to connectors.LSN) {
	p := t.position(source)
	t.setPosition(source, connectors.Position{LSN: p.LSN, Step: p.Step + 1, StepLSN: to})
}

// renew ends a renewal whose copies are whole, if there is one.
func (r *sourceRunner) renew(ctx context.Context) error {
	e, t := r.engine, r.engine.ticker
	n, err := e.renewal(r.id)
	if err != nil || n == nil || !n.Loaded {
		return err
	}
	began, snap := time.Now(), e.store.Snapshot()
	defer snap.Release()
	cat, s := e.Catalog(), &stepper{runner: r, to: n.At.LSN}
	for _, c := range n.Copies {
		rel := cat.Relation(c.Relation)
		if rel == nil {
			continue // ALTER SOURCE … DROP TABLE
		}
		if err := s.table(ctx, rel, snap, physical.RelationFingerprint(uint32(rel.ID)), snap, c.State); err != nil {
			return err
		}
	}
	err = s.step(ctx, func() error {
		t.setPosition(r.id, n.At)
		for _, rel := range t.cat.Relations() {
			if rel.Source == r.id {
				t.txn.DropState(scratch(rel.ID)) // of a table that has stopped, too
			}
		}
		return t.forgetRenewal(r.id)
	})
	if err == nil {
		err = r.sync(ctx)
	}
	if err != nil {
		return err
	}
	r.renewing.Store(false)
	r.within(false, n.At.LSN)
	r.changes.Add(int64(s.n))
	e.log.Info("tables renewed", "source", r.name, "lsn", n.At.LSN, "changes", s.n, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// within notes whether the source is within a large transaction, and ends it if
// it shall halt and may.
func (r *sourceRunner) within(is bool, at connectors.LSN) {
	r.gate.Lock()
	defer r.gate.Unlock()
	r.gate.within, r.gate.at = is, at
	r.endHalted()
}

// renews reports whether a snapshot of the source replaces an earlier one.
func (r *sourceRunner) renews() bool {
	src := r.engine.Catalog().Source(r.id)
	return src != nil && src.Snapshotted
}

// beginRenewal begins to load copies of the tables, perhaps anew.
func (r *sourceRunner) beginRenewal(ctx context.Context) error {
	if err := r.drain(ctx); err != nil {
		return err
	}
	t := r.engine.ticker
	n := &renewal{}
	r.mu.Lock()
	if r.mu.err != nil {
		n.Why = r.mu.err.Error()
	}
	r.mu.Unlock()
	r.why, r.config = n.Why, nil
	r.renewing.Store(true)
	err := t.doNow(ctx, func() error {
		for _, id := range *r.tables.Load() {
			t.dropLoaded(scratch(id))
		}
		if err := t.noteRenewal(r.id, n); err != nil {
			return err
		}
		return t.commit(ctx, true)
	})
	if err == nil {
		err = r.sync(ctx) // behind it, nothing that went before is confirmed any more
	}
	if err == nil {
		err = r.giveUp(ctx)
	}
	return err
}

// drain waits until what the source has delivered is in.
func (r *sourceRunner) drain(ctx context.Context) error {
	in := make(chan struct{})
	if err := r.enqueue(ctx, input{src: r, mark: in}); err != nil {
		return err
	}
	select {
	case <-in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveUp takes back what is in of a large transaction whose rest will not come,
// so that the tick loop is free for others again. If the process was started within
// it, there is nothing to go back to: it ends with the renewal.
func (r *sourceRunner) giveUp(ctx context.Context) error {
	r.gate.Lock()
	half := r.gate.within
	r.gate.Unlock()
	t := r.engine.ticker
	v := t.acquire()
	defer v.release()
	if !half || v.unfinished {
		return nil
	}
	now := r.engine.store.Snapshot()
	defer now.Release()
	cat, s := v.cat, &stepper{runner: r}
	var rels []*catalog.Relation
	for _, rel := range cat.Relations() {
		if rel.Source != r.id {
			continue
		}
		fp := physical.RelationFingerprint(uint32(rel.ID))
		if had, err := hasErrors(v.snap, fp); err != nil || had {
			return err // they cannot be brought back
		}
		rels = append(rels, rel)
	}
	for _, rel := range rels {
		fp := physical.RelationFingerprint(uint32(rel.ID))
		if err := s.table(ctx, rel, now, fp, v.snap, fp); err != nil {
			return err
		}
	}
	var at connectors.LSN
	err := s.step(ctx, func() error {
		at = t.position(r.id).LSN
		t.setPosition(r.id, connectors.Position{LSN: at})
		return nil
	})
	if err != nil {
		return err
	}
	r.within(false, at)
	r.engine.log.Info("a large transaction was given up", "source", r.name, "changes", s.n)
	return nil
}

// endLoading says that the copies are whole, and what the position that they
// are of depends on.
func (r *sourceRunner) endLoading(ctx context.Context, at connectors.Position) error {
	r.gate.Lock()
	if r.gate.halted && !r.gate.within {
		r.gate.Unlock()
		return errHalted
	}
	r.gate.within = true
	r.gate.Unlock()
	t, n := r.engine.ticker, &renewal{Why: r.why, Loaded: true, At: at}
	for _, id := range *r.tables.Load() {
		if id != 0 {
			n.Copies = append(n.Copies, renewedTable{id, scratch(id)})
		}
	}
	r.engine.log.Info("new snapshot loaded; applying what differs", "source", r.name, "lsn", at.LSN)
	return t.doNow(ctx, func() (err error) {
		cat := t.cat
		if r.config != nil {
			if cat, err = r.withConfig(cat, r.config); err != nil {
				return err
			}
		}
		src := *cat.Source(r.id)
		src.Stale = nil // what was missed of them is in the copies
		if cat, err = cat.WithSource(&src); err != nil {
			return err
		}
		for i, id := range *r.tables.Load() {
			rel := cat.Relation(id)
			if rel == nil || rel.Partitioned || !r.announced[i].Partitioned {
				continue
			}
			now := *rel
			now.Partitioned = true
			if cat, err = cat.WithRelation(&now); err != nil {
				return err
			}
			t.circuit.ReadInserts(uint32(id))
		}
		r.dropStaged()
		return t.startRenewal(ctx, cat, r.id, n)
	})
}

// withConfig gives the catalog with another configuration of the source.
func (r *sourceRunner) withConfig(cat *catalog.Snapshot, f func([]byte) ([]byte, error)) (*catalog.Snapshot, error) {
	src := *cat.Source(r.id)
	def, err := r.engine.definition(&src)
	if err != nil {
		return nil, err
	}
	if def.Config, err = f(def.Config); err != nil {
		return nil, err
	}
	for i := range def.Tables {
		for _, t := range r.announced { // others may stand for them
			if d := &def.Tables[i]; d.Schema == t.Schema && d.Name == t.Name && t.OID != 0 {
				d.OID = t.OID
			}
		}
	}
	if src.Config, err = json.Marshal(def); err != nil {
		return nil, fmt.Errorf("encoding source %q: %w", src.Name, err)
	}
	return cat.WithSource(&src)
}

// sync makes all that is committed durable; with a full disk it tries again.
func (r *sourceRunner) sync(ctx context.Context) error {
	t := r.engine.ticker
	for {
		err := t.syncTo(t.committed.Load().tick)
		if err == nil {
			return nil
		}
		r.setStatus("retrying", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
