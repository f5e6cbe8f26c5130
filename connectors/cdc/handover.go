package cdc

import (
	"context"
	"encoding/json"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An item is what the feed hands to the program's goroutine, in order.
type item struct {
	kind     itemKind
	txn      *txnBuf
	chunk    connectors.SnapshotChunk
	last     bool // chunk of the snapshot, or nothing follows what was voided
	at       connectors.Position
	tables   []*Table
	systemID string
	timeline uint32
	err      error // of table
	table    int
	received time.Time
	progress *SnapshotProgress // behind a chunk, or what is void
}

type itemKind uint8

const (
	itemTxn itemKind = iota + 1
	itemTables
	itemSnapshotBegin
	itemSnapshotResume
	itemAdd
	itemChunk
	itemForget
	itemVoid
	itemRecord
	itemSnapshotEnd
	itemProgress
	itemTableError
	itemTableStale
	itemOrigin
)

// A handover is the feed's side of a Source: a sink that queues. A queue that
// is full makes the feed wait; so do more rows than BufferSize.
//
// What comes is collected while more of it is at hand: to wake the program for
// every transaction costs more than to decode it.
type handover struct {
	queue   chan []item
	spare   chan []item   // batches to be filled again
	batch   []item        // not yet in the queue
	weight  int           // bytes of it, roughly
	chunks  chan struct{} // held by each chunk that is queued
	started chan error    // gets one: nil once it runs, or the first failure
	every   time.Duration

	snapshotAt connectors.LSN
	record     []byte // the last one
	held       item   // the chunk, or what was voided, that may be the last one
	heldAny    bool
	lastBeat   time.Time
}

var (
	_ orderedSink               = (*handover)(nil)
	_ connectors.SnapshotKeeper = (*handover)(nil)
	_ connectors.TableRefresher = (*handover)(nil)
)

// The bounds of a batch.
const (
	batchItems  = 256
	batchBytes  = 64 << 10
	queuedBatch = 16 // in the queue
	eventBytes  = 64 // an event's own weight
)

func newHandover(every time.Duration) *handover {
	return &handover{queue: make(chan []item, queuedBatch), spare: make(chan []item, queuedBatch), chunks: make(chan struct{}, 3),
		started: make(chan error, 1), every: every}
}

// put hands an item over with what was collected before it.
func (h *handover) put(ctx context.Context, it item) error {
	h.batch = append(h.batch, it)
	return h.pass(ctx)
}

// pass hands over what was collected.
func (h *handover) pass(ctx context.Context) error {
	if len(h.batch) == 0 {
		return nil
	}
	select {
	case h.queue <- h.batch:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	h.weight = 0
	select {
	case h.batch = <-h.spare:
	default:
		h.batch = nil
	}
	return nil
}

func (h *handover) Tables(context.Context, []connectors.Table) error { return nil }

// announce gives the definitions that what comes from now on is by.
func (h *handover) announce(ctx context.Context, systemID string, tables []*Table) error {
	if err := h.passHeld(ctx, false); err != nil {
		return err
	}
	return h.put(ctx, item{kind: itemTables, tables: append([]*Table(nil), tables...), systemID: systemID})
}

// origin gives the system identifier and timeline that positions belong to from now on.
func (h *handover) origin(ctx context.Context, systemID string, timeline uint32) error {
	return h.put(ctx, item{kind: itemOrigin, systemID: systemID, timeline: timeline})
}

// SnapshotRecorded gives the last record: what was queued is not lost.
func (h *handover) SnapshotRecorded(context.Context) ([]byte, error) { return h.record, nil }

func (h *handover) SnapshotRecord(ctx context.Context, r connectors.SnapshotRecord) (err error) {
	if h.record, err = r.Bytes(); err != nil {
		return err
	}
	p := new(SnapshotProgress)
	if err := json.Unmarshal(h.record, p); err != nil {
		return err
	}
	if h.heldAny {
		h.held.progress = p
		return nil
	}
	return h.put(ctx, item{kind: itemRecord, progress: p})
}

func (h *handover) SnapshotResume(ctx context.Context, at connectors.LSN) error {
	if err := h.passHeld(ctx, false); err != nil {
		return err
	}
	return h.put(ctx, item{kind: itemSnapshotResume, at: connectors.Position{LSN: at}})
}

func (h *handover) SnapshotVoid(ctx context.Context, table, chunk int) error {
	if err := h.passHeld(ctx, false); err != nil {
		return err
	}
	h.held, h.heldAny = item{kind: itemVoid, table: table, chunk: connectors.SnapshotChunk{Chunk: chunk}, received: time.Now()}, true
	return nil
}

func (h *handover) SnapshotForget(ctx context.Context, keys connectors.SnapshotChunk) error {
	select {
	case h.chunks <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := h.passHeld(ctx, false); err != nil {
		return err
	}
	return h.put(ctx, item{kind: itemForget, chunk: keys, received: time.Now()})
}

func (h *handover) SnapshotBegin(ctx context.Context) error {
	h.record = nil
	h.dropHeld()
	return h.put(ctx, item{kind: itemSnapshotBegin, at: connectors.Position{LSN: h.snapshotAt}})
}

// add begins the snapshot of the added tables, which are those from first on,
// or goes on with it at a later position.
func (h *handover) add(ctx context.Context, at connectors.Position, first int, tables []*Table) error {
	return h.put(ctx, item{kind: itemAdd, at: at, table: first, tables: tables})
}

func (h *handover) dropHeld() {
	if h.heldAny && h.held.kind == itemChunk {
		<-h.chunks
	}
	h.heldAny = false
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
	h.weight += b.Bytes + eventBytes*len(b.entries)
	h.batch = append(h.batch, item{kind: itemTxn, txn: b, at: b.Position})
	if len(h.batch) < batchItems && h.weight < batchBytes {
		return nil
	}
	return h.pass(ctx)
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
	h.batch = append(h.batch, item{kind: itemTableError, table: table, err: err})
}

// TableStale comes from beside the feed, and is queued by itself.
func (h *handover) TableStale(ctx context.Context, table int, why error) error {
	select {
	case h.queue <- []item{{kind: itemTableStale, table: table, err: why}}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A walk is the program's side: the item being taken apart.
type walk struct {
	*item
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
