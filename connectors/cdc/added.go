package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/jackc/pgx/v5/pgconn"
)

// How a table is added to a source that goes on from a checkpoint
//
// The added tables are published, where that is ours to do, and then a snapshot is
// taken at L2 through a passing slot. What the others' transactions up to L2
// have changed is handed out first, from the checkpoint on; then comes the snapshot
// of the added tables, and from L2 on the changes of all of them. So at L2 all tables
// are as of one position, and positions only grow. Each added table begins with a Truncate.
//
// Until the last row of that snapshot the checkpoint has the added tables apart, with
// their snapshot's progress. If it is interrupted, at the position P, the next attempt takes a
// snapshot at L3, again through a passing slot, and gives, in this order,
//
//   - the others' changes of the transactions between P and L3, and, each in its place among
//     them, the keys that they touch of the added tables: the sink forgets their rows;
//   - at L3, what is missing of the added tables: the chunks that are not done, and of
//     the others the rows whose version was written by a transaction that the snapshot at L2 may not have seen.
//
// Then the added tables are as of L3, by the proof in resume.go, with L1 being L2: let F be
// what the sink has of them, T the keys that transactions between L2 and L3 touch. A row is given when
// the position is that of the snapshot it is read at, so what touches it afterwards lies behind the position, and is
// handed out as a key before the position passes it. So, however often that was interrupted,
// no row of F has a key that was touched behind the snapshot that it was read at. A row of F
// that is not in the table at L3 would have one. A row of the table at L3 whose key
// is not in T has the version of L2, at the same place, and was never forgotten: F has it, if its chunk is done. One whose
// key is in T has a version that the snapshot at L2 did not see: it is read at L3, wherever it lies.
//
// What begins anew (a table that was truncated, rewritten or redefined or has failed, or has no
// key and no chunk that is as it was) has no keys handed out. So this is recorded before the position
// moves; the sink is told at L3. Of tables without a key the chunks are checked at L3, as in resume.go,
// whatever P is. A table that is added while others are being added begins at L3: that its done chunks are
// newer than L2 only makes for more rows that are read again. While nothing is done, L3 takes the place of L2.
//
// A table that is left out stays in the publication: else one who went back to a
// checkpoint that has it would miss changes and not know.

// isAdded reports whether a table awaits its snapshot.
func (r *run) isAdded(t *tableState) bool { return t.ID >= len(r.tables)-r.adding }

// publish puts tables that begin into the publication, which was made by us. One
// that has begun may have lost changes by not being there: it stops. SnapshotInitialOnly
// streams nothing and leaves the publication alone.
func (r *run) publish(ctx context.Context, conn *pgconn.PgConn, found *Discovered, begins func(*tableState) bool) error {
	if r.cfg.SnapshotMode == SnapshotInitialOnly {
		return nil
	}
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

// addTables hands out everything up to the position of a new snapshot, and of
// the added tables that snapshot, or what is missing of an earlier one.
func (r *run) addTables(ctx context.Context, conn *pgconn.PgConn) error {
	if r.cfg.SnapshotMode == SnapshotNever {
		r.adding = 0
		if err := r.sink.(*handover).announce(ctx, r.cfg.SystemID, r.versions); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	hand := r.sink.(*handover)
	if err := hand.passHeld(ctx, false); err != nil { // what was read before the others go on
		return &sinkError{err}
	}
	plan, anew, err := r.planAdded(ctx, conn)
	if err != nil {
		return err
	}
	made, repl, err := r.makeSlot(ctx, slotCommand(r.passingSlot(), true, true, false), &r.asm.at)
	if err != nil {
		return err
	}
	defer repl.Close(context.WithoutCancel(ctx))
	if err := r.oldest(ctx, conn, &made); err != nil {
		return err
	}
	if err := r.streamUntil(ctx, made.lsn, plan, anew); err != nil {
		return err
	}
	r.sink.Status("snapshot", nil)
	if err := r.check(ctx, made, plan, anew); err != nil {
		return err
	}
	first := len(r.tables) - r.adding
	clear(anew[:first])
	if plan.newest = made.lsn; plan.chunks == 0 {
		plan.lsn, plan.xmin = made.lsn, made.xmin
	}
	r.log.Info("tables are added", "tables", r.adding, "chunks_done", plan.chunks, "chunks", plan.all, "lsn", made.lsn)
	if err := hand.add(ctx, connectors.Position{LSN: made.lsn}, first, slices.Clone(r.versions[first:])); err != nil {
		return &sinkError{err}
	}
	if err := r.recordAnew(ctx, plan, anew); err != nil {
		return err
	}
	r.begun = r.adding
	if err := r.forgetVoid(ctx, plan, anew); err != nil {
		return err
	}
	if err := r.takeSnapshot(ctx, made, plan); err != nil {
		return err
	}
	r.adding, r.begun = 0, 0
	return nil
}

// planAdded plans what is left to read of the added tables, and gives those
// that begin anew.
func (r *run) planAdded(ctx context.Context, conn *pgconn.PgConn) (plan *snapshotPlan, anew []bool, err error) {
	if plan, err = r.planSnapshot(ctx, conn); err != nil {
		return nil, nil, err
	}
	plan.heaps = slices.DeleteFunc(plan.heaps, func(h *heap) bool { return !r.isAdded(h.table) })
	was := new(SnapshotProgress)
	if r.begun > 0 {
		if err := json.Unmarshal(r.sink.(*handover).record, was); err != nil {
			return nil, nil, fmt.Errorf("reading the progress of a snapshot: %w", err)
		}
	}
	anew = plan.adopt(was, r)
	r.countChunks(plan)
	if r.begun > 0 {
		err = r.recordAnew(ctx, plan, anew)
	}
	return plan, anew, err
}

// streamUntil hands out every transaction that a snapshot at the position
// sees: what it changes, and of the added tables that go on what it touches.
func (r *run) streamUntil(ctx context.Context, until connectors.LSN, plan *snapshotPlan, anew []bool) error {
	first := len(r.tables) - r.adding
	f := forgetting{run: r, plan: plan, anew: anew, first: first, isKey: make([][]bool, len(r.tables))}
	known := func() { // the stream begins with the definitions that were found, and they are what is copied by
		for _, t := range r.tables[first:] {
			r.asm.noted[t.ID], r.asm.flushed[t.ID] = r.versions[t.ID], r.versions[t.ID]
			t.adopt(r.versions[t.ID])
		}
	}
	known()
	if r.asm.at.LSN < until {
		for _, t := range r.tables[first:] {
			if f.isKey[t.ID] = t.isKey(); !anew[t.ID] && !r.byChunk(t) {
				r.forgotten = append(r.forgotten, t)
			}
		}
		r.asm.until, r.asm.forget = until, func(b *txnBuf) error { return f.take(ctx, b) }
		err := r.stream(ctx)
		r.asm.until, r.asm.forget, r.forgotten = 0, nil, nil
		known()
		if !errors.Is(err, errReached) {
			return err
		}
		r.asm.reset()
	}
	r.asm.at = connectors.Position{LSN: until}
	r.m.delivered.Store(uint64(until))
	return nil
}

// decoded are the tables whose changes are wanted.
func (r *run) decoded() []*tableState {
	return append(slices.Clip(r.tables[:len(r.tables)-r.adding]), r.forgotten...)
}

// A forgetting makes of transactions' changes of added tables the keys that
// they touch.
type forgetting struct {
	*run
	plan  *snapshotPlan
	anew  []bool
	first int // of the added tables
	isKey [][]bool
}

// take rewrites a transaction, or a step of one. A table whose definition was
// another for a while, or that has failed, begins anew.
func (f *forgetting) take(ctx context.Context, b *txnBuf) error {
	voided := false
	void := func(t *tableState) {
		if !f.anew[t.ID] {
			f.anew[t.ID], voided = true, true
			f.plan.restart(t)
		}
	}
	for _, t := range f.forgotten {
		if t.failed != nil {
			void(t)
		}
	}
	for _, n := range b.entries {
		if n.kind == entrySchema && int(n.slot) >= f.first {
			void(f.tables[n.slot])
		}
	}
	if voided {
		if err := f.recordAnew(ctx, f.plan, f.anew); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(b.Changes, func(c connectors.TableChanges) bool { return c.Table >= f.first }) {
		return nil
	}
	entries, said := slices.Clone(b.entries), slices.Clone(b.Changes)
	b.entries = b.entries[:0]
	for i := range said {
		if said[i].Table >= f.first {
			b.Changes[i].Changes = new(zset.Changes)
		}
	}
	for _, n := range entries {
		switch {
		case n.kind == entrySchema && int(n.slot) >= f.first:
		case n.kind != entryChange || said[n.slot].Table < f.first:
			b.entries = append(b.entries, n)
		case !f.anew[said[n.slot].Table]:
			f.forget(b, n, said[n.slot].Changes)
		}
	}
	return nil
}

// forget enters the keys that a change touches.
func (f *forgetting) forget(b *txnBuf, n entry, said *zset.Changes) {
	to, at := b.Changes[n.slot], int(n.index)
	if at >= said.Len() {
		return // the table has failed since
	}
	n.kind = entryForget
	touched(said, at, func(row, old types.Row, more bool) {
		n.index, n.flags = int32(to.Changes.Len()), 0
		if more {
			n.flags = 1
		}
		key := appendKey(to.Changes.Begin(), row, old, f.isKey[to.Table])
		to.Changes.End(key, len(key), zset.Delete, zset.OldKey)
		b.entries = append(b.entries, n)
	})
}
