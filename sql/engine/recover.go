package engine

import (
	"context"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// recover builds the circuit of the catalog's tables and views over the
// store's last commit. A view whose operators have no state there (another
// version made it) is hydrated anew; states that nothing uses are dropped.
func (e *Engine) recover() error {
	t := e.ticker
	have := map[physical.Fingerprint]bool{}
	states, err := e.store.States()
	if err != nil {
		return err
	}
	for _, st := range states {
		have[st.Fingerprint] = true
	}
	used := map[physical.Fingerprint]bool{}
	for _, src := range t.cat.Sources() {
		n, err := e.renewal(src.ID)
		if err != nil {
			return err
		}
		if n != nil {
			for _, c := range n.Copies {
				used[c.State] = true
			}
		}
		if c := src.Copying; c != nil {
			fp := physical.RelationFingerprint(uint32(c.Relation.ID))
			used[fp], used[staged(fp)] = true, true
		}
	}
	for _, rel := range t.cat.Relations() {
		switch rel.Kind {
		case catalog.Table, catalog.SourceTable:
			_, unfinished, err := t.store.Meta(snapshotKey(rel.Source))
			if err != nil {
				return err
			}
			fp, copied := physical.RelationFingerprint(uint32(rel.ID)), scratch(rel.ID)
			used[fp] = t.loaded(rel) || unfinished
			for _, loading := range []physical.Fingerprint{staged(fp), copied, staged(copied)} {
				used[loading] = used[loading] || unfinished
			}
			if err := t.addTable(rel); err != nil {
				return err
			}
		case catalog.MaterializedView:
			if err := e.recoverView(rel, have, used); err != nil {
				return fmt.Errorf("view %q: %w", rel.Name, err)
			}
		}
	}
	for fp := range have {
		if !used[fp] {
			t.txn.DropState(fp)
		}
	}
	if t.dirty() {
		if err := t.commit(context.Background(), false); err != nil {
			return err
		}
	}
	t.publish()
	return nil
}

// recoverView adds a view at start. No tick runs meanwhile.
func (e *Engine) recoverView(rel *catalog.Relation, have, used map[physical.Fingerprint]bool) error {
	t := e.ticker
	sink, err := e.planStored(t.cat, rel)
	if err != nil {
		return err
	}
	states := circuit.States(sink)
	states = append(states, physical.RelationFingerprint(uint32(rel.ID)))
	missing := false
	for _, fp := range states {
		missing = missing || !have[fp] && !t.circuit.Has(fp)
		used[fp] = true
	}
	if missing {
		e.log.Info("view is hydrated anew", "view", rel.Name)
		snap := t.store.Snapshot()
		defer snap.Release()
		own := t.store.NewTxn()
		for _, fp := range states {
			if !t.circuit.Has(fp) {
				own.DropState(fp)
			}
		}
		if err := own.Commit(nil); err != nil {
			return err
		}
		h, err := circuit.NewHydrator(uint32(rel.ID), sink, t.circuit.Has, txnOpener{own}, snapshotOpener{snap})
		if err != nil {
			return err
		}
		if err := h.Run(context.Background(), hydrateChunk, func() error { return own.Commit(nil) }); err != nil {
			return err
		}
		for _, fp := range states {
			have[fp] = true
		}
	}
	return t.circuit.AddView(uint32(rel.ID), sink)
}

// loaded reports whether a table's contents are there: a source's tables have
// none before the initial snapshot is in.
func (t *Ticker) loaded(rel *catalog.Relation) bool {
	if rel.Kind != catalog.SourceTable {
		return true
	}
	src := t.cat.Source(rel.Source)
	return src != nil && src.Snapshotted
}

// addTable adds a table to the circuit, if its contents are there.
func (t *Ticker) addTable(rel *catalog.Relation) error {
	if !t.loaded(rel) {
		return nil
	}
	return t.addLoaded(rel)
}

func (t *Ticker) addLoaded(rel *catalog.Relation) error {
	err := t.circuit.AddTable(uint32(rel.ID), rel.Name, rel.Columns.Types(), rel.Key)
	if err == nil && rel.Partitioned {
		t.circuit.ReadInserts(uint32(rel.ID))
	}
	return err
}

// rebuild undoes what is not committed: it goes back to the store's last
// commit and builds the circuit again.
func (t *Ticker) rebuild() error {
	t.restore()
	for _, rel := range t.cat.Relations() {
		switch rel.Kind {
		case catalog.Table, catalog.SourceTable:
			if err := t.addTable(rel); err != nil {
				return err
			}
		case catalog.MaterializedView:
			sink, err := t.engine.planStored(t.cat, rel)
			if err != nil {
				return fmt.Errorf("view %q: %w", rel.Name, err)
			}
			if err := t.circuit.AddView(uint32(rel.ID), sink); err != nil {
				return fmt.Errorf("view %q: %w", rel.Name, err)
			}
		}
	}
	return nil
}

// commitCatalog commits the tick's batch with a new catalog and publishes.
// Only on the loop.
func (t *Ticker) commitCatalog(cat *catalog.Snapshot) error {
	if err := saveCatalog(t.txn, cat); err != nil {
		return err
	}
	if err := t.commit(t.engine.ctx(), false); err != nil {
		return err
	}
	t.cat = cat
	t.publish()
	return nil
}

// unfinished gives the source in whose large transaction the last commit lies,
// 0 if it lies in none.
func (t *Ticker) unfinished() catalog.ID {
	for _, p := range t.positions {
		if p.position.Step > 0 {
			return p.source
		}
	}
	return 0
}
