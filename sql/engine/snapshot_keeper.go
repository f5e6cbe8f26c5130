package engine

import (
	"context"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// A snapshotKeeper is what sinks load a snapshot with so that it can go on
// after an interruption, be that the process's end: it keeps what was loaded, and the
// record that tells of it in the store's metadata.
type snapshotKeeper struct {
	engine  *Engine
	key     string    // of the record
	loaders []*loader // of the tables; nil: its rows are not taken
	offered []byte    // record that is not kept yet
	kept    time.Time
}

// recordEvery is how many checkpoint intervals lie between two records of a
// snapshot: what is loaded is ingested then, in tables that Pebble has to merge.
const recordEvery = 10

// open begins to load tables, or goes on with it; into names the state of a
// relation, of which a nil one is not loaded.
func (k *snapshotKeeper) open(tables []connectors.Table, rels []*catalog.Relation, into func(catalog.ID) physical.Fingerprint) (err error) {
	k.abort()
	k.loaders, k.kept = make([]*loader, len(rels)), time.Now()
	for i, rel := range rels {
		if rel == nil {
			continue
		}
		if k.loaders[i], err = newLoader(k.engine.store, rel, into(rel.ID), tables[i].ByChunk); err != nil {
			return err
		}
	}
	return nil
}

// abort gives up what is not ingested yet, and with it the record that tells of it.
func (k *snapshotKeeper) abort() {
	for _, l := range k.loaders {
		if l != nil {
			l.abort()
		}
	}
	k.loaders, k.offered = nil, nil
}

// SnapshotRecorded gives the record of an unfinished snapshot. What this
// process has loaded since the last one is kept first.
func (k *snapshotKeeper) SnapshotRecorded(ctx context.Context) ([]byte, error) {
	if err := k.keep(ctx); err != nil {
		return nil, err
	}
	record, ok, err := k.engine.store.Meta(k.key)
	if err != nil || !ok {
		return nil, err
	}
	return record, nil
}

// SnapshotRecord keeps the record now and then, and makes it durable: within a
// large transaction nobody else would.
func (k *snapshotKeeper) SnapshotRecord(ctx context.Context, rec connectors.SnapshotRecord) (err error) {
	if k.offered, err = rec.Bytes(); err != nil {
		return err
	}
	if !rec.Now && time.Since(k.kept) < recordEvery*k.engine.checkpointInterval() {
		return nil
	}
	if err := k.keep(ctx); err != nil {
		return err
	}
	t := k.engine.ticker
	return t.syncTo(t.committed.Load().tick)
}

// keep makes what is loaded a part of the tables' states, and then commits the
// record: rows that it does not tell of do no harm.
func (k *snapshotKeeper) keep(ctx context.Context) error {
	if k.offered == nil {
		return nil
	}
	for _, l := range k.loaders {
		if l != nil {
			if err := l.ingest(); err != nil {
				return err
			}
		}
	}
	t := k.engine.ticker
	err := t.doNow(ctx, func() error {
		t.txn.SetMeta(k.key, k.offered)
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	k.offered, k.kept = nil, time.Now()
	return nil
}

// SnapshotVoid begins a table, or a chunk of it, anew.
func (k *snapshotKeeper) SnapshotVoid(ctx context.Context, table, chunk int) error {
	l := k.loaders[table]
	if l == nil {
		return nil
	}
	if chunk >= 0 {
		return l.void(chunk)
	}
	l.abort()
	t := k.engine.ticker
	err := t.doNow(ctx, func() error {
		t.dropLoaded(l.fp)
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	k.loaders[table], err = newLoader(k.engine.store, l.rel, l.fp, l.staged != nil)
	return err
}

// SnapshotForget takes rows out of a table, before more are loaded.
func (k *snapshotKeeper) SnapshotForget(_ context.Context, keys connectors.SnapshotChunk) error {
	if l := k.loaders[keys.Table]; l != nil {
		return l.forget(keys)
	}
	return nil
}
