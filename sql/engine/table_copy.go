package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
//
// It goes on where it was after an interruption: the snapshot by its record, what
// follows by its position, which is committed with each transaction's changes.
type tableCopy struct {
	snapshotKeeper
	main   catalog.ID // the source that takes over
	source connectors.Source
	rel    *catalog.Relation
	rows   *atomic.Int64
	ready  chan connectors.LSN // told once: where it waits
	until  chan connectors.LSN // the answer: where to end
	cancel context.CancelFunc

	// Of the source's goroutines, in turn.
	announced []connectors.Table
	own       *state.Txn
	table     *circuit.Circuit
	at        connectors.Position
	confirmed time.Time // when it last was
	told      bool
	end       connectors.LSN
	failed    error
}

var _ connectors.SnapshotKeeper = (*tableCopy)(nil)

// How a copy ends: errCopied is how it shall, errCopyAgain a position that
// was lost after the main source had been halted.
var (
	errCopied    = errors.New("the copy has reached its end")
	errCopyAgain = errors.New("the copy must begin anew")
)

// copyNear is how many bytes of log behind the main source are near enough.
const copyNear = 1 << 20

// Where a copy's record and its position lie in the store's metadata.
func copyRecordKey(rel catalog.ID) string   { return fmt.Sprintf("copy %d", rel) }
func copyPositionKey(rel catalog.ID) string { return fmt.Sprintf("copied %d", rel) }

// forgetCopy deletes in the tick's batch how far a copy has come.
func (t *Ticker) forgetCopy(rel catalog.ID) {
	t.txn.DeleteMeta(copyRecordKey(rel))
	t.txn.DeleteMeta(copyPositionKey(rel))
}

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
	c := &tableCopy{snapshotKeeper: snapshotKeeper{engine: e, key: copyRecordKey(rel.ID)}, main: src.ID, source: source, rel: rel, rows: &a.rows, cancel: cancel,
		ready: make(chan connectors.LSN, 1), until: make(chan connectors.LSN, 1)}
	ended := make(chan struct{})
	var runErr error
	go func() {
		defer close(ended)
		if runErr = c.run(ctx); c.failed != nil {
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
	err = e.ticker.do(ctx, func() error {
		e.ticker.forgetCopy(rel.ID)
		return finish(until)
	})
	if err != nil {
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

// run copies from where an interruption left the copy.
func (c *tableCopy) run(ctx context.Context) error {
	data, ok, err := c.engine.store.Meta(copyPositionKey(c.rel.ID))
	if err != nil {
		return err
	}
	if !ok {
		return c.source.Run(ctx, nil, c)
	}
	if err := json.Unmarshal(data, &c.at); err != nil {
		return fmt.Errorf("reading the position of the copy of %s: %w", c.rel.Name, err)
	}
	if err := errors.Join(c.engine.store.Sync(), c.follow()); err != nil { // where a source starts counts as confirmed
		return err
	}
	start := c.at
	c.engine.log.Info("the copy of a table goes on", "relation", c.rel.Name, "lsn", start.LSN)
	return c.source.Run(ctx, &start, c)
}

// close gives back what the copy holds of the store; its state stays.
func (c *tableCopy) close() {
	c.abort()
	if c.own != nil {
		_ = c.own.Close() // what counts of it is committed
		c.own, c.table = nil, nil
	}
}

// Tables takes the only table.
func (c *tableCopy) Tables(_ context.Context, tables []connectors.Table) error {
	c.announced = tables
	return nil
}

// SnapshotBegin begins the copy, perhaps anew.
func (c *tableCopy) SnapshotBegin(ctx context.Context) error {
	c.close()
	if c.told {
		return errCopyAgain
	}
	t := c.engine.ticker
	err := t.doNow(ctx, func() error {
		t.dropLoaded(physical.RelationFingerprint(uint32(c.rel.ID)))
		t.forgetCopy(c.rel.ID)
		return t.commit(ctx, false)
	})
	if err != nil {
		return err
	}
	c.rows.Store(0)
	c.at = connectors.Position{}
	return c.load()
}

// SnapshotResume goes on with the copy.
func (c *tableCopy) SnapshotResume(context.Context, connectors.LSN) error { return c.load() }

func (c *tableCopy) load() error {
	return c.open(c.announced, []*catalog.Relation{c.rel}, func(id catalog.ID) physical.Fingerprint { return physical.RelationFingerprint(uint32(id)) })
}

// SnapshotChunk loads rows.
func (c *tableCopy) SnapshotChunk(_ context.Context, ch connectors.SnapshotChunk) error {
	c.rows.Add(int64(ch.Rows.Len()))
	return c.loaders[0].add(ch)
}

// SnapshotEnd keeps the position in place of the record.
func (c *tableCopy) SnapshotEnd(ctx context.Context, at connectors.Position) error {
	if err := c.loaders[0].finish(ctx); err != nil {
		return err
	}
	c.loaders, c.offered, c.at = nil, nil, at
	t := c.engine.ticker
	err := t.doNow(ctx, func() error {
		t.txn.DropState(staged(physical.RelationFingerprint(uint32(c.rel.ID))))
		t.forgetCopy(c.rel.ID)
		if err := c.keepPosition(t.txn); err != nil {
			return err
		}
		return t.commit(ctx, false)
	})
	if err == nil {
		err = errors.Join(c.engine.store.Sync(), c.follow())
	}
	if err != nil {
		return err
	}
	c.engine.log.Info("table loaded; following its changes", "relation", c.rel.Name, "lsn", at.LSN, "rows", c.rows.Load())
	return c.between(ctx)
}

// keepPosition adds the position to a batch.
func (c *tableCopy) keepPosition(txn *state.Txn) error {
	data, err := json.Marshal(c.at)
	if err == nil {
		txn.SetMeta(copyPositionKey(c.rel.ID), data)
	}
	return err
}

// follow puts the table into a circuit of its own, for the changes since its snapshot.
func (c *tableCopy) follow() error {
	c.own = c.engine.store.NewTxn()
	c.table = circuit.New(txnOpener{c.own})
	return c.table.AddTable(uint32(c.rel.ID), c.rel.Name, c.rel.Columns.Types(), c.rel.Key)
}

// between runs between two transactions.
func (c *tableCopy) between(ctx context.Context) error {
	if !c.told && c.at.LSN+copyNear >= c.engine.reached(c.main) {
		c.told = true
		c.ready <- c.at.LSN
		select {
		case c.end = <-c.until:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if c.told && c.at.LSN >= c.end {
		return errCopied
	}
	if time.Since(c.confirmed) < c.engine.checkpointInterval() {
		return nil
	}
	if err := c.commit(); err != nil {
		return err
	}
	if err := c.engine.store.Sync(); err != nil {
		return err
	}
	c.source.Confirm(c.at)
	c.confirmed = time.Now()
	return nil
}

// commit commits what is applied, with the position.
func (c *tableCopy) commit() error {
	if err := c.keepPosition(c.own); err != nil {
		return err
	}
	return c.own.Commit(nil)
}

// Commit applies a transaction, or a step of a large one, unless it lies
// behind the end.
func (c *tableCopy) Commit(ctx context.Context, t *connectors.Txn) error {
	if t.Release != nil {
		defer t.Release()
	}
	if c.at.Step == 0 {
		if err := c.between(ctx); err != nil {
			return err
		}
		// A commit record that begins before the end, ends before it too.
		if c.told && (t.Last && t.Position.LSN > c.end || !t.Last && t.Position.StepLSN >= c.end) {
			return errCopied
		}
	}
	for _, ch := range t.Changes { // one at most
		if err := c.table.Step(map[uint32]*zset.Changes{uint32(c.rel.ID): ch.Changes}); err != nil {
			return err
		}
	}
	c.at = t.Position
	if err := c.commit(); err != nil || !t.Last {
		return err
	}
	return c.between(ctx)
}

// Progress moves on without changes.
func (c *tableCopy) Progress(ctx context.Context, at connectors.LSN) error {
	if at > c.at.LSN {
		c.at = connectors.Position{LSN: at}
	}
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
