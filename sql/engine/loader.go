package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/state"
)

// A loader fills a state with a snapshot of one table, by sorted runs that are
// ingested. Of a table that is kept by chunk the rows go there at its end, and lie until
// then in a state of their own, by the chunk that they were read in: so the snapshot
// may go on after an interruption.
type loader struct {
	mu     sync.Mutex
	store  *state.Store
	rel    *catalog.Relation
	fp     physical.Fingerprint // to be filled
	into   physical.Fingerprint // that is loaded: the same, or staged of it
	enc    *op.BaseEncoder
	bulks  []*state.Bulk  // of each part of a snapshot
	staged map[int]uint64 // rows of each chunk, since the loader was made; nil: of a table that is not kept by chunk
	key    []byte
}

// staged names the state that rows of a table that is kept by chunk lie in before
// they go to the state fp. Its keys are chunk ‖ number, big-endian.
func staged(fp physical.Fingerprint) physical.Fingerprint {
	copy(fp[3:], "chunks")
	return fp
}

// dropLoaded drops a table's state and what is staged for it in the tick's batch.
func (t *Ticker) dropLoaded(fp physical.Fingerprint) {
	t.txn.DropState(fp)
	t.txn.DropState(staged(fp))
}

// newLoader begins to load rows of a relation into the state named fp.
func newLoader(store *state.Store, rel *catalog.Relation, fp physical.Fingerprint, byChunk bool) (*loader, error) {
	l := &loader{store: store, rel: rel, fp: fp, into: fp, enc: op.NewBaseEncoder(rel.Columns.Types(), rel.Key)}
	if byChunk {
		l.into, l.staged = staged(fp), map[int]uint64{}
	}
	_, err := l.part(0)
	return l, err
}

// part gives the bulk load of one part: two whose rows alternate would have to
// be sorted together.
func (l *loader) part(n int) (*state.Bulk, error) {
	for len(l.bulks) <= n {
		b, err := l.store.NewBulk(l.into, "rows")
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
	bulk, err := l.part(c.Part)
	for i := 0; err == nil && i < c.Rows.Len(); i++ {
		row := c.Rows.Row(i)
		if l.staged == nil {
			key, value := l.enc.Encode(row)
			err = bulk.Add(key, value)
			continue
		}
		n := l.staged[c.Chunk]
		l.staged[c.Chunk] = n + 1
		l.key = binary.BigEndian.AppendUint64(appendChunk(l.key[:0], c.Chunk), n)
		err = bulk.Add(l.key, row)
	}
	return err
}

func appendChunk(key []byte, chunk int) []byte {
	return binary.BigEndian.AppendUint32(key, uint32(chunk))
}

// finish makes what is loaded the table's state, or a part of it.
func (l *loader) finish(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bulks {
		if err := b.Finish(); err != nil {
			return err
		}
	}
	if l.staged != nil {
		return l.move(ctx)
	}
	return nil
}

// move makes the state of the staged rows, which stay: they are all of one
// snapshot, so no key comes twice. Without a key they are counted.
func (l *loader) move(ctx context.Context) (err error) {
	txn := l.store.NewTxn()
	txn.DropState(l.fp) // which an earlier attempt may have left
	if err := errors.Join(txn.Commit(nil), txn.Close()); err != nil {
		return err
	}
	bulk, err := l.store.NewBulk(l.fp, "rows")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bulk.Abort()) }()
	snap := l.store.Snapshot()
	defer snap.Release()
	rows, err := snap.Open(l.into, "rows")
	if err != nil {
		return err
	}
	c, err := rows.Cursor()
	if err != nil {
		return err
	}
	for ok := c.Range(nil, nil); ok && err == nil; ok = c.Next() {
		if l.enc.Keyed() {
			err = bulk.Add(l.enc.Encode(c.Value()))
		} else {
			err = bulk.AddCount(c.Value(), 1)
		}
		if bulk.Rows()%4096 == 0 && ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return err
	}
	return bulk.Finish()
}

func (l *loader) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bulks {
		_ = b.Abort() // what is left is removed at the next start
	}
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

// forget takes rows of a table with a key away.
func (l *loader) forget(keys connectors.SnapshotChunk) error {
	return l.change(func(arr *state.Arrangement) error {
		for i := range keys.Rows.Len() {
			key, _ := l.enc.Encode(keys.Rows.Row(i))
			if err := arr.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// void takes the rows of a chunk away. None of them are on the way.
func (l *loader) void(chunk int) error {
	return l.change(func(arr *state.Arrangement) error {
		delete(l.staged, chunk)
		return arr.DeleteRange(appendChunk(nil, chunk), appendChunk(nil, chunk+1))
	})
}

// change changes what is loaded, before more is.
func (l *loader) change(f func(*state.Arrangement) error) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	txn := l.store.NewTxn()
	defer func() { err = errors.Join(err, txn.Close()) }()
	arr, err := txn.Open(l.into, "rows")
	if err == nil {
		err = f(arr)
	}
	if err != nil {
		return err
	}
	return txn.Commit(nil)
}
