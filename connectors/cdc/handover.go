package cdc

import (
	"context"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An item is what the feed hands to the program's goroutine, in order.
type item struct {
	kind     itemKind
	txn      *txnBuf
	chunk    connectors.SnapshotChunk
	last     bool // chunk of the snapshot
	at       connectors.Position
	tables   []*Table
	systemID string
	err      error // of table
	table    int
	received time.Time
}

type itemKind uint8

const (
	itemTxn itemKind = iota + 1
	itemTables
	itemSnapshotBegin
	itemChunk
	itemSnapshotEnd
	itemProgress
	itemTableError
)

// A handover is the feed's side of a Source: a sink that queues. A queue that
// is full makes the feed wait; so do more rows than BufferSize.
type handover struct {
	queue   chan item
	chunks  chan struct{} // held by each chunk that is queued
	ended   <-chan struct{}
	started chan error // gets one: nil once it runs, or the first failure
	every   time.Duration

	snapshotAt connectors.LSN
	held       item // the chunk that may be the last one
	heldAny    bool
	lastBeat   time.Time
}

var _ orderedSink = (*handover)(nil)

func (h *handover) put(ctx context.Context, it item) error {
	select {
	case h.queue <- it:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *handover) Tables(context.Context, []connectors.Table) error { return nil }

func (h *handover) announce(ctx context.Context, systemID string, tables []*Table) error {
	return h.put(ctx, item{kind: itemTables, tables: append([]*Table(nil), tables...), systemID: systemID})
}

func (h *handover) SnapshotBegin(ctx context.Context) error {
	if h.heldAny {
		h.heldAny = false
		<-h.chunks
	}
	return h.put(ctx, item{kind: itemSnapshotBegin, at: connectors.Position{LSN: h.snapshotAt}})
}

func (h *handover) SnapshotChunk(ctx context.Context, c connectors.SnapshotChunk) error {
	select {
	case h.chunks <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := h.passHeld(ctx, false); err != nil {
		return err
	}
	h.held, h.heldAny = item{kind: itemChunk, chunk: c, received: time.Now()}, true
	return nil
}

func (h *handover) passHeld(ctx context.Context, last bool) error {
	if !h.heldAny {
		return nil
	}
	h.heldAny = false
	h.held.last = last
	return h.put(ctx, h.held)
}

func (h *handover) SnapshotEnd(ctx context.Context, at connectors.Position) error {
	if err := h.passHeld(ctx, true); err != nil {
		return err
	}
	return h.put(ctx, item{kind: itemSnapshotEnd, at: at})
}

// Commit is never called: see commitOrdered.
func (h *handover) Commit(context.Context, *connectors.Txn) error {
	panic("cdc: transaction without its order")
}

func (h *handover) commitOrdered(ctx context.Context, b *txnBuf) error {
	return h.put(ctx, item{kind: itemTxn, txn: b, at: b.Position})
}

func (h *handover) Progress(ctx context.Context, at connectors.LSN) error {
	if time.Since(h.lastBeat) < h.every {
		return nil
	}
	h.lastBeat = time.Now()
	return h.put(ctx, item{kind: itemProgress, at: connectors.Position{LSN: at}, received: h.lastBeat})
}

func (h *handover) Status(state string, err error) {
	if state == "snapshot" || state == "streaming" {
		err = nil
	} else if err == nil {
		return
	}
	select {
	case h.started <- err:
	default:
	}
}

func (h *handover) TableError(table int, err error) {
	select {
	case h.queue <- item{kind: itemTableError, table: table, err: err}:
	case <-h.ended:
	}
}

// A walk is the program's side: the item being taken apart.
type walk struct {
	item
	active bool
	next   int // entry or row
	begun  bool
}

// rowArena lends memory for events and their rows; the collector takes it back.
type rowArena struct {
	events []Event
	bytes  []byte
}

const arenaBytes = 64 << 10

func (a *rowArena) event() *Event {
	if len(a.events) == 0 {
		a.events = make([]Event, 128)
	}
	e := &a.events[0]
	a.events = a.events[1:]
	return e
}

func (a *rowArena) copy(row []byte) []byte {
	if len(row) == 0 {
		return nil
	}
	if len(row) > arenaBytes/4 {
		return append([]byte(nil), row...)
	}
	if len(a.bytes)+len(row) > cap(a.bytes) {
		a.bytes = make([]byte, 0, arenaBytes)
	}
	at := len(a.bytes)
	a.bytes = append(a.bytes, row...)
	return a.bytes[at:len(a.bytes):len(a.bytes)]
}

var eventOf = [...]EventType{zset.Insert: Create, zset.Update: Update, zset.Delete: Delete, zset.Truncate: Truncate}
