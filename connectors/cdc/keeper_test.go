package cdc

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A keeper is a sink that keeps an unfinished snapshot as the engine would,
// and fails again and again. What came since the last record that it kept, it has then or not.
type keeper struct {
	*mirror
	rnd   *rand.Rand
	has   kept
	last  kept // as of the last record
	calls int  // until it fails
	voids int  // calls of SnapshotVoid until it fails
	late  bool // and does it nevertheless
	begun func(state string)
	goes  int // how often it went on
}

type kept struct {
	keyed  []map[string]string      // by table: key to row
	bags   []map[int]map[string]int // by table and chunk: row to count
	record []byte
}

func newKept(n int) kept {
	s := kept{keyed: make([]map[string]string, n), bags: make([]map[int]map[string]int, n)}
	for i := range n {
		s.keyed[i], s.bags[i] = map[string]string{}, map[int]map[string]int{}
	}
	return s
}

func (s *kept) clone() kept {
	c := newKept(len(s.keyed))
	c.record = s.record
	for i := range s.keyed {
		c.keyed[i] = maps.Clone(s.keyed[i])
		for chunk, rows := range s.bags[i] {
			c.bags[i][chunk] = maps.Clone(rows)
		}
	}
	return c
}

var errKeeper = errors.New("the sink fails")

func (k *keeper) fail() error {
	if k.calls--; k.calls == 0 {
		return errKeeper
	}
	return nil
}

func (k *keeper) SnapshotBegin(ctx context.Context) error {
	k.has = newKept(len(k.tables))
	k.last = k.has.clone()
	return k.fail()
}

func (k *keeper) SnapshotRecorded(context.Context) ([]byte, error) { return k.has.record, k.fail() }

func (k *keeper) SnapshotResume(context.Context, connectors.LSN) error {
	k.goes++
	return k.fail()
}

func (k *keeper) SnapshotRecord(_ context.Context, r connectors.SnapshotRecord) (err error) {
	if r.Now || k.rnd == nil || k.rnd.IntN(3) == 0 {
		if k.has.record, err = r.Bytes(); err != nil {
			return err
		}
		k.last = k.has.clone()
	}
	return k.fail()
}

func (k *keeper) SnapshotVoid(_ context.Context, table, chunk int) error {
	if err := k.fail(); err != nil {
		return err
	}
	var err error
	if k.voids--; k.voids == 0 {
		err = errKeeper
	}
	switch {
	case err != nil && !k.late:
	case chunk >= 0:
		delete(k.has.bags[table], chunk)
	default:
		clear(k.has.keyed[table])
		clear(k.has.bags[table])
	}
	return err
}

func (k *keeper) key(table int, r types.Row) string {
	var b []byte
	for _, c := range k.tables[table].Key {
		v, _ := r.Value(c)
		b = types.AppendValue(b, v)
	}
	return string(b)
}

func (k *keeper) SnapshotForget(_ context.Context, c connectors.SnapshotChunk) error {
	for i := range c.Rows.Len() {
		delete(k.has.keyed[c.Table], k.key(c.Table, c.Rows.Row(i)))
	}
	return k.fail()
}

func (k *keeper) SnapshotChunk(_ context.Context, c connectors.SnapshotChunk) error {
	if err := k.fail(); err != nil {
		return err
	}
	for i := range c.Rows.Len() {
		row := c.Rows.Row(i)
		if !k.tables[c.Table].ByChunk {
			k.has.keyed[c.Table][k.key(c.Table, row)] = string(row)
			continue
		}
		bags := k.has.bags[c.Table]
		if bags[c.Chunk] == nil {
			bags[c.Chunk] = map[string]int{}
		}
		bags[c.Chunk][string(row)]++
	}
	return nil
}

func (k *keeper) Status(state string, err error) {
	if k.mirror.Status(state, err); k.begun != nil {
		k.begun(state)
	}
}

func (k *keeper) SnapshotEnd(ctx context.Context, at connectors.Position) error {
	if err := k.fail(); err != nil {
		return err
	}
	if err := k.mirror.SnapshotBegin(ctx); err != nil {
		return err
	}
	for i := range k.tables {
		for _, row := range k.has.keyed[i] {
			k.rows[i][row]++
		}
		for _, rows := range k.has.bags[i] {
			for row, n := range rows {
				k.rows[i][row] += n
			}
		}
	}
	return k.mirror.SnapshotEnd(ctx, at)
}

func newKeeperCapture(t *testing.T, k *keeper, db string, cfg Config) *capture {
	c := &capture{mirror: k.mirror, t: t, srv: server, db: db, cfg: cfg}
	t.Cleanup(func() {
		c.stop()
		if err := DropSlot(context.Background(), cfg, true); err != nil {
			t.Logf("dropping the slot: %v", err)
		}
	})
	return c
}

// take runs until the snapshot is in or the sink fails.
func (c *capture) take(k *keeper) (in bool) {
	c.t.Helper()
	return c.takeFrom(nil, k)
}

func (c *capture) takeFrom(at *connectors.Position, k *keeper) (in bool) {
	c.t.Helper()
	src, err := newFeed(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.src, c.cancel, c.done = src, cancel, make(chan error, 1)
	go func() { c.done <- src.Run(ctx, at, k) }()
	failed := false
	c.until("the snapshot or a failure", func() bool {
		select {
		case err := <-c.done:
			if failed = errors.Is(err, errKeeper); !failed {
				if err != nil { // else it was SnapshotInitialOnly
					c.t.Error(err)
				}
				c.done <- err
			}
		default:
		}
		return failed || c.started
	})
	if failed {
		cancel()
		c.cancel = nil
	}
	return !failed
}
