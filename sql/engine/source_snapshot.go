package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// recordEvery is how many checkpoint intervals lie between two records of a
// snapshot: what is loaded is ingested then, in tables that Pebble has to merge.
const recordEvery = 10

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
	record, ok, err := r.engine.store.Meta(snapshotKey(r.id))
	if err != nil || !ok {
		return nil, err
	}
	return record, nil
}

// SnapshotRecord keeps the record now and then.
func (r *sourceRunner) SnapshotRecord(ctx context.Context, rec connectors.SnapshotRecord) (err error) {
	if r.offered, err = rec.Bytes(); err != nil {
		return err
	}
	if time.Since(r.kept) < recordEvery*r.engine.checkpointInterval() {
		return nil
	}
	return r.keepRecord(ctx)
}

// keepRecord makes what is loaded a part of the tables' states, and then
// commits the record: rows that it does not tell of do no harm.
func (r *sourceRunner) keepRecord(ctx context.Context) error {
	if r.offered == nil {
		return nil
	}
	for _, l := range r.loaders {
		if l != nil {
			if err := l.ingest(); err != nil {
				return err
			}
		}
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

// SnapshotResume goes on loading into the tables.
func (r *sourceRunner) SnapshotResume(context.Context, connectors.LSN) error {
	r.abortLoaders()
	return r.openLoaders()
}

// SnapshotVoid begins a table anew.
func (r *sourceRunner) SnapshotVoid(ctx context.Context, table int) error {
	id, ok := r.relation(table)
	rel := r.engine.Catalog().Relation(id)
	if !ok || rel == nil || r.loaders[table] == nil {
		return nil
	}
	r.loaders[table].abort()
	t := r.engine.ticker
	err := t.do(ctx, func() error {
		t.txn.DropState(physical.RelationFingerprint(uint32(id)))
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	r.loaders[table], err = newLoader(r.engine.store, rel)
	return err
}

// SnapshotForget takes rows out of a base table, before more are loaded.
func (r *sourceRunner) SnapshotForget(_ context.Context, keys connectors.SnapshotChunk) error {
	if l := r.loaders[keys.Table]; l != nil {
		return l.forget(keys)
	}
	return nil
}

func (l *loader) ingest() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bulks {
		if err := b.Ingest(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) forget(keys connectors.SnapshotChunk) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	txn := l.store.NewTxn()
	defer func() { err = errors.Join(err, txn.Close()) }()
	arr, err := txn.Open(physical.RelationFingerprint(uint32(l.rel.ID)), "rows")
	if err != nil {
		return err
	}
	for i := range keys.Rows.Len() {
		key, _ := l.enc.Encode(keys.Rows.Row(i))
		if err := arr.Delete(key); err != nil {
			return err
		}
	}
	return txn.Commit(nil)
}
