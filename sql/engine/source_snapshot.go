package engine

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// SnapshotBegin voids what an unfinished snapshot has loaded.
func (r *sourceRunner) SnapshotBegin(ctx context.Context) error {
	r.abort()
	begin := r.beginInitial
	if r.renews() {
		begin = r.beginRenewal
	}
	if err := begin(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.mu.snapshotRows = 0
	r.mu.Unlock()
	return r.openLoaders()
}

func (r *sourceRunner) beginInitial(ctx context.Context) error {
	t := r.engine.ticker
	return t.do(ctx, func() error {
		for _, id := range *r.tables.Load() {
			t.dropLoaded(physical.RelationFingerprint(uint32(id)))
		}
		t.txn.DeleteMeta(snapshotKey(r.id))
		return t.commit(ctx, false)
	})
}

// loading names the state that a table's rows are loaded into.
func (r *sourceRunner) loading(id catalog.ID) physical.Fingerprint {
	if r.renewing.Load() {
		return scratch(id)
	}
	return physical.RelationFingerprint(uint32(id))
}

// openLoaders begins to load all tables, or goes on with it.
func (r *sourceRunner) openLoaders() error {
	cat, rels := r.engine.Catalog(), []*catalog.Relation(nil)
	for _, id := range *r.tables.Load() {
		rels = append(rels, cat.Relation(id))
	}
	return r.open(r.announced, rels, r.loading)
}

// SnapshotChunk loads rows into a base table. Safe for concurrent use.
func (r *sourceRunner) SnapshotChunk(_ context.Context, c connectors.SnapshotChunk) error {
	l := r.loaders[c.Table]
	if l == nil {
		return nil
	}
	r.mu.Lock()
	r.mu.snapshotRows += int64(c.Rows.Len())
	r.mu.Unlock()
	return l.add(c)
}

// SnapshotEnd finishes the base tables and publishes them all at once.
func (r *sourceRunner) SnapshotEnd(ctx context.Context, at connectors.Position) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, l := range r.loaders {
		if l != nil {
			g.Go(func() error { return l.finish(gctx) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.loaders, r.offered = nil, nil
	e, t := r.engine, r.engine.ticker
	if r.renewing.Load() {
		err := r.endLoading(ctx, at)
		if err == nil {
			err = r.renew(ctx)
		}
		r.fresh = err == nil
		return err
	}
	err := t.do(ctx, func() error {
		src := *t.cat.Source(r.id)
		src.Snapshotted = true
		cat, err := t.cat.WithSource(&src)
		if err != nil {
			return err
		}
		for _, id := range *r.tables.Load() {
			if rel := t.cat.Relation(id); rel != nil {
				if err := t.addLoaded(rel); err != nil {
					return err
				}
			}
		}
		r.dropStaged()
		t.setPosition(r.id, at)
		t.txn.DeleteMeta(snapshotKey(r.id))
		return t.commitCatalog(cat)
	})
	if err != nil {
		return err
	}
	r.fresh = true
	e.log.Info("snapshot published", "source", r.name, "lsn", at.LSN)
	return t.syncTo(t.committed.Load().tick)
}

// dropStaged drops in the tick's batch what was staged for the source's tables,
// of those that have stopped too.
func (r *sourceRunner) dropStaged() {
	t := r.engine.ticker
	for _, rel := range t.cat.Relations() {
		if rel.Source == r.id {
			t.txn.DropState(staged(physical.RelationFingerprint(uint32(rel.ID))))
			t.txn.DropState(staged(scratch(rel.ID)))
		}
	}
}

var _ connectors.SnapshotKeeper = (*sourceRunner)(nil)

// snapshotKey is where the record of an unfinished snapshot lies in the
// store's metadata.
func snapshotKey(source catalog.ID) string { return fmt.Sprintf("snapshot %d", source) }

// SnapshotResume goes on loading into the tables.
func (r *sourceRunner) SnapshotResume(context.Context, connectors.LSN) error {
	return r.openLoaders()
}
