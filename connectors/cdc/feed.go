package cdc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A feed captures tables of one PostgreSQL database through one slot, into a
// sink.
type feed struct {
	cfg       Config
	fresh     Config   // what to begin anew with
	restored  []*Table // with cfg.events: the tables as of the start
	adding    int      // that many of the configured ones, at their end, are new since
	begun     int      // of the first of these a snapshot was begun
	m         counters
	confirmed atomic.Uint64
	pace      atomic.Pointer[pace]
	spoolFile func(dir string) (*os.File, error)
	log       *slog.Logger
}

// counters are what Metrics shows; written per transaction at most.
type counters struct {
	transactions, changes, bytes   atomic.Uint64
	snapshotRecords                atomic.Uint64
	snapshotTables                 atomic.Uint64
	snapshotChunks                 atomic.Uint64
	snapshotChunksDone             atomic.Uint64
	reconnects, tableErrors        atomic.Uint64
	received, delivered, serverEnd atomic.Uint64
	arrivalAge                     atomic.Int64 // µs
	inSink                         atomic.Bool  // a delivery is under way
	replaying                      atomic.Bool  // a streamed transaction has committed and is being handed on
	spoolBytes                     atomic.Int64
	heartbeatFailures              atomic.Uint64
	heartbeatError                 atomic.Pointer[string]
}

// Metrics are a source's counters since it was made.
type Metrics struct {
	// Events handed to the program, all of them and by type.
	EventsProcessed uint64
	EventsCreated   uint64
	EventsUpdated   uint64
	EventsDeleted   uint64

	SnapshotRecords uint64 // rows read
	SnapshotTables  uint64 // tables copied to their end
	// SnapshotChunks are the pieces that tables are copied in, SnapshotChunksDone
	// how many of them are done, before an interruption too.
	SnapshotChunks, SnapshotChunksDone uint64
	Transactions                       uint64 // received whole
	Changes                            uint64 // rows and truncates of them
	Bytes                              uint64 // of their packed rows
	Reconnects                         uint64
	TableErrors                        uint64
	ReceivedLSN                        connectors.LSN // last seen in the stream
	DeliveredLSN                       connectors.LSN // up to which all is handed on
	ConfirmedLSN                       connectors.LSN
	ServerLSN                          connectors.LSN // the server's end of log as it last said
	SpoolBytes                         int64          // in files now, of large transactions that have not committed
	LagBytes                           int64          // of the server's log, known and not handed on
	LagMs                              int64          // how old the last change was when it was handed on

	HeartbeatFailures uint64
	HeartbeatError    string // the last heartbeat's; "": it succeeded
}

// newFeed makes a feed. It opens no connection: Run does.
func newFeed(cfg Config) (*feed, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	if _, err := parseConnString(cfg.ConnectionString); err != nil {
		return nil, err
	}
	return &feed{cfg: cfg, fresh: cfg, spoolFile: spoolFile, log: slog.With("source_slot", cfg.SlotName)}, nil
}

// Confirm says that everything up to p is durable at the consumer: the server
// may forget it.
func (s *feed) Confirm(p connectors.Position) {
	for {
		old := s.confirmed.Load()
		if uint64(p.LSN) <= old || s.confirmed.CompareAndSwap(old, uint64(p.LSN)) {
			return
		}
	}
}

// SetPace implements connectors.Pacer: large transactions are cut into smaller
// steps, or larger ones again, from the next step on.
func (s *feed) SetPace(stepRows, stepBytes int) {
	s.pace.Store(&pace{stepRows, stepBytes})
}

// Lag gives how many bytes of the server's log are known and not delivered,
// and how old the last delivered commit was when it arrived.
func (s *feed) Lag() (bytes int64, age time.Duration) {
	end, at := s.m.serverEnd.Load(), s.m.delivered.Load()
	if end > at {
		bytes = int64(end - at)
	}
	return bytes, time.Duration(s.m.arrivalAge.Load()) * time.Microsecond
}

// SpoolBytes implements connectors.Spooler.
func (s *feed) SpoolBytes() int64 { return s.m.spoolBytes.Load() }

// SnapshotChunks implements connectors.ChunkCounter.
func (s *feed) SnapshotChunks() (done, of int64) {
	return int64(s.m.snapshotChunksDone.Load()), int64(s.m.snapshotChunks.Load())
}

// Metrics gives the counters. Safe for concurrent use.
func (s *feed) Metrics() Metrics {
	bytes, age := s.Lag()
	heartbeat := ""
	if p := s.m.heartbeatError.Load(); p != nil {
		heartbeat = *p
	}
	return Metrics{
		HeartbeatFailures: s.m.heartbeatFailures.Load(), HeartbeatError: heartbeat,
		Transactions: s.m.transactions.Load(), Changes: s.m.changes.Load(), Bytes: s.m.bytes.Load(),
		SnapshotRecords: s.m.snapshotRecords.Load(), SnapshotTables: s.m.snapshotTables.Load(),
		SnapshotChunks: s.m.snapshotChunks.Load(), SnapshotChunksDone: s.m.snapshotChunksDone.Load(),
		Reconnects: s.m.reconnects.Load(), TableErrors: s.m.tableErrors.Load(),
		ReceivedLSN:  connectors.LSN(s.m.received.Load()),
		DeliveredLSN: connectors.LSN(s.m.delivered.Load()),
		ConfirmedLSN: connectors.LSN(s.confirmed.Load()),
		ServerLSN:    connectors.LSN(s.m.serverEnd.Load()),
		SpoolBytes:   s.SpoolBytes(),
		LagBytes:     bytes, LagMs: age.Milliseconds(),
	}
}

// A run is one call of Run: what lives through reconnections.
type run struct {
	*feed
	cfg       Config // with the tables pinned, once they are known
	sink      connectors.Sink
	tables    []*tableState
	versions  []*Table      // with cfg.events: the tables as of the sink's position
	adding    int           // of feed: they are not at the end of their snapshot
	begun     int           // of feed: and the sink has a record of it
	forgotten []*tableState // of these, those that go on while transactions are handed out
	asm       *assembler
	told      bool           // the sink knows the tables
	kept      [2]string      // system identifier and timeline that the sink has
	renewed   bool           // the sink's tables are to be replaced; others may stand for them
	lost      error          // why, if the position was lost
	void      bool           // what the sink has of a snapshot is of before that
	held      *pgconn.PgConn // whose temporary slot is to be streamed from
	whole     bool           // the next connection gets each transaction when it has committed
}

// The bounds of the wait between two attempts, by what the server says: another
// process has the slot, perhaps our last connection; it is starting. A table that
// was changed while its snapshot was read is read as soon as may be.
const (
	backoffMin      = 100 * time.Millisecond
	backoffActive   = time.Second
	backoffStarting = 2 * time.Second
	backoffMax      = 15 * time.Second
)

// backoff is how long to wait after err, which is the last of so many failures in a row.
func backoff(err error, failures int) time.Duration {
	bound := backoffMax
	var changed *changedError
	switch code := pgerr.CodeOf(err); {
	case errors.As(err, &changed):
		bound = backoffMin
	case code == pgerr.ObjectInUse:
		bound = backoffActive
	case code == pgerr.CannotConnectNow, errors.Is(err, syscall.ECONNREFUSED):
		bound = backoffStarting
	}
	wait := min(backoffMin<<min(failures-1, 10), bound)
	return wait/2 + rand.N(wait/2)
}

// Run delivers changes to the sink, from start on, until ctx ends or an error
// that no retry mends.
func (s *feed) Run(ctx context.Context, start *connectors.Position, sink connectors.Sink) error {
	r := &run{feed: s, cfg: s.cfg, sink: sink, versions: s.restored, adding: s.adding, begun: s.begun, kept: [2]string{s.cfg.SystemID, fmt.Sprint(s.cfg.Timeline)}}
	defer r.release(ctx)
	if start != nil && s.cfg.SnapshotMode == SnapshotInitialOnly {
		return nil // the snapshot is in
	}
	if start != nil && *start == (connectors.Position{}) {
		r.beginAnew(nil) // or goes on: what the sink has a record of is of this
		start = nil
	}
	if start != nil {
		s.Confirm(*start)
		s.m.delivered.Store(uint64(start.LSN))
	}
	for failures := 1; ; failures++ {
		before, began := s.m.received.Load(), time.Now()
		err := r.attempt(ctx, start)
		if o, ok := sink.(orderedSink); ok {
			_ = o.pass(ctx) // fails only with ctx
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			return nil
		}
		var se *sinkError
		if errors.As(err, &se) {
			return se.err
		}
		var lost *PositionLostError
		if s.cfg.SnapshotMode == SnapshotWhenNeeded && errors.As(err, &lost) {
			s.log.Warn("the source's position is lost; taking a new snapshot", "error", err)
			r.beginAnew(lost)
			start = nil
			continue
		}
		established := start != nil || !s.cfg.events // it has connected before
		if !IsTransient(err) && !(established && turnedAway(err)) {
			sink.Status("failed", err)
			return err
		}
		if r.asm != nil {
			r.asm.reset()
			r.versions = r.asm.flushed
			at := r.asm.at
			start = &at
		}
		if s.m.received.Load() != before || time.Since(began) > backoffMax {
			failures = 1
		}
		s.m.reconnects.Add(1)
		sink.Status("retrying", err)
		wait := backoff(err, failures)
		s.log.Warn("source connection lost", "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// beginAnew lets the next attempt take a new snapshot of what the sink has. If
// the position was lost now, what the sink has of another one is void.
func (r *run) beginAnew(why error) {
	r.cfg, r.tables, r.versions, r.adding, r.begun, r.asm, r.told, r.renewed, r.void, r.lost = r.fresh.anew(), nil, nil, 0, 0, nil, false, true, why != nil, why
	if !r.cfg.events {
		r.sink.Status("snapshot", why)
	}
}

// attempt is one session: up to the first error. start is nil until a
// snapshot is in.
func (r *run) attempt(ctx context.Context, start *connectors.Position) error {
	conn, err := connect(ctx, &r.cfg, false)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var found *Discovered
	err = watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) (err error) {
		found, err = discover(ctx, conn, &r.cfg)
		return err
	})
	if err != nil {
		return err
	}
	if !r.cfg.events {
		found.followLeaves(r.tables, start != nil)
	}
	var unfinished *SnapshotProgress
	if start == nil {
		if unfinished, err = r.unfinished(ctx, conn, found); err != nil {
			return err
		}
	}
	err = watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) error {
		return r.publish(ctx, conn, found, func(t *tableState) bool {
			return start == nil && (unfinished == nil || r.renewed) || t.ID >= len(found.tables)-r.adding+r.begun
		})
	})
	if err != nil {
		return err
	}
	if start == nil {
		r.adding, r.begun = 0, 0 // the snapshot is of all tables
	}
	if err := r.announce(ctx, found, start != nil, unfinished != nil); err != nil {
		return err
	}
	if start == nil {
		var at connectors.Position
		if unfinished != nil {
			at, err = r.resume(ctx, conn, unfinished)
		} else {
			at, err = r.first(ctx, conn, found)
		}
		if err != nil {
			return err
		}
		if r.cfg.SnapshotMode == SnapshotInitialOnly {
			return nil
		}
		if start = &at; !r.cfg.events || unfinished == nil { // else the program says when it has it: until then it may come back to the snapshot
			r.confirmed.Store(uint64(at.LSN)) // what was confirmed before may be of another history
		}
		r.m.delivered.Store(uint64(at.LSN))
	} else if err := watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) error { return checkSlot(ctx, conn, &r.cfg, *start) }); err != nil {
		return err
	}
	if r.asm == nil {
		r.asm = newAssembler(ctx, r.sink, &r.cfg, len(r.tables), *start, &r.m)
		r.asm.pace = &r.pace
		r.asm.noted, r.asm.flushed = slices.Clone(r.versions), slices.Clone(r.versions)
	}
	if r.adding > 0 {
		if err := r.addTables(ctx, conn); err != nil {
			return err
		}
	}
	conn.Close(ctx)
	return r.stream(ctx)
}

// announce tells the sink of the tables. A table that cannot go on stops the
// source when it is new, and only itself afterwards, unless all are so.
func (r *run) announce(ctx context.Context, found *Discovered, streaming, unfinished bool) error {
	failedBefore := map[int]error{}
	for _, t := range r.tables {
		if t.failed != nil {
			failedBefore[t.ID] = t.failed
		}
	}
	r.tables = found.tables
	r.cfg = found.Pinned(r.cfg)
	list := make([]connectors.Table, len(found.tables))
	renews := r.renewed && !r.cfg.events && slices.ContainsFunc(found.tables, func(t *tableState) bool { return t.failed == nil })
	for i, t := range found.tables {
		if t.failed != nil && (!streaming && !unfinished && !renews || t.ID >= len(found.tables)-r.adding+r.begun) {
			return t.failed
		}
		if t.failed != nil && t.kind != 0 && r.cfg.SnapshotMode == SnapshotWhenNeeded && pgerr.CodeOf(t.failed) == pgerr.UndefinedTable {
			return &PositionLostError{t.failed}
		}
		list[i] = t.Table
		list[i].Schema, list[i].Name = t.spec.Schema, t.spec.Name // the consumer's names, if it was renamed since
		list[i].ByChunk = r.byChunk(t)
	}
	if r.cfg.events {
		r.adoptVersions(found, unfinished)
	}
	if !r.told {
		err := r.sink.Tables(ctx, list)
		if o, ok := r.sink.(orderedSink); ok {
			err = o.announce(ctx, found.SystemID, r.versions[:len(r.versions)-r.adding+r.begun])
		}
		if err != nil {
			return &sinkError{err}
		}
		r.told = true
	}
	for _, t := range found.tables {
		if err := failedBefore[t.ID]; err != nil {
			t.failed = err
		} else if t.failed != nil {
			r.m.tableErrors.Add(1)
			r.sink.TableError(t.ID, t.failed)
		}
	}
	return nil
}

func errSlotGone(cfg *Config) error {
	return positionLost(pgerr.UndefinedObject, "replication slot %q does not exist: changes since the last position are lost", cfg.SlotName)
}

// release ends the connection that holds a temporary slot.
func (r *run) release(ctx context.Context) {
	if r.held != nil {
		r.held.Close(context.WithoutCancel(ctx))
		r.held = nil
	}
}
