package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A sourceRunner runs one source and is its sink: what the source delivers
// goes into the tick loop's queue, a snapshot straight into the base tables.
type sourceRunner struct {
	snapshotKeeper
	id     catalog.ID
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
	// checkpoint is the longest time between syncs that the source asks for; 0: none.
	checkpoint time.Duration

	stopped  atomic.Bool // definite error: what still waits in the queue is dropped
	renewing atomic.Bool // what is in is of a position that is lost

	// Of a renewal, see there. fresh: a snapshot was taken since the process started.
	fresh  bool
	why    string
	config func([]byte) ([]byte, error)

	source connectors.Source

	tables    atomic.Pointer[[]catalog.ID] // relation of each of the source's tables; 0: none
	announced []connectors.Table

	mu struct {
		sync.Mutex
		state        string
		err          error
		since        time.Time
		snapshotRows int64
		chunks       [2]int64 // of the snapshot: done, of how many; when the source does not tell
	}
	transactions, changes atomic.Int64
	lastCommit            atomic.Int64 // µs

	gate struct {
		sync.Mutex
		halted, ending bool           // ending: and told to
		within         bool           // a large transaction is delivered in part
		at             connectors.LSN // of the last delivery
	}
}

// finished is the state of a source that has ended as it should.
const finished = "finished"

// isFinished reports whether nothing will come from a source any more, by its wish.
func (e *Engine) isFinished(id catalog.ID) bool {
	r := e.sourceRunner(id)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.state == finished
}

// startSource starts a source's goroutine. fresh: a snapshot of it was taken
// since the process started.
func (e *Engine) startSource(src *catalog.Source, fresh bool) *sourceRunner {
	if src.Dropping {
		e.goDrop(src, nil)
		return nil
	}
	ctx, cancel := context.WithCancel(e.ctx())
	r := &sourceRunner{snapshotKeeper: snapshotKeeper{engine: e, key: snapshotKey(src.ID)}, id: src.ID, name: src.Name, cancel: cancel, ended: make(chan struct{}), fresh: fresh}
	def, err := e.definition(src)
	if err == nil {
		r.checkpoint = time.Duration(def.CheckpointMicros) * time.Microsecond
		_, err = r.noted()
	}
	r.setStatus("starting", nil)
	e.sources.Lock()
	e.sources.byID[src.ID] = r
	e.sources.Unlock()
	e.goRun(func(context.Context) {
		defer close(r.ended)
		if err == nil {
			err = r.runWithRoom(ctx, src, def)
		}
		switch {
		case ctx.Err() != nil, errors.Is(err, errHalted):
		case err != nil:
			r.fail(err)
		default: // it has no changes to follow
			r.Status(finished, nil)
			r.engine.ticker.wake()
		}
	})
	return r
}

// errHalted ends a source that is halted.
var errHalted = errors.New("the source is halted")

// halt ends a source's goroutine between two transactions and waits until all
// that it delivered is in. It gives the position: nothing behind it is in.
// resumeSource goes on from there; after an error the source goes on already.
func (r *sourceRunner) halt(ctx context.Context) (at connectors.LSN, err error) {
	for !r.gate.TryLock() { // a delivery waits for the tick loop, perhaps for room on the disk
		select {
		case <-ctx.Done():
			return 0, canceled(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	r.gate.halted = true
	r.endHalted()
	r.gate.Unlock()
	select {
	case <-r.ended:
	case <-ctx.Done():
		r.gate.Lock()
		r.gate.halted = false
		ending := r.gate.ending
		r.gate.Unlock()
		if !ending {
			return 0, canceled(ctx)
		}
		<-r.ended
	}
	defer func() {
		if err != nil {
			r.engine.resumeSource(r)
		}
	}()
	return r.await(ctx, r.gate.at)
}

// await waits until what a source delivers is in up to a position and gives
// how far it is then.
func (r *sourceRunner) await(ctx context.Context, least connectors.LSN) (at connectors.LSN, err error) {
	for t := r.engine.ticker; ; {
		if r.stopped.Load() {
			return 0, r.failure()
		}
		err := t.do(ctx, func() error {
			at = t.position(r.id).LSN
			return nil
		})
		if err != nil || at >= least {
			return at, err
		}
		select {
		case <-ctx.Done():
			return 0, canceled(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// endHalted ends a source that is to halt where it may. Under the gate's lock.
func (r *sourceRunner) endHalted() {
	if r.gate.halted && !r.gate.within {
		r.gate.ending = true
		r.cancel()
	}
}

// failure is the error for statements that need a source that has stopped.
func (r *sourceRunner) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := pgerr.Newf(pgerr.ObjectNotInPrerequisite, "source %q has stopped", r.name)
	if r.mu.err != nil {
		err.Detail = r.mu.err.Error()
	}
	return err
}

// resumeSource runs a source that was halted, as the catalog has it now.
func (e *Engine) resumeSource(old *sourceRunner) {
	src := e.Catalog().Source(old.id)
	if src == nil || src.Dropping || old.stopped.Load() {
		return
	}
	r := e.startSource(src, old.fresh)
	r.transactions.Add(old.transactions.Load())
	r.changes.Add(old.changes.Load())
	r.lastCommit.CompareAndSwap(0, old.lastCommit.Load())
	old.mu.Lock()
	defer old.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.snapshotRows += old.mu.snapshotRows
	r.mu.chunks = snapshotChunks(old.source, old.mu.chunks)
}

// snapshotChunks are what a source tells of its snapshot, or what is known
// from before it was made.
func snapshotChunks(source connectors.Source, before [2]int64) [2]int64 {
	if c, ok := source.(connectors.ChunkCounter); ok {
		if done, of := c.SnapshotChunks(); of > 0 {
			return [2]int64{done, of}
		}
	}
	return before
}

// stopSource ends a source's goroutine and waits for it.
func (e *Engine) stopSource(id catalog.ID) {
	r := e.sourceRunner(id)
	if r == nil {
		return
	}
	r.stopped.Store(true)
	r.cancel()
	<-r.ended
}

func (e *Engine) sourceRunner(id catalog.ID) *sourceRunner {
	e.sources.Lock()
	defer e.sources.Unlock()
	return e.sources.byID[id]
}

// confirm tells a source what is durable.
func (e *Engine) confirm(id catalog.ID, p connectors.Position) {
	if r := e.sourceRunner(id); r != nil {
		r.mu.Lock()
		src := r.source
		r.mu.Unlock()
		if src != nil && !r.renewing.Load() {
			src.Confirm(p)
		}
	}
}

// definition reads a source's definition from the catalog.
func (e *Engine) definition(src *catalog.Source) (*connectors.Definition, error) {
	return e.readDefinition(src, src.Config)
}

// readDefinition reads the definition of a source, or of a copy of one of its tables.
func (e *Engine) readDefinition(src *catalog.Source, data []byte) (*connectors.Definition, error) {
	def := &connectors.Definition{Secret: e.secret}
	if err := json.Unmarshal(data, def); err != nil {
		return nil, fmt.Errorf("reading the definition of source %q: %w", src.Name, err)
	}
	return def, nil
}

// fullRetry is after how long a source that has found the disk full tries again.
const fullRetry = time.Second

// runWithRoom is run, again and again while there is no room on the disk: a
// snapshot goes on from what is recorded of it. Ticks wait by themselves.
func (r *sourceRunner) runWithRoom(ctx context.Context, src *catalog.Source, def *connectors.Definition) error {
	for {
		err := r.run(ctx, src, def)
		if pgerr.CodeOf(err) != pgerr.DiskFull || ctx.Err() != nil {
			return err
		}
		r.Status("retrying", fmt.Errorf("the disk is full: %w", err))
		select {
		case <-time.After(fullRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
		if src = r.engine.Catalog().Source(r.id); src == nil {
			return nil
		}
		if def, err = r.engine.definition(src); err != nil {
			return err
		}
	}
}

// run delivers until ctx ends or a definite error.
func (r *sourceRunner) run(ctx context.Context, src *catalog.Source, def *connectors.Definition) error {
	connector := r.engine.opts.Connectors[src.Connector]
	if connector == nil {
		return pgerr.Newf(pgerr.FeatureNotSupported, "connector %q is not supported", src.Connector)
	}
	n, err := r.noted()
	if err != nil {
		return err
	}
	if n != nil && n.Loaded {
		r.Status("snapshot", nil)
		r.gate.Lock()
		r.gate.within = true
		r.gate.Unlock()
		if err := r.renew(ctx); err != nil {
			return err
		}
	}
	source, err := connector.Open(def)
	if err != nil {
		return err
	}
	defer r.abort()
	r.mu.Lock()
	r.source = source
	r.mu.Unlock()
	r.setPace()
	var start *connectors.Position
	if src.Snapshotted {
		// Where a source starts counts as confirmed: it must be durable.
		if err := r.sync(ctx); err != nil {
			return err
		}
		for _, p := range r.engine.ticker.committed.Load().positions {
			if p.source == r.id {
				start = &p.position
				r.within(start.Step > 0, start.LSN)
			}
		}
		if r.renewing.Load() || def.SnapshotAlways && !r.fresh {
			start = new(connectors.Position)
		}
	}
	return source.Run(ctx, start, r)
}

// fail stops the source with a definite error.
func (r *sourceRunner) fail(err error) {
	r.stopped.Store(true)
	r.cancel()
	r.setStatus("failed", err)
	r.engine.ticker.wake()
	r.engine.log.Error("source failed", "source", r.name, "error", err)
}

func (r *sourceRunner) setStatus(state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.state == "failed" {
		return
	}
	r.mu.state, r.mu.err, r.mu.since = state, err, time.Now()
}

// relation gives the relation of a source's table.
func (r *sourceRunner) relation(table int) (catalog.ID, bool) {
	ids := r.tables.Load()
	if ids == nil || table >= len(*ids) || (*ids)[table] == 0 {
		return 0, false
	}
	return (*ids)[table], true
}

// Tables finds the relations of the announced tables.
func (r *sourceRunner) Tables(ctx context.Context, tables []connectors.Table) error {
	cat := r.engine.Catalog()
	ids := make([]catalog.ID, len(tables))
	for i, t := range tables {
		for _, rel := range cat.Relations() {
			if rel.Source == r.id && rel.UpstreamSchema == t.Schema && rel.UpstreamName == t.Name && rel.Error == nil {
				ids[i] = rel.ID
			}
		}
	}
	r.tables.Store(&ids)
	r.announced = tables
	return nil
}

// Status keeps the source's state for helios.sources; with a new snapshot why
// there must be one.
func (r *sourceRunner) Status(state string, err error) {
	if err == nil && state == "snapshot" && r.why != "" {
		err = errors.New(r.why)
	}
	r.setStatus(state, err)
	if err != nil {
		r.engine.log.Warn("source", "source", r.name, "state", state, "error", err)
	} else {
		r.engine.log.Info("source", "source", r.name, "state", state)
	}
}

// KeepConfig replaces the source's configuration in the catalog; within a
// renewal, at its end.
func (r *sourceRunner) KeepConfig(ctx context.Context, f func([]byte) ([]byte, error)) error {
	if r.renewing.Load() {
		r.config = f
		return nil
	}
	t := r.engine.ticker
	return t.doNow(ctx, func() error {
		cat, err := r.withConfig(t.cat, f)
		if err != nil {
			return err
		}
		return t.commitCatalog(cat)
	})
}

var _ connectors.ConfigKeeper = (*sourceRunner)(nil)

// TableError stops one table: it and the views over it report the error.
func (r *sourceRunner) TableError(table int, cause error) {
	id, ok := r.relation(table)
	if !ok {
		return
	}
	ids := append([]catalog.ID(nil), *r.tables.Load()...)
	ids[table] = 0
	r.tables.Store(&ids)
	e := r.engine
	err := e.stopTable(e.ctx(), id, cause)
	e.log.Error("table stopped", "source", r.name, "relation", id, "error", cause, "recorded", err == nil)
}

// stopTable records in the catalog what a captured table stopped with.
func (e *Engine) stopTable(ctx context.Context, id catalog.ID, cause error) error {
	return e.ticker.doNow(ctx, func() error {
		was := e.ticker.cat.Relation(id)
		if was == nil {
			return nil
		}
		rel, f := *was, pgerr.Flatten(cause)
		rel.Error = &catalog.RelationError{Code: string(f.Code), Message: f.Message, Hint: f.Hint}
		cat, err := e.ticker.cat.WithRelation(&rel)
		if err != nil {
			return err
		}
		return e.ticker.commitCatalog(cat)
	})
}

// Commit queues a transaction; it blocks while the queue is full.
func (r *sourceRunner) Commit(ctx context.Context, t *connectors.Txn) error {
	r.transactions.Add(1)
	r.changes.Add(int64(t.Rows))
	r.lastCommit.Store(t.CommitTime.UnixMicro())
	return r.deliver(ctx, input{src: r, txn: t}, t.Position.LSN, t.Last)
}

// Progress queues the news that nothing happened up to the LSN.
func (r *sourceRunner) Progress(ctx context.Context, at connectors.LSN) error {
	return r.deliver(ctx, input{src: r, at: at}, at, true)
}

// deliver queues an input, unless the source shall halt here.
func (r *sourceRunner) deliver(ctx context.Context, in input, at connectors.LSN, last bool) error {
	r.gate.Lock()
	defer r.gate.Unlock()
	if r.gate.halted && !r.gate.within {
		return errHalted
	}
	if err := r.enqueue(ctx, in); err != nil {
		return err
	}
	r.gate.within, r.gate.at = !last, at
	r.endHalted()
	return nil
}

func (r *sourceRunner) enqueue(ctx context.Context, in input) error {
	select {
	case r.engine.ticker.queue <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
