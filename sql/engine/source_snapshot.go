package engine

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// SnapshotBegin voids what an unfinished snapshot has loaded.
func (r *sourceRunner) SnapshotBegin(ctx context.Context) error {
	r.abortLoaders()
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

// openLoaders begins to load all tables.
func (r *sourceRunner) openLoaders() (err error) {
	ids, cat := *r.tables.Load(), r.engine.Catalog()
	r.loaders, r.offered, r.kept = make([]*loader, len(ids)), nil, time.Now()
	for i, id := range ids {
		if rel := cat.Relation(id); rel != nil {
			if r.loaders[i], err = newLoader(r.engine.store, rel, r.loading(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// abortLoaders gives up what is not ingested yet, and with it the record that tells of it.
func (r *sourceRunner) abortLoaders() {
	for _, l := range r.loaders {
		if l != nil {
			l.abort()
		}
	}
	r.loaders, r.offered = nil, nil
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
	r.loaders = nil
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
	r.offered, r.fresh = nil, true
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

// SnapshotRecorded gives the record of an unfinished snapshot. What this
// process has loaded since the last one is kept first.
func (r *sourceRunner) SnapshotRecorded(ctx context.Context) ([]byte, error) {
	if err := r.keepRecord(ctx); err != nil {
		return nil, err
	}
	if r.renews() {
		return r.record, nil
	}
	record, ok, err := r.engine.store.Meta(snapshotKey(r.id))
	if err != nil || !ok {
		return nil, err
	}
	return record, nil
}

// SnapshotRecord keeps the record now and then; that of a renewal not longer
// than the process.
func (r *sourceRunner) SnapshotRecord(ctx context.Context, rec connectors.SnapshotRecord) (err error) {
	if r.offered, err = rec.Bytes(); err != nil {
		return err
	}
	switch {
	case rec.Now:
		if err := r.keepRecord(ctx); err != nil || r.renews() {
			return err
		}
		return r.sync(ctx)
	case r.renews() || time.Since(r.kept) < recordEvery*r.engine.checkpointInterval():
		return nil
	}
	return r.keepRecord(ctx)
}

// keepRecord makes what is loaded a part of the tables' states, and then
// commits the record, or keeps it in memory: rows that it does not tell of do no harm.
func (r *sourceRunner) keepRecord(ctx context.Context) error {
	if r.offered == nil {
		return nil
	}
	if err := r.ingest(); err != nil {
		return err
	}
	if r.renews() {
		r.record, r.offered = r.offered, nil
		return nil
	}
	t := r.engine.ticker
	err := t.do(ctx, func() error {
		t.txn.SetMeta(snapshotKey(r.id), r.offered)
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	r.offered, r.kept = nil, time.Now()
	return nil
}

func (r *sourceRunner) ingest() error {
	for _, l := range r.loaders {
		if l != nil {
			if err := l.ingest(); err != nil {
				return err
			}
		}
	}
	return nil
}

// SnapshotResume goes on loading into the tables.
func (r *sourceRunner) SnapshotResume(context.Context, connectors.LSN) error {
	r.abortLoaders()
	return r.openLoaders()
}

// SnapshotVoid begins a table, or a chunk of it, anew.
func (r *sourceRunner) SnapshotVoid(ctx context.Context, table, chunk int) error {
	id, ok := r.relation(table)
	rel := r.engine.Catalog().Relation(id)
	if !ok || rel == nil || r.loaders[table] == nil {
		return nil
	}
	if chunk >= 0 {
		return r.loaders[table].void(chunk)
	}
	r.loaders[table].abort()
	t := r.engine.ticker
	err := t.doNow(ctx, func() error {
		t.dropLoaded(r.loading(id))
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	r.loaders[table], err = newLoader(r.engine.store, rel, r.loading(id))
	return err
}

// SnapshotForget takes rows out of a base table, before more are loaded.
func (r *sourceRunner) SnapshotForget(_ context.Context, keys connectors.SnapshotChunk) error {
	if l := r.loaders[keys.Table]; l != nil {
		return l.forget(keys)
	}
	return nil
}
