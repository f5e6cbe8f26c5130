package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/helios-sql/helios-sql/state"
)

// A tableCopy is the sink of a source that copies one table and follows its
// changes into a state that the tick loop's circuit does not know of.
//
// It is handed over to the main source between two transactions: when it has
// nearly caught up it says so and waits; the main source is halted no earlier than
// there; then it goes on to exactly that position. So nothing is held back in
// memory while a large table is copied: the server's log keeps it.
type tableCopy struct {
	engine *Engine
	main   catalog.ID // the source that takes over
	rel    *catalog.Relation
	rows   *atomic.Int64
	ready  chan connectors.LSN // told once: where it waits
	until  chan connectors.LSN // the answer: where to end
	cancel context.CancelFunc

	// Of the source's goroutines, in turn.
	loader *loader
	own    *state.Txn
	table  *circuit.Circuit
	within bool // a large transaction
	at     connectors.LSN
	told   bool
	end    connectors.LSN
	failed error
}

// How a copy ends: errCopied is how it shall, errCopyAgain a connection that
// was lost after the main source had been halted.
var (
	errCopied    = errors.New("the copy has reached its end")
	errCopyAgain = errors.New("the copy must begin anew")
)

// copyNear is how many bytes of log behind the main source are near enough.
const copyNear = 1 << 20

// copyTable fills the state of rel, which is not in the circuit, with a
// table's contents, and then, with e.ddl held and the source standing where the
// contents are of, runs finish, on the tick loop, and end.
func (e *Engine) copyTable(ctx context.Context, a *alteration, src *catalog.Source, rel *catalog.Relation, one *connectors.Definition, finish func(at connectors.LSN) error, end func(*sourceRunner) error) error {
	for {
		err := e.tryCopy(ctx, a, src, rel, one, finish, end)
		switch {
		case err == nil:
			return e.ticker.syncTo(e.ticker.committed.Load().tick)
		case ctx.Err() != nil:
			return canceled(ctx)
		case !errors.Is(err, errCopyAgain):
			return err
		}
	}
}

func (e *Engine) tryCopy(ctx context.Context, a *alteration, src *catalog.Source, rel *catalog.Relation, one *connectors.Definition, finish func(at connectors.LSN) error, end func(*sourceRunner) error) error {
	source, err := e.opts.Connectors[src.Connector].Open(one)
	if err != nil {
		return err
	}
	a.source.Store(&source)
	ctx, cancel := context.WithCancel(ctx)
	c := &tableCopy{engine: e, main: src.ID, rel: rel, rows: &a.rows, cancel: cancel,
		ready: make(chan connectors.LSN, 1), until: make(chan connectors.LSN, 1)}
	ended := make(chan struct{})
	var runErr error
	go func() {
		defer close(ended)
		runErr = source.Run(ctx, nil, c)
		if c.failed != nil {
			runErr = c.failed
		}
	}()
	defer func() {
		cancel()
		<-ended
		c.close()
	}()
	var at connectors.LSN
	select {
	case at = <-c.ready:
	case <-ended:
		return runErr
	}
	r, unlock, err := e.awaitReady(ctx, src.ID, at)
	if err != nil {
		return err
	}
	defer unlock()
	until, err := r.halt(ctx)
	if err != nil {
		return err
	}
	defer e.resumeSource(r)
	c.until <- until
	if <-ended; !errors.Is(runErr, errCopied) {
		return runErr
	}
	c.close()
	if err := e.ticker.do(ctx, func() error { return finish(until) }); err != nil {
		return err
	}
	if end != nil {
		if err := end(r); err != nil {
			return err
		}
	}
	e.log.Info("table copied", "source", src.Name, "relation", rel.Name, "lsn", until, "rows", a.rows.Load())
	return nil
}

// awaitReady waits until a source has reached a position and takes no new
// snapshot, and keeps other changes of the catalog out.
func (e *Engine) awaitReady(ctx context.Context, src catalog.ID, at connectors.LSN) (*sourceRunner, func(), error) {
	for {
		if _, err := e.sourceRunner(src).await(ctx, at); err != nil {
			return nil, nil, err
		}
		unlock, err := e.lockDDL(ctx)
		if err != nil {
			return nil, nil, err
		}
		if r := e.sourceRunner(src); !r.renewing.Load() {
			return r, unlock, nil
		}
		unlock()
		select {
		case <-ctx.Done():
			return nil, nil, canceled(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// close gives back what the copy holds of the store; its state stays.
func (c *tableCopy) close() {
	if c.loader != nil {
		c.loader.abort()
		c.loader = nil
	}
	if c.own != nil {
		_ = c.own.Close() // what counts of it is committed
		c.own, c.table = nil, nil
	}
}

// Tables implements connectors.Sink: the table is known.
func (c *tableCopy) Tables(context.Context, []connectors.Table) error { return nil }

// SnapshotBegin begins the copy, perhaps anew.
func (c *tableCopy) SnapshotBegin(context.Context) (err error) {
	c.close()
	if c.told {
		return errCopyAgain
	}
	if err := c.engine.dropState(physical.RelationFingerprint(uint32(c.rel.ID))); err != nil {
		return err
	}
	c.rows.Store(0)
	c.within = false
	c.loader, err = newLoader(c.engine.store, c.rel, physical.RelationFingerprint(uint32(c.rel.ID)), false)
	return err
}

// SnapshotChunk loads rows.
func (c *tableCopy) SnapshotChunk(_ context.Context, ch connectors.SnapshotChunk) error {
	c.rows.Add(int64(ch.Rows.Len()))
	return c.loader.add(ch)
}

// SnapshotEnd puts the table into a circuit of its own, for the changes since.
func (c *tableCopy) SnapshotEnd(ctx context.Context, at connectors.Position) error {
	if err := c.loader.finish(ctx); err != nil {
		return err
	}
	c.loader = nil
	c.own = c.engine.store.NewTxn()
	c.table = circuit.New(txnOpener{c.own})
	if err := c.table.AddTable(uint32(c.rel.ID), c.rel.Name, c.rel.Columns.Types(), c.rel.Key); err != nil {
		return err
	}
	c.at = at.LSN
	return c.between(ctx)
}

// between runs between two transactions.
func (c *tableCopy) between(ctx context.Context) error {
	if !c.told && c.at+copyNear >= c.engine.reached(c.main) {
		c.told = true
		c.ready <- c.at
		select {
		case c.end = <-c.until:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if c.told && c.at >= c.end {
		return errCopied
	}
	return nil
}

// Commit applies a transaction, or a step of a large one, unless it lies
// behind the end.
func (c *tableCopy) Commit(ctx context.Context, t *connectors.Txn) error {
	if t.Release != nil {
		defer t.Release()
	}
	if !c.within {
		if err := c.between(ctx); err != nil {
			return err
		}
		// A commit record that begins before the end, ends before it too.
		if c.told && (t.Last && t.Position.LSN > c.end || !t.Last && t.Position.StepLSN >= c.end) {
			return errCopied
		}
	}
	c.within = !t.Last
	for _, ch := range t.Changes {
		if err := c.table.Step(map[uint32]*zset.Changes{uint32(c.rel.ID): ch.Changes}); err != nil {
			return err
		}
		if err := c.own.Commit(nil); err != nil {
			return err
		}
	}
	if !t.Last {
		return nil
	}
	c.at = t.Position.LSN
	return c.between(ctx)
}

// Progress moves on without changes.
func (c *tableCopy) Progress(ctx context.Context, at connectors.LSN) error {
	c.at = max(c.at, at)
	return c.between(ctx)
}

// Status tells the log why the copy waits.
func (c *tableCopy) Status(state string, err error) {
	if err != nil {
		c.engine.log.Warn("copying a table", "relation", c.rel.Name, "state", state, "error", err)
	}
}

// TableError ends the copy: its only table cannot go on.
func (c *tableCopy) TableError(_ int, err error) {
	c.failed = err
	c.cancel()
}

// reached is how far a source's changes are in.
func (e *Engine) reached(src catalog.ID) connectors.LSN {
	for _, p := range e.ticker.committed.Load().positions {
		if p.source == src {
			return p.position.LSN
		}
	}
	return 0
}

// dropState drops a state that the circuit does not know of.
func (e *Engine) dropState(fp physical.Fingerprint) error {
	t := e.ticker
	return t.do(e.ctx(), func() error {
		t.txn.DropState(fp)
		return t.commit(e.ctx(), false)
	})
}
