package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/helios-sql/helios-sql/state"
)

// A Ticker is the tick loop: it takes whole transactions off the queue, runs
// them through the circuit, commits and publishes. Its goroutine is the only
// writer of state, of the catalog and of the positions; commands of other
// goroutines run on it between two ticks.
type Ticker struct {
	engine *Engine
	log    *slog.Logger
	store  *state.Store

	queue    chan input
	commands chan *command
	urgent   chan *command // run within a large transaction too

	// Of the loop's goroutine alone.
	txn       *state.Txn
	circuit   *circuit.Circuit
	cat       *catalog.Snapshot
	tick      uint64
	positions []sourcePosition
	batch     []input
	changes   map[uint32]*zset.Changes
	spare     []*zset.Changes
	recorders []*recorder
	progress  bool // positions moved without a commit
	pace      pace
	failed    error

	told atomic.Pointer[stepPace]

	committed atomic.Pointer[committedTick]

	pub struct {
		sync.Mutex
		view    *readView
		changed chan struct{} // closed at the next publication, if someone waits
		waiting int
	}
	syncing struct {
		sync.Mutex
		durable uint64
	}
}

// An input is one transaction or step of a source, or its progress (txn nil),
// or only a mark that is closed when all before it is in.
type input struct {
	src  *sourceRunner
	txn  *connectors.Txn
	at   connectors.LSN
	mark chan struct{}
}

// A command is a function to be run between two ticks.
type command struct {
	ctx    context.Context
	run    func() error
	done   chan error
	urgent bool
}

// A committedTick is the last commit: what a sync makes durable.
type committedTick struct {
	tick      uint64
	positions []sourcePosition
}

func newTicker(e *Engine, cat *catalog.Snapshot) *Ticker {
	t := &Ticker{engine: e, log: e.log, store: e.store, cat: cat,
		queue: make(chan input, 256), commands: make(chan *command), urgent: make(chan *command),
		changes: map[uint32]*zset.Changes{}, pace: newPace(e.store.BatchBytes(), e.opts.TickMaxRows, e.opts.TickMaxBytes)}
	t.told.Store(&stepPace{t.pace.toldRows, t.pace.toldBytes})
	t.pub.changed = make(chan struct{})
	t.restore()
	t.syncing.durable = t.tick // what was recovered is on disk
	return t
}

// restore goes back to the store's last commit, with an empty circuit.
func (t *Ticker) restore() {
	if t.txn != nil {
		t.txn.Abort()
	} else {
		t.txn = t.store.NewTxn()
	}
	t.circuit = circuit.New(txnOpener{t.txn})
	cp := t.store.Checkpoint()
	t.tick, t.positions = cp.Tick, nil
	for id, p := range cp.Sources {
		t.positions = append(t.positions, sourcePosition{catalog.ID(id),
			connectors.Position{LSN: connectors.LSN(p.LSN), Step: p.Step, StepLSN: connectors.LSN(p.StepLSN)}})
	}
	slices.SortFunc(t.positions, func(a, b sourcePosition) int { return int(a.source) - int(b.source) })
	t.committed.Store(&committedTick{t.tick, slices.Clone(t.positions)})
}

// run is the loop.
func (t *Ticker) run(ctx context.Context) error {
	for {
		commands := t.commands
		if id := t.unfinished(); id != 0 {
			if r := t.engine.sourceRunner(id); r == nil || !r.stopped.Load() {
				commands = nil // the rest of the large transaction comes first
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-commands:
			t.runCommand(c)
		case c := <-t.urgent:
			t.runCommand(c)
		case in := <-t.queue:
			t.admit(in)
			if err := t.runBatch(ctx); err != nil {
				t.failed = err
				return err
			}
		}
	}
}

// admit gathers what waits into one tick, whole transactions or steps, up to
// the bounds. A step that is not its transaction's last ends the tick.
func (t *Ticker) admit(in input) {
	t.batch = append(t.batch[:0], in)
	rows, bytes := 0, 0
	for {
		if in.txn != nil {
			rows, bytes = rows+in.txn.Rows, bytes+in.txn.Bytes
			if !in.txn.Last || rows >= t.pace.rows() || bytes >= t.pace.bytes() {
				return
			}
		}
		select {
		case in = <-t.queue:
			t.batch = append(t.batch, in)
		default:
			return
		}
	}
}

// runBatch is one tick over the admitted inputs. If the circuit refuses the
// changes, the tick is undone and each source's changes are tried alone, so
// that only the source at fault stops.
func (t *Ticker) runBatch(ctx context.Context) error {
	err := t.tryBatch(ctx, t.batch)
	if err == nil || ctx.Err() != nil {
		t.releaseBatch()
		return ctx.Err()
	}
	if isStoreFailure(err) {
		return fmt.Errorf("tick %d: %w", t.tick+1, err)
	}
	t.log.Warn("tick undone", "tick", t.tick+1, "error", err)
	batch := slices.Clone(t.batch)
	for len(batch) > 0 {
		src := batch[0].src
		var own, rest []input
		for _, in := range batch {
			if in.src == src {
				own = append(own, in)
			} else {
				rest = append(rest, in)
			}
		}
		if err := t.rebuild(); err != nil {
			return err
		}
		if err := t.tryBatch(ctx, own); err != nil {
			if isStoreFailure(err) || ctx.Err() != nil {
				return err
			}
			src.fail(fmt.Errorf("applying changes: %w", err))
			if err := t.rebuild(); err != nil {
				return err
			}
		}
		batch = rest
	}
	t.releaseBatch()
	return nil
}

func (t *Ticker) releaseBatch() {
	for _, in := range t.batch {
		if in.txn != nil && in.txn.Release != nil {
			in.txn.Release()
		}
		if in.mark != nil {
			close(in.mark)
		}
	}
	clear(t.batch)
	t.batch = t.batch[:0]
}

// isStoreFailure tells failures of the disk from those of the data.
func isStoreFailure(err error) bool {
	switch pgerr.CodeOf(err) {
	case pgerr.IOError, pgerr.SystemError:
		return true
	}
	return false
}

// tryBatch runs the circuit over the inputs and commits.
func (t *Ticker) tryBatch(ctx context.Context, batch []input) error {
	began := time.Now()
	publish, rows, txns := true, 0, 0
	for _, in := range batch {
		if in.src.stopped.Load() || in.mark != nil {
			continue
		}
		if in.txn == nil {
			t.setPosition(in.src.id, connectors.Position{LSN: in.at})
			t.progress = true
			continue
		}
		for _, tc := range in.txn.Changes {
			rel, ok := in.src.relation(tc.Table)
			if !ok {
				continue
			}
			t.addChanges(rel, tc.Changes)
		}
		t.setPosition(in.src.id, in.txn.Position)
		rows += in.txn.Rows
		if publish = in.txn.Last; publish {
			txns++
		}
	}
	if rows == 0 && txns == 0 && publish && !t.awaited() {
		return nil // progress only: the next tick or sync commits it
	}
	err := t.step(ctx, true)
	if err != nil {
		return err
	}
	if publish && t.unfinished() == 0 {
		t.publish()
	}
	m := &t.engine.metrics
	m.Ticks.Add(1)
	m.Transactions.Add(int64(txns))
	m.Changes.Add(int64(rows))
	m.TickNanos.Add(int64(time.Since(began)))
	return nil
}

// addChanges joins a table's changes of several transactions.
func (t *Ticker) addChanges(rel catalog.ID, ch *zset.Changes) {
	if have := t.changes[uint32(rel)]; have != nil {
		have.AppendChanges(ch)
		return
	}
	var c *zset.Changes
	if n := len(t.spare); n > 0 {
		c, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		c = &zset.Changes{}
	}
	c.AppendChanges(ch)
	t.changes[uint32(rel)] = c
}

// step runs the circuit over t.changes and commits the tick with the
// positions and, if it changed, the catalog.
func (t *Ticker) step(ctx context.Context, wait bool) error {
	defer func() {
		for rel, c := range t.changes {
			c.Reset()
			t.spare = append(t.spare, c)
			delete(t.changes, rel)
		}
	}()
	if err := t.circuit.Step(t.changes); err != nil {
		return err
	}
	t.keepPace()
	if err := t.commit(ctx, wait); err != nil {
		return err
	}
	for _, r := range t.recorders { // what was undone must not reach a view in the making
		r.record(t.circuit)
	}
	return nil
}

// commit writes the tick's batch. With a full disk it waits for room, if it
// shall: readers and the state are untouched meanwhile, statements that write
// are refused.
func (t *Ticker) commit(ctx context.Context, wait bool) error {
	cp := state.Checkpoint{Tick: t.tick + 1, WallMicros: time.Now().UnixMicro(),
		Sources: make(map[uint32]state.SourcePosition, len(t.positions))}
	for _, p := range t.positions {
		cp.Sources[uint32(p.source)] = state.SourcePosition{LSN: uint64(p.position.LSN), Step: p.position.Step, StepLSN: uint64(p.position.StepLSN)}
	}
	for reported := false; ; {
		err := t.txn.Commit(&cp)
		if err == nil {
			if reported {
				t.log.Info("the disk has room again", "tick", cp.Tick)
			}
			break
		}
		if pgerr.CodeOf(err) != pgerr.DiskFull || !wait {
			return err
		}
		if !reported {
			t.log.Error("ingest stopped: the disk is full", "error", err)
			reported = true
		}
		full := pgerr.Newf(pgerr.DiskFull, "the disk is full: %w", err)
		again := time.NewTimer(500 * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case c := <-t.commands:
				c.done <- full
			case <-again.C:
				waiting = false
			}
		}
	}
	t.tick = cp.Tick
	t.progress = false
	t.committed.Store(&committedTick{t.tick, t.positionList()})
	return nil
}

// positionList copies the positions.
func (t *Ticker) positionList() []sourcePosition { return slices.Clone(t.positions) }

func (t *Ticker) setPosition(src catalog.ID, p connectors.Position) {
	i, ok := slices.BinarySearchFunc(t.positions, src, func(p sourcePosition, id catalog.ID) int { return int(p.source) - int(id) })
	if !ok {
		t.positions = slices.Insert(t.positions, i, sourcePosition{source: src})
	}
	t.positions[i].position = p
}

// position is that of a source, zero if it has none yet.
func (t *Ticker) position(src catalog.ID) connectors.Position {
	for _, p := range t.positions {
		if p.source == src {
			return p.position
		}
	}
	return connectors.Position{}
}

func (t *Ticker) dropPosition(src catalog.ID) {
	t.positions = slices.DeleteFunc(t.positions, func(p sourcePosition) bool { return p.source == src })
}

// do runs f between two ticks and gives its error. When f ends without one,
// the caller has committed what it changed; with one, f's changes are undone.
func (t *Ticker) do(ctx context.Context, f func() error) error {
	return t.send(ctx, t.commands, f)
}

// doNow is do for what must not wait for the end of a large transaction. What f
// publishes is not read before that end.
func (t *Ticker) doNow(ctx context.Context, f func() error) error {
	return t.send(ctx, t.urgent, f)
}

func (t *Ticker) send(ctx context.Context, to chan<- *command, f func() error) error {
	c := &command{ctx: ctx, run: f, done: make(chan error, 1), urgent: to == t.urgent}
	select {
	case to <- c:
		select {
		case err := <-c.done:
			return err
		case <-t.store.Failed(): // which the tick loop may hang in
			return t.store.Err()
		}
	case <-ctx.Done():
		return canceled(ctx)
	case <-t.engine.ctx().Done():
		return pgerr.Newf(pgerr.AdminShutdown, "the server is shutting down")
	}
}

func (t *Ticker) runCommand(c *command) {
	if c.ctx.Err() != nil {
		c.done <- canceled(c.ctx)
		return
	}
	if id := t.unfinished(); id != 0 && !c.urgent {
		c.done <- pgerr.Newf(pgerr.ObjectNotInPrerequisite, "a source stopped in the middle of a large transaction").
			WithHint("See helios.sources for its error; drop the source to go on without it.")
		return
	}
	err := c.run()
	if err != nil && t.dirty() {
		if e := t.rebuild(); e != nil {
			err = errors.Join(err, e)
		}
	}
	c.done <- err
}

// dirty reports whether the tick's batch holds something that was not committed.
func (t *Ticker) dirty() bool { return t.txn.Bytes() > 0 }

// syncTo makes everything up to a tick durable and tells the sources. Callers
// that wait together share one sync.
func (t *Ticker) syncTo(tick uint64) error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	if t.syncing.durable >= tick {
		return nil
	}
	c := t.committed.Load()
	if err := t.store.Sync(); err != nil {
		return fmt.Errorf("syncing tick %d: %w", c.tick, err)
	}
	t.engine.metrics.Syncs.Add(1)
	t.syncing.durable = c.tick
	for _, p := range c.positions {
		t.engine.confirm(p.source, p.position)
	}
	return nil
}

// syncLoop makes ticks durable at every checkpoint interval, if there are any.
func (e *Engine) syncLoop(ctx context.Context) error {
	t := e.ticker
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(e.checkpointInterval()):
		}
		err := t.do(ctx, func() error {
			if t.progress {
				if err := t.commit(ctx, false); err != nil {
					return err
				}
			}
			if t.pub.view.tick < t.tick { // it may have been another commit that took the progress along
				t.publish()
			}
			return nil
		})
		if err == nil {
			err = t.syncTo(t.committed.Load().tick)
		}
		switch {
		case err == nil, ctx.Err() != nil:
		case pgerr.CodeOf(err) == pgerr.DiskFull, pgerr.CodeOf(err) == pgerr.ObjectNotInPrerequisite:
			e.log.Warn("checkpoint postponed", "error", err)
		default:
			return err
		}
	}
}

// checkpointInterval is the shortest that the engine or a source asks for.
func (e *Engine) checkpointInterval() time.Duration {
	d := e.opts.CheckpointInterval
	e.sources.Lock()
	defer e.sources.Unlock()
	for _, r := range e.sources.byID {
		if r.checkpoint > 0 {
			d = min(d, r.checkpoint)
		}
	}
	return d
}
