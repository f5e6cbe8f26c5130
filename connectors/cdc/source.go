package cdc

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Source captures tables of one PostgreSQL database through one slot.
type Source struct {
	cfg       Config
	m         counters
	confirmed atomic.Uint64
	log       *slog.Logger
}

// counters are what Metrics shows; written per transaction at most.
type counters struct {
	transactions, changes, bytes   atomic.Uint64
	snapshotRows, snapshotTables   atomic.Uint64
	reconnects, tableErrors        atomic.Uint64
	received, delivered, serverEnd atomic.Uint64
	arrivalAge                     atomic.Int64 // µs
	inSink                         atomic.Bool  // a delivery is under way
}

// Metrics are a source's counters since the process started.
type Metrics struct {
	Transactions   uint64 // delivered whole
	Changes        uint64 // delivered rows and truncates
	Bytes          uint64 // of delivered packed rows
	SnapshotRows   uint64
	SnapshotTables uint64 // copied to their end
	Reconnects     uint64
	TableErrors    uint64
	ReceivedLSN    connectors.LSN // last seen in the stream
	DeliveredLSN   connectors.LSN
	ConfirmedLSN   connectors.LSN
	ServerLSN      connectors.LSN // the server's end of log as it last said
	LagBytes       int64
	LagAge         time.Duration
}

// NewSource makes a source. It opens no connection: Run does.
func NewSource(cfg Config) (*Source, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	if _, err := parseConnString(cfg.ConnectionString); err != nil {
		return nil, err
	}
	return &Source{cfg: cfg, log: slog.With("source_slot", cfg.SlotName)}, nil
}

// Confirm says that everything up to p is durable at the consumer: the server
// may forget it.
func (s *Source) Confirm(p connectors.Position) {
	for {
		old := s.confirmed.Load()
		if uint64(p.LSN) <= old || s.confirmed.CompareAndSwap(old, uint64(p.LSN)) {
			return
		}
	}
}

// Lag gives how many bytes of the server's log are known and not delivered,
// and how old the last delivered commit was when it arrived.
func (s *Source) Lag() (bytes int64, age time.Duration) {
	end, at := s.m.serverEnd.Load(), s.m.delivered.Load()
	if end > at {
		bytes = int64(end - at)
	}
	return bytes, time.Duration(s.m.arrivalAge.Load()) * time.Microsecond
}

// Metrics gives the counters. Safe for concurrent use.
func (s *Source) Metrics() Metrics {
	bytes, age := s.Lag()
	return Metrics{
		Transactions: s.m.transactions.Load(), Changes: s.m.changes.Load(), Bytes: s.m.bytes.Load(),
		SnapshotRows: s.m.snapshotRows.Load(), SnapshotTables: s.m.snapshotTables.Load(),
		Reconnects: s.m.reconnects.Load(), TableErrors: s.m.tableErrors.Load(),
		ReceivedLSN:  connectors.LSN(s.m.received.Load()),
		DeliveredLSN: connectors.LSN(s.m.delivered.Load()),
		ConfirmedLSN: connectors.LSN(s.confirmed.Load()),
		ServerLSN:    connectors.LSN(s.m.serverEnd.Load()),
		LagBytes:     bytes, LagAge: age,
	}
}

// A run is one call of Run: what lives through reconnections.
type run struct {
	*Source
	cfg    Config // with the tables pinned, once they are known
	sink   connectors.Sink
	tables []*tableState
	asm    *assembler
	told   bool // the sink knows the tables
}

// The bounds of the wait between two attempts.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 15 * time.Second
)

// Run delivers changes to the sink, from start on, until ctx ends or an error
// that no retry mends.
func (s *Source) Run(ctx context.Context, start *connectors.Position, sink connectors.Sink) error {
	r := &run{Source: s, cfg: s.cfg, sink: sink}
	if start != nil {
		s.Confirm(*start)
		s.m.delivered.Store(uint64(start.LSN))
	}
	backoff := backoffMin
	for {
		before := s.m.received.Load()
		err := r.attempt(ctx, start)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var se *sinkError
		if errors.As(err, &se) {
			return se.err
		}
		if !IsTransient(err) {
			sink.Status("failed", err)
			return err
		}
		if r.asm != nil {
			r.asm.reset()
			at := r.asm.at
			start = &at
		}
		if s.m.received.Load() != before {
			backoff = backoffMin
		}
		s.m.reconnects.Add(1)
		sink.Status("retrying", err)
		wait := backoff/2 + rand.N(backoff)
		s.log.Warn("source connection lost", "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		backoff = min(2*backoff, backoffMax)
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
	found, err := discover(ctx, conn, &r.cfg)
	if err != nil {
		return err
	}
	if err := r.announce(ctx, found, start != nil); err != nil {
		return err
	}
	if start == nil {
		at, err := r.first(ctx, conn, found)
		if err != nil {
			return err
		}
		start = &at
		r.Confirm(at)
		r.m.delivered.Store(uint64(at.LSN))
	} else if err := checkSlot(ctx, conn, &r.cfg, *start); err != nil {
		return err
	}
	if r.asm == nil {
		r.asm = newAssembler(ctx, r.sink, &r.cfg, len(r.tables), *start, &r.m)
	}
	conn.Close(ctx)
	return r.stream(ctx)
}

// announce tells the sink of the tables. A table that cannot go on stops the
// source when it is new, and only itself afterwards.
func (r *run) announce(ctx context.Context, found *Discovered, resumed bool) error {
	failedBefore := map[int]error{}
	for _, t := range r.tables {
		if t.failed != nil {
			failedBefore[t.ID] = t.failed
		}
	}
	r.tables = found.tables
	r.cfg = found.Pinned(r.cfg)
	list := make([]connectors.Table, len(found.tables))
	for i, t := range found.tables {
		if t.failed != nil && !resumed {
			return t.failed
		}
		list[i] = t.Table
	}
	if !r.told {
		if err := r.sink.Tables(ctx, list); err != nil {
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
	return pgerr.Newf(pgerr.UndefinedObject, "replication slot %q does not exist: changes since the last position are lost", cfg.SlotName).
		WithHint("Drop the source and create it again; it then starts with a new snapshot.")
}
