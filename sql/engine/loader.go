package engine

import (
	"errors"
	"sync"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/state"
)

// A loader fills a state with a snapshot of one table: sorted runs that are
// ingested where the table has a key, counted rows where it has none.
type loader struct {
	mu    sync.Mutex
	store *state.Store
	rel   *catalog.Relation
	fp    physical.Fingerprint
	enc   *op.BaseEncoder
	bulks []*state.Bulk // of each part of a snapshot; of keyed tables

	txn *state.Txn // tables without a key
	arr op.Arrangement
}

// newLoader begins to load rows of a relation into the state named fp.
func newLoader(store *state.Store, rel *catalog.Relation, fp physical.Fingerprint) (*loader, error) {
	l := &loader{store: store, rel: rel, fp: fp, enc: op.NewBaseEncoder(rel.Columns.Types(), rel.Key)}
	if len(rel.Key) > 0 {
		_, err := l.part(0)
		return l, err
	}
	l.txn = store.NewTxn()
	arr, err := l.txn.Open(fp, "rows")
	l.arr = arr
	return l, err
}

// part gives the bulk load of one part: two whose rows alternate would have to
// be sorted together.
func (l *loader) part(n int) (*state.Bulk, error) {
	for len(l.bulks) <= n {
		b, err := l.store.NewBulk(l.fp, "rows")
		if err != nil {
			return nil, err
		}
		l.bulks = append(l.bulks, b)
	}
	return l.bulks[n], nil
}

func (l *loader) add(c connectors.SnapshotChunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rel.Key) > 0 {
		bulk, err := l.part(c.Part)
		if err != nil {
			return err
		}
		for i := range c.Rows.Len() {
			key, value := l.enc.Encode(c.Rows.Row(i))
			if err := bulk.Add(key, value); err != nil {
				return err
			}
		}
		return nil
	}
	c.Rows.Canonical()
	for i := range c.Rows.Len() {
		if err := op.AddCount(l.arr, c.Rows.Row(i), c.Rows.Weight(i)); err != nil {
			return err
		}
	}
	return l.txn.Commit(nil)
}

// finish makes what is loaded a part of the table's state.
func (l *loader) finish() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bulks {
		if err := b.Finish(); err != nil {
			return err
		}
	}
	return l.close()
}

func (l *loader) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bulks {
		_ = b.Abort() // what is left is removed at the next start
	}
	_ = l.close() // what counts of it is committed
}

func (l *loader) close() (err error) {
	if l.txn != nil {
		err = l.txn.Close()
		l.txn = nil
	}
	return err
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
	arr, err := txn.Open(l.fp, "rows")
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
