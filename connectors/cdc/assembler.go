package cdc

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An assembler makes whole transactions of row changes and hands them to the
// sink: small ones at once, large ones in steps. It knows the position that
// the sink has, through reconnections.
//
// A step is cut by the sizes of the messages, those of all tables of the
// publication, and its position counts them. So a resumed transaction is cut
// anew from exactly there, even under other bounds.
type assembler struct {
	sink     connectors.Sink
	maxRows  int
	maxBytes int
	pace     *atomic.Pointer[pace] // bounds of a step that the consumer asks for; nil: none
	pool     txnPool
	m        *counters

	at       connectors.Position // what the sink has
	until    connectors.LSN      // what commits behind it is not taken, see reached; 0: everything is
	progress connectors.LSN      // seen without changes, not yet passed on

	open      bool // between Begin and Commit
	whole     bool // the open transaction is already in
	final     connectors.LSN
	time      time.Time
	xid       uint32
	messages  uint64 // of the open transaction so far
	skip      uint64 // that many are already in
	stepRows  int
	stepBytes int
	cur       *txnBuf
	slot      []int32 // by table: its place in cur.Changes, −1: none

	// With a sink that wants the order of the log, see journal.go.
	ordered  orderedSink
	begun    bool     // a part of the open transaction was delivered
	noted    []*Table // by table: its definition as of the journal's end
	flushed  []*Table // and as of what the sink has
	redefine bool     // they differ
	// forget takes what is said of added tables whose snapshot goes on, see added.go; nil: nothing is.
	forget func(*txnBuf) error

	// The sink's methods under the context of the whole run: the loss of a
	// connection does not interrupt them.
	deliver func(*txnBuf) error
	tell    func(connectors.LSN) error
	pass    func() error // what an ordered sink has kept
}

func newAssembler(ctx context.Context, sink connectors.Sink, cfg *Config, tables int, at connectors.Position, m *counters) *assembler {
	a := &assembler{sink: sink, maxRows: cfg.MaxStepRows, maxBytes: cfg.MaxStepBytes, pace: new(atomic.Pointer[pace]), at: at, m: m, slot: make([]int32, tables)}
	a.pool.limit = cfg.BufferSize
	a.pool.freed = make(chan struct{}, 1)
	for i := range a.slot {
		a.slot[i] = -1
	}
	a.ordered, _ = sink.(orderedSink)
	a.deliver = func(b *txnBuf) error {
		m.inSink.Store(true)
		defer m.inSink.Store(false)
		_, stepBytes := a.stepLimits()
		if err := a.pool.admit(ctx, &b.Txn, bufferSteps*int64(stepBytes), a.pass); err != nil {
			return err
		}
		var err error
		if a.ordered != nil {
			err = a.ordered.commitOrdered(ctx, b)
		} else {
			err = sink.Commit(ctx, &b.Txn)
		}
		if err != nil {
			return &sinkError{err}
		}
		return nil
	}
	a.pass = func() error {
		if a.ordered == nil {
			return nil
		}
		m.inSink.Store(true)
		defer m.inSink.Store(false)
		if err := a.ordered.pass(ctx); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	a.tell = func(lsn connectors.LSN) error {
		m.inSink.Store(true)
		defer m.inSink.Store(false)
		if err := sink.Progress(ctx, lsn); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	return a
}

// reset forgets an open transaction: the connection was lost.
func (a *assembler) reset() {
	a.discard()
	a.open, a.progress = false, 0
	if a.redefine {
		a.noted, a.redefine = slices.Clone(a.flushed), false
	}
}

func (a *assembler) discard() {
	if a.cur != nil {
		a.clearSlots()
		a.pool.put(a.cur)
		a.cur = nil
	}
	a.stepRows, a.stepBytes = 0, 0
}

func (a *assembler) clearSlots() {
	for i := range a.cur.Changes {
		a.slot[a.cur.Changes[i].Table] = -1
	}
}

func (a *assembler) begin(final connectors.LSN, at time.Time, xid uint32) error {
	if a.open {
		return corrupt("Begin within a transaction")
	}
	if a.until > 0 && final >= a.until {
		return errReached
	}
	a.open, a.final, a.time, a.xid = true, final, at, xid
	a.messages, a.skip, a.begun = 0, 0, false
	// A position is the end of a commit record; a commit record that starts
	// before it ends no later.
	a.whole = final < a.at.LSN
	if a.at.Step > 0 && a.at.StepLSN == final {
		a.skip, a.begun = a.at.Step, true
	}
	return nil
}

// A pace is how large the consumer wants the steps of large transactions.
type pace struct{ stepRows, stepBytes int }

// stepLimits are the rows and bytes of a step: as configured, or less if the
// consumer has no room for that.
func (a *assembler) stepLimits() (rows, bytes int) {
	if p := a.pace.Load(); p != nil {
		return min(p.stepRows, a.maxRows), min(p.stepBytes, a.maxBytes)
	}
	return a.maxRows, a.maxBytes
}

func (a *assembler) row(size int) (bool, error) {
	if !a.open {
		return false, corrupt("change outside of a transaction")
	}
	if a.whole {
		return false, nil
	}
	if a.messages < a.skip {
		a.messages++
		return false, nil
	}
	if rows, bytes := a.stepLimits(); a.stepRows >= rows || a.stepBytes >= bytes {
		if err := a.flush(connectors.Position{LSN: a.at.LSN, Step: a.messages, StepLSN: a.final}, false); err != nil {
			return false, err
		}
	}
	a.messages++
	a.stepRows++
	a.stepBytes += size
	return true, nil
}

func (a *assembler) changes(table int) *zset.Changes {
	if i := a.slot[table]; i >= 0 {
		return a.cur.Changes[i].Changes
	}
	if a.cur == nil {
		a.cur = a.pool.get()
	}
	a.slot[table] = int32(len(a.cur.Changes))
	return a.cur.add(table)
}

func (a *assembler) commit(end connectors.LSN) error {
	if !a.open {
		return corrupt("Commit outside of a transaction")
	}
	a.open = false
	if a.whole {
		return nil
	}
	if a.messages < a.skip {
		return corrupt("transaction of %d changes, of which %d were received before", a.messages, a.skip)
	}
	if a.cur == nil && a.messages == uint64(a.stepRows) {
		// Nothing of it is captured.
		a.stepRows, a.stepBytes = 0, 0
		a.at = connectors.Position{LSN: end}
		a.progress = end
		return a.reached()
	}
	if err := a.flush(connectors.Position{LSN: end}, true); err != nil {
		return err
	}
	return a.reached()
}

// reached ends the session where all is in that it is to take: every transaction
// whose commit record ends by until, and nothing else.
func (a *assembler) reached() error {
	if a.until > 0 && a.at.LSN >= a.until {
		return errReached
	}
	return nil
}

// flush delivers what is assembled and moves the position.
func (a *assembler) flush(p connectors.Position, last bool) error {
	if a.cur == nil {
		a.cur = a.pool.get()
	}
	a.clearSlots()
	b := a.cur
	a.cur = nil
	a.stepRows, a.stepBytes = 0, 0
	b.Position, b.CommitTime, b.XID, b.Last = p, a.time, a.xid, last
	if a.forget != nil {
		if err := a.forget(b); err != nil {
			return err
		}
	}
	b.Rows, b.Bytes = 0, 0
	for i := range b.Changes {
		b.Rows += b.Changes[i].Changes.Len()
		b.Bytes += b.Changes[i].Changes.Bytes()
	}
	b.final, b.before, b.first, b.alone = a.final, a.at.LSN, !a.begun, false
	a.begun = true
	if a.redefine {
		a.flushed, a.redefine = slices.Clone(a.noted), false
	}
	rows, bytes := b.Rows, b.Bytes // b is the sink's from here on
	a.m.arrivalAge.Store(max(0, time.Since(a.time).Microseconds()))
	if err := a.deliver(b); err != nil {
		return err
	}
	a.at, a.progress = p, 0
	if last {
		a.m.transactions.Add(1)
	}
	a.m.changes.Add(uint64(rows))
	a.m.bytes.Add(uint64(bytes))
	a.m.delivered.Store(uint64(p.LSN))
	return nil
}

// passProgress tells the sink how far the source has come without changes.
func (a *assembler) passProgress() error {
	p := a.progress
	if a.progress = 0; a.until > 0 {
		p = min(p, a.until)
	}
	a.at.LSN = max(a.at.LSN, p)
	a.m.delivered.Store(uint64(a.at.LSN))
	if err := a.tell(p); err != nil {
		return err
	}
	return a.reached()
}

func (a *assembler) tableFailed(table int, err error) {
	if a.cur != nil && a.slot[table] >= 0 {
		a.cur.Changes[a.slot[table]].Changes.Reset()
	}
	a.m.tableErrors.Add(1)
	a.sink.TableError(table, err)
}

// A txnBuf is a transaction with memory that is used again.
type txnBuf struct {
	connectors.Txn
	spare []*zset.Changes // as many as were ever in use
	journal
}

func (b *txnBuf) add(table int) *zset.Changes {
	i := len(b.Changes)
	if i == len(b.spare) {
		b.spare = append(b.spare, new(zset.Changes))
	}
	c := b.spare[i]
	b.Changes = append(b.Changes, connectors.TableChanges{Table: table, Changes: c})
	return c
}

// A txnPool lends transactions and bounds the rows that are out.
type txnPool struct {
	limit  int
	freed  chan struct{} // told when rows come back while admit waits
	rows   atomic.Int64
	bytes  atomic.Int64
	waits  atomic.Bool
	mu     sync.Mutex
	free   []*txnBuf
	retain int // bytes of free
}

// Larger buffers are left to the collector.
const (
	retainBuffer = 4 << 20
	retainTotal  = 16 << 20
)

func (p *txnPool) get() *txnBuf {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		p.retain -= b.Bytes
		p.mu.Unlock()
		return b
	}
	p.mu.Unlock()
	b := &txnBuf{}
	b.Release = func() { p.release(b) }
	return b
}

// bufferSteps is how many steps' bytes may be out at a time.
const bufferSteps = 4

// admit waits until the rows fit in, and their bytes under maxBytes; one
// transaction always does. pass is called before each wait.
func (p *txnPool) admit(ctx context.Context, t *connectors.Txn, maxBytes int64, pass func() error) error {
	fits := func() bool {
		rows, bytes := p.rows.Load(), p.bytes.Load()
		return rows == 0 || rows+int64(t.Rows) <= int64(p.limit) && bytes+int64(t.Bytes) <= maxBytes
	}
	for {
		if fits() {
			p.rows.Add(int64(t.Rows))
			p.bytes.Add(int64(t.Bytes))
			return nil
		}
		if err := pass(); err != nil {
			return err
		}
		p.waits.Store(true)
		if fits() {
			continue
		}
		select {
		case <-p.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *txnPool) release(b *txnBuf) {
	p.bytes.Add(-int64(b.Bytes))
	p.rows.Add(-int64(b.Rows))
	p.put(b)
	if p.waits.Load() && p.waits.Swap(false) {
		select {
		case p.freed <- struct{}{}:
		default:
		}
	}
}

func (p *txnPool) put(b *txnBuf) {
	b.Changes = b.Changes[:0]
	b.journal.reset()
	if b.Bytes > retainBuffer {
		return
	}
	for _, c := range b.spare {
		c.Reset()
	}
	p.mu.Lock()
	if p.retain+b.Bytes <= retainTotal {
		p.free = append(p.free, b)
		p.retain += b.Bytes
	}
	p.mu.Unlock()
}
