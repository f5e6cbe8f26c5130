package cdc

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/jackc/pgx/v5/pgconn"
)

// How a table is added to a source that goes on from a checkpoint
//
// The added tables are published, where that is ours to do, and then a snapshot is
// taken at L2 through a passing slot. What the others' transactions up to L2
// have changed is handed out first, from the checkpoint on; then comes the snapshot
// of the added tables, and from L2 on the changes of all of them. So at L2 all tables
// are as of one position, and positions only grow.
//
// Until the last row of that snapshot the checkpoint does not have the added
// tables: who restores it adds them anew. Each begins with a Truncate.
//
// A table that is left out stays in the publication: else one who went back to a
// checkpoint that has it would miss changes and not know.

// isAdded reports whether a table awaits its snapshot.
func (r *run) isAdded(t *tableState) bool { return t.ID >= len(r.tables)-r.adding }

// publish puts tables that begin into the publication, which was made by us. One
// that has begun may have lost changes by not being there: it stops.
func (r *run) publish(ctx context.Context, conn *pgconn.PgConn, found *Discovered, begins func(*tableState) bool) error {
	p := publication{name: quoteIdent(r.cfg.PublicationName), filters: maps.Clone(found.filters)}
	for _, t := range found.tables {
		if t.unpublished == nil || t.failed != nil {
			continue
		}
		if !begins(t) {
			t.failed = t.unpublished
			continue
		}
		if t.spec.Where != "" {
			scratch := r.cfg
			scratch.PublicationName = r.passingSlot()
			if err := t.checkFilter(ctx, conn, &scratch); err != nil {
				return err
			}
		}
		p.table = t.from()
		if err := p.add(ctx, conn, &r.cfg, t.spec); err != nil {
			return err
		}
	}
	return nil
}

// addTables hands out everything up to the position of a new snapshot, and
// that snapshot of the added tables.
func (r *run) addTables(ctx context.Context, conn *pgconn.PgConn) error {
	if r.cfg.SnapshotMode == SnapshotNever {
		r.adding = 0
		if err := r.sink.(*handover).announce(ctx, r.cfg.SystemID, r.versions); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	plan, err := r.planSnapshot(ctx, conn)
	if err != nil {
		return err
	}
	plan.heaps = slices.DeleteFunc(plan.heaps, func(h *heap) bool { return !r.isAdded(h.table) })
	plan.number()
	r.countChunks(plan)
	made, repl, err := r.makeSlot(ctx, slotCommand(r.passingSlot(), true, true, false), &r.asm.at)
	if err != nil {
		return err
	}
	defer repl.Close(context.WithoutCancel(ctx))
	if err := r.streamUntil(ctx, made.lsn); err != nil {
		return err
	}
	first := len(r.tables) - r.adding
	copy(r.asm.noted[first:], r.versions[first:])
	copy(r.asm.flushed[first:], r.versions[first:])
	at := connectors.Position{LSN: made.lsn}
	r.sink.Status("snapshot", nil)
	r.log.Info("tables are added", "tables", r.adding, "lsn", at.LSN)
	if err := r.sink.(*handover).add(ctx, at, first, slices.Clone(r.versions[first:])); err != nil {
		return &sinkError{err}
	}
	err = r.copyPieces(ctx, made.snapshot, plan, plan.pieces(), func(c connectors.SnapshotChunk) error {
		r.m.snapshotRecords.Add(uint64(c.Rows.Len()))
		if err := r.sink.SnapshotChunk(ctx, c); err != nil {
			return &sinkError{err}
		}
		return nil
	}, func(p piece) error {
		r.m.snapshotChunksDone.Add(1)
		if plan.tableDone(p.heap.table) {
			r.m.snapshotTables.Add(1)
		}
		return nil
	})
	if err == nil {
		err = plan.advance(r.tables, made) // of a table that was changed meanwhile
	}
	if err != nil {
		return err
	}
	if err := r.sink.SnapshotEnd(ctx, at); err != nil {
		return &sinkError{err}
	}
	r.adding = 0
	return nil
}

// streamUntil hands out every transaction that a snapshot at the position sees.
func (r *run) streamUntil(ctx context.Context, until connectors.LSN) error {
	if r.asm.at.LSN < until {
		r.asm.until = until
		err := r.stream(ctx)
		if r.asm.until = 0; !errors.Is(err, errReached) {
			return err
		}
		r.asm.reset()
	}
	r.asm.at = connectors.Position{LSN: until}
	r.m.delivered.Store(uint64(until))
	return nil
}
