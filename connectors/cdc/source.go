package cdc

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Source captures tables of a PostgreSQL database for a program: it hands
// out events one by one and knows its position after each.
//
// NewSource, perhaps Restore, Start, then Events, Transactions or Recv from
// one goroutine at a time, Confirm when what was handed out is durable, Close.
type Source struct {
	feed *feed
	hand *handover

	mu           sync.Mutex // guards what follows
	started      bool
	restored     *Checkpoint
	pos          mark
	tables       []*Table // as of pos
	systemID     string
	timeline     uint32
	snapshotLSN  connectors.LSN
	snapshotSeq  uint64            // events of the snapshot handed out
	snapshotRows []uint64          // by table
	progress     *SnapshotProgress // of the snapshot, or that of the added tables, without rows
	adding       bool              // the snapshot of added tables has begun, and not come to its end
	firstAdded   int               // they are those from here on

	// The receiving goroutine's own.
	receiving atomic.Bool
	batch     []item // taken, of which the first batchAt are taken apart
	batchAt   int
	cur       walk
	arena     rowArena
	fresh     bool           // the next row is its snapshot's first
	within    mark           // of the snapshot that is being handed out
	resumed   connectors.LSN // the transaction that the source was restored within
	pushed    *Event         // taken, and to be given again

	cancel context.CancelFunc
	ended  chan struct{} // closed when the feed has ended
	err    error         // why, once ended is closed

	m struct {
		processed, created, updated, deleted atomic.Uint64
		commit                               atomic.Int64 // µs since 1970 of the last event's commit
		at                                   atomic.Uint64
	}
}

const defaultHeartbeatEvents = 10 * time.Second

// NewSource makes a source and checks the configuration. It opens no
// connection. SlotName may be left out with TemporarySlot and SnapshotInitialOnly.
func NewSource(cfg Config) (*Source, error) {
	if cfg.SlotName == "" && (cfg.TemporarySlot || cfg.SnapshotMode == SnapshotInitialOnly) {
		cfg.SlotName = "helios_cdc"
	}
	if cfg.MaxStepRows == 0 && cfg.BufferSize > 0 {
		cfg.MaxStepRows = max(1, cfg.BufferSize/2)
	}
	if cfg.MaxStepRows == 0 {
		cfg.MaxStepRows = 10_000
	}
	if cfg.MaxStepBytes == 0 {
		cfg.MaxStepBytes = retainBuffer
	}
	cfg.events = true
	f, err := newFeed(cfg)
	if err != nil {
		return nil, &DefiniteError{err}
	}
	return &Source{feed: f, ended: make(chan struct{})}, nil
}

// Start checks the server and starts to capture, until ctx ends, Close, or an
// error that no retry mends. It returns once the snapshot or the stream has
// begun. An error is a *DefiniteError or, when the server cannot be reached
// for now, a *TransientError; the source can be started again after it.
func (s *Source) Start(ctx context.Context) error {
	s.mu.Lock()
	if s.started {
		s.mu.Unlock()
		return &DefiniteError{pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the source was started already")}
	}
	s.started = true
	s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		s.mu.Lock()
		s.started = false
		s.mu.Unlock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return typed(err)
	}
	return nil
}

func (s *Source) start(ctx context.Context) error {
	cfg := s.feed.cfg
	var from *connectors.Position
	var record []byte
	if s.restored != nil && s.restored.Snapshot != nil {
		var err error
		if record, err = json.Marshal(s.restored.Snapshot); err != nil {
			return err
		}
	} else if s.restored != nil {
		p := s.restored.Position()
		from, s.resumed = &p, p.StepLSN
		if a := s.restored.Added; a != nil {
			var err error
			if record, err = json.Marshal(a.Snapshot); err != nil {
				return err
			}
		}
		if cfg.SnapshotMode == SnapshotInitialOnly {
			s.cancel = func() {}
			close(s.ended)
			return nil
		}
	} else if _, err := validate(ctx, cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	every := cfg.HeartbeatInterval
	if every == 0 {
		every = defaultHeartbeatEvents
	}
	h := newHandover(every)
	h.record = record
	var runErr error
	go func() {
		defer close(ended)
		runErr = s.feed.Run(ctx, from, h)
		h.Status("failed", runErr)
		if runErr == nil {
			h.Status("streaming", nil)
		}
	}()
	if err := <-h.started; err != nil {
		cancel()
		<-ended
		return err
	}
	s.hand, s.cancel = h, cancel
	go func() {
		<-ended
		s.err = typed(runErr)
		if ctx.Err() != nil {
			s.err = context.Cause(ctx)
		}
		close(s.ended)
	}()
	return nil
}

// Close stops capturing and waits for it. The slot stays, unless it is
// temporary: DropSlot frees it.
func (s *Source) Close() error {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started || s.cancel == nil {
		return nil
	}
	s.cancel()
	<-s.ended
	return nil
}

// take gives the next item. It is good until the next call.
func (s *Source) take(ctx context.Context) (*item, error) {
	if s.hand != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.batchAt == len(s.batch) {
		if err := s.takeBatch(ctx); err != nil {
			return nil, err
		}
	}
	s.batchAt++
	return &s.batch[s.batchAt-1], nil
}

// takeBatch waits for the next batch and gives the last one's memory back.
func (s *Source) takeBatch(ctx context.Context) error {
	if s.hand == nil {
		if s.cancel != nil {
			return io.EOF
		}
		return &DefiniteError{pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the source was not started")}
	}
	if s.batch != nil {
		clear(s.batch)
		select {
		case s.hand.spare <- s.batch[:0]:
		default:
		}
		s.batch, s.batchAt = nil, 0
	}
	select {
	case s.batch = <-s.hand.queue:
		return nil
	default:
	}
	select {
	case s.batch = <-s.hand.queue:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ended:
	}
	select {
	case s.batch = <-s.hand.queue:
		return nil
	default:
	}
	if s.err == nil {
		return io.EOF
	}
	return s.err
}

// pull gives the next event, Begin and Commit among them. It does not move the
// position: accept does.
func (s *Source) pull(ctx context.Context) (*Event, error) {
	if e := s.pushed; e != nil {
		s.pushed = nil
		return e, nil
	}
	for {
		if s.cur.active {
			if e := s.advance(); e != nil {
				return e, nil
			}
			continue
		}
		it, err := s.take(ctx)
		if err != nil {
			return nil, err
		}
		switch it.kind {
		case itemTxn, itemChunk, itemForget:
			s.cur = walk{item: it, active: true}
		case itemTableError:
			t := s.tables[it.table]
			return nil, &TableError{t.Schema, t.Name, typed(it.err)}
		case itemTableStale:
			t := s.tables[it.table]
			return nil, &TableStaleError{t.Schema, t.Name, it.err}
		case itemProgress:
			e := s.arena.event()
			*e = Event{Type: Heartbeat, LSN: it.at.LSN, CommitLSN: it.at.LSN, CommitTime: it.received, mark: mark{at: it.at}}
			return e, nil
		case itemVoid:
			e := s.snapshotEvent(Truncate, it.table, it.received)
			if e.Chunk, e.mark.progress = it.chunk.Chunk+1, it.progress; e.Chunk == 0 && it.progress == nil { // of a chunk the record before it tells
				e.mark.progress = s.progress.without(e.Table.OID)
			}
			if it.last {
				s.last(e)
			}
			return e, nil
		default:
			s.control(it)
		}
	}
}

// control takes what is no event.
func (s *Source) control(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch it.kind {
	case itemTables:
		s.tables, s.systemID = it.tables, it.systemID
		s.snapshotRows = append(s.snapshotRows, make([]uint64, max(0, len(s.tables)-len(s.snapshotRows)))...)
	case itemOrigin:
		s.systemID, s.timeline = it.systemID, it.timeline
	case itemSnapshotBegin:
		s.snapshotSeq, s.snapshotRows, s.progress = 0, make([]uint64, len(s.tables)), nil
		s.within = mark{snapshot: true}
		s.pos, s.snapshotLSN, s.fresh, s.adding = s.within, it.at.LSN, true, false
	case itemSnapshotResume:
		s.within = mark{snapshot: true}
		s.snapshotSeq, s.snapshotLSN = 0, it.at.LSN
	case itemAdd:
		s.firstAdded = it.table
		s.tables = append(slices.Clip(s.tables[:it.table]), it.tables...)
		s.snapshotSeq, s.snapshotLSN = 0, it.at.LSN
		s.snapshotRows = append(s.snapshotRows, make([]uint64, max(0, len(s.tables)-len(s.snapshotRows)))...)
		s.adding, s.within = true, mark{at: it.at}
		s.pos = s.within
	case itemRecord:
		s.progress = it.progress
	case itemSnapshotEnd:
		s.pos, s.adding = mark{at: it.at}, false
		s.m.at.Store(uint64(it.at.LSN))
	}
}

// advance gives the next event of the current item, nil at its end.
func (s *Source) advance() *Event {
	c := &s.cur
	if c.kind != itemTxn {
		return s.row()
	}
	b := c.txn
	if !c.begun {
		c.begun = true
		if b.first && !b.alone && b.final != s.resumed {
			e := s.txnEvent(Begin, b)
			e.LSN = b.final
			e.mark = mark{at: connectors.Position{LSN: b.before, StepLSN: b.final}}
			return e
		}
	}
	for c.next < len(b.entries) {
		n := &b.entries[c.next]
		c.next++
		if e := s.entry(b, n); e != nil {
			return e
		}
	}
	c.active = false
	at, last := b.Position, b.Last && !b.alone
	var e *Event
	if last {
		e = s.txnEvent(Commit, b)
		e.LSN, e.mark = b.final, mark{at: at}
	}
	b.Release()
	return e
}

func (s *Source) txnEvent(t EventType, b *txnBuf) *Event {
	e := s.arena.event()
	*e = Event{Type: t, CommitLSN: b.final, XID: b.XID, CommitTime: b.CommitTime}
	return e
}

// entry makes an event of a journal's entry; nil if its table has failed since.
func (s *Source) entry(b *txnBuf, n *entry) *Event {
	e := s.txnEvent(LogMessage, b)
	e.LSN, e.Seq, e.Table = n.lsn, n.seq, n.table
	e.mark = mark{at: connectors.Position{LSN: b.before, Step: n.seq, StepLSN: b.final}}
	if b.alone || s.cur.next == len(b.entries) && b.Last && !s.feed.cfg.TransactionEvents {
		e.mark = mark{at: b.Position}
	}
	switch n.kind {
	case entrySchema:
		e.Type, e.OldTable, e.tableID = SchemaChange, n.old, int(n.slot)
		e.mark.at.Step--
	case entryMessage:
		m := b.messages[n.index]
		e.Message = &m
	default:
		tc := b.Changes[n.slot]
		if int(n.index) >= tc.Changes.Len() {
			return nil
		}
		op, old := tc.Changes.Op(int(n.index))
		e.Type, e.old, e.tableID = eventOf[op], old, tc.Table
		e.before, e.after = s.arena.copy(tc.Changes.Old(int(n.index))), s.arena.copy(tc.Changes.New(int(n.index)))
		switch {
		case n.kind == entryForget:
			e.Snapshot = SnapshotRow
			e.mark.at.Step -= uint64(n.flags) // another one belongs to the same change
		default:
			e.Cascade, e.RestartIdentity = n.flags&1 != 0, n.flags&2 != 0
		}
	}
	return e
}

// snapshotEvent makes an event that belongs to a snapshot.
func (s *Source) snapshotEvent(typ EventType, table int, received time.Time) *Event {
	e := s.arena.event()
	*e = Event{Type: typ, Snapshot: SnapshotRow, Table: s.tables[table], CommitTime: received,
		LSN: s.snapshotLSN, CommitLSN: s.snapshotLSN, Seq: s.snapshotSeq + 1, tableID: table, mark: s.within}
	return e
}

// row makes an event of a row of the snapshot, or of a key to be forgotten.
func (s *Source) row() *Event {
	c := &s.cur
	rows := c.chunk.Rows
	if c.next == rows.Len() {
		c.active = false
		<-s.hand.chunks
		return nil
	}
	row := s.arena.copy(rows.Row(c.next))
	c.next++
	last := c.next == rows.Len()
	if c.kind == itemForget {
		e := s.snapshotEvent(Delete, c.chunk.Table, c.received)
		e.before, e.old = row, zset.OldKey
		return e
	}
	e := s.snapshotEvent(Read, c.chunk.Table, c.received)
	e.after = row
	if s.feed.cfg.KeepChunks && s.feed.cfg.byChunk(e.Table.Key) {
		e.Chunk = c.chunk.Chunk + 1
	}
	if s.fresh {
		e.Snapshot |= SnapshotFirst
		s.fresh = false
	}
	if last {
		e.mark.progress = c.progress
	}
	if c.last && last {
		s.last(e)
	}
	return e
}

// last marks an event as a snapshot's last.
func (s *Source) last(e *Event) {
	e.Snapshot |= SnapshotLast
	e.mark = mark{at: connectors.Position{LSN: s.snapshotLSN}, last: true}
}

// accept moves the position behind an event that is handed out.
func (s *Source) accept(e *Event) {
	s.mu.Lock()
	s.pos = e.mark
	s.adding = s.adding && !e.mark.last
	if e.mark.progress != nil {
		s.progress = e.mark.progress
	}
	if e.Snapshot != 0 {
		s.snapshotSeq++
	}
	switch {
	case e.Type == SchemaChange:
		s.tables[e.tableID] = e.Table
	case e.Type == Read:
		s.snapshotRows[e.tableID]++
	case e.Type == Truncate && e.Snapshot != 0 && e.Chunk == 0:
		s.snapshotRows[e.tableID] = 0
	}
	s.mu.Unlock()
	switch e.Type {
	case Create:
		s.m.created.Add(1)
	case Update:
		s.m.updated.Add(1)
	case Delete:
		s.m.deleted.Add(1)
	case Begin, Commit:
		if !s.feed.cfg.TransactionEvents {
			return
		}
	}
	s.m.processed.Add(1)
	s.m.commit.Store(e.CommitTime.UnixMicro())
	s.m.at.Store(uint64(e.mark.at.LSN))
}

// Metrics gives the counters. Safe for concurrent use.
func (s *Source) Metrics() Metrics {
	m := s.feed.Metrics()
	m.EventsProcessed, m.EventsCreated = s.m.processed.Load(), s.m.created.Load()
	m.EventsUpdated, m.EventsDeleted = s.m.updated.Load(), s.m.deleted.Load()
	at := connectors.LSN(s.m.at.Load())
	if at < m.DeliveredLSN { // some of it still waits for the program
		if m.LagBytes = int64(max(m.ServerLSN, m.DeliveredLSN)) - int64(at); at == 0 {
			m.LagBytes = 0
		}
		if t := s.m.commit.Load(); t > 0 {
			m.LagMs = max(0, time.Now().UnixMilli()-t/1000)
		}
	}
	m.DeliveredLSN = at
	return m
}
