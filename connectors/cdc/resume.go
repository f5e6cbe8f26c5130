package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/jackc/pgx/v5/pgconn"
)

// How a snapshot goes on after an interruption
//
// Let L1 be the position of the first snapshot, which is also the slot's, and
// let the sink hold F: rows of the done chunks, and perhaps of others, each as of a
// snapshot between L1 and now. A new snapshot is taken at L2, through a temporary
// slot. Let T be the keys that transactions between L1 and L2 touch, old keys and new
// ones: the persistent slot gives them. Let R be what is read at L2: all rows of
// the chunks that are not done, and of the others the rows whose version was written by a
// transaction that the snapshot at L1 may not have seen (their xmin tells). Then
//
//	(F without the rows of T) with R on top
//
// is the table at L2. Take a row of the table at L2. If a transaction between L1 and L2
// has touched its key, its version is of such a transaction, so it is in R,
// wherever it lies now. If none has, its version is the one of L1, at the same place: in a
// chunk that is done F has it, in another one R has it. And a row of F that is not
// in the table at L2 was deleted, or its key was changed: its key is in T. R is
// read and not put together from changes, so unchanged TOASTed values are no matter.
//
// This needs that rows stay at their place: a heap that has another file than
// before was truncated or rewritten, and its table begins anew. So do those
// whose definition is another, and those whose partitions are others.
//
// Rows of a table without a key cannot be told apart, and with SnapshotInitialOnly
// nothing gives T, for there is no publication and no slot that lasts. There the sink keeps
// the rows by chunk, and what is done is checked at L2: a chunk stays if all its versions are
// of transactions that the snapshot it was read at had seen, and are as many as were read.
// For a version that that snapshot had seen the writer of, and that is there at L2, was there
// when the chunk was read; as many of them are all of them. So the chunk has at L2 just
// the rows that were read: it is of L2, without a look at T, and L2's horizon is the one
// that it is checked against the next time. Any other chunk is void and is read again.
//
// A record says of these chunks: if one is done the sink has just its rows, else
// whatever the sink has of it is void when the snapshot goes on. So a chunk that differs is
// first recorded as not done, durably, and then void.
//
// All of this is of one history: F may have rows of any snapshot up to the newest
// one, so that has to lie in the log of the server that the snapshot goes on at.
//
// It begins at L1 again however often the snapshot is interrupted: what F lost to T and
// did not get from R yet is touched again the next time, and read again. A table that
// was truncated or rewritten meanwhile does not interrupt it: the others are read to
// their end, and what is recorded then is of L2, which takes the place of L1.

// A SnapshotProgress is how far a snapshot has come, and what is needed to go on.
type SnapshotProgress struct {
	Rows   uint64          // handed to the program
	Tables []TableProgress `json:",omitempty"`

	LSN  connectors.LSN `json:",omitempty"` // of the snapshot that what is done is of
	XMin uint64         `json:",omitempty"` // the oldest transaction that it may not see

	Newest   connectors.LSN `json:",omitempty"` // of the last snapshot that rows were read at
	SystemID string         `json:",omitempty"` // the server's
	Timeline uint32         `json:",omitempty"` // the server's, in the history of which Newest lies; 0: not known
}

// TableProgress is the snapshot's progress in one table, which has the name
// that it was configured with.
type TableProgress struct {
	Schema, Table string
	OID           uint32 `json:",omitempty"`
	Rows          uint64 // handed to the program
	Chunks, Done  int    // ranges of pages, and how many of them are done

	Definition string         `json:",omitempty"` // a hash; "": it begins anew
	XMin       uint64         `json:",omitempty"` // if it is kept by chunk: as SnapshotProgress.XMin, of this table
	Heaps      []HeapProgress `json:",omitempty"`
}

// HeapProgress is the snapshot's progress in a table's heap, or a partition's.
type HeapProgress struct {
	OID, Filenode uint32
	Pages         uint32   // of a chunk
	Chunks        int      // the last of which has no end
	Done          [][2]int `json:",omitempty"` // from, to (exclusive)
	Counts        []uint64 `json:",omitempty"` // if kept by chunk: rows of the chunks that are done, by chunk
}

// progress notes how far the plan has come: with all tables, or with those
// that are added.
func (p *snapshotPlan) progress(r *run) *SnapshotProgress {
	s := &SnapshotProgress{LSN: p.lsn, XMin: p.xmin, Newest: p.newest, SystemID: r.cfg.SystemID, Timeline: r.cfg.Timeline}
	for i, t := range r.tables {
		if r.adding > 0 && !r.isAdded(t) {
			continue
		}
		tp := TableProgress{Schema: t.spec.Schema, Table: t.spec.Name, OID: t.OID, Rows: p.rows[i], Definition: p.defs[i]}
		counted := r.byChunk(t) && r.goesOn(t)
		if counted {
			tp.XMin = p.horizon[i]
		}
		for _, h := range p.heaps {
			if h.table != t {
				continue
			}
			hp := HeapProgress{OID: h.oid, Filenode: h.filenode, Pages: h.pages, Chunks: len(h.done)}
			for c, done := range h.done {
				if !done {
					continue
				}
				tp.Done++
				if n := len(hp.Done); n > 0 && hp.Done[n-1][1] == c {
					hp.Done[n-1][1]++
				} else {
					hp.Done = append(hp.Done, [2]int{c, c + 1})
				}
			}
			if counted {
				hp.Counts = slices.Clone(h.counts)
			}
			tp.Chunks += len(h.done)
			tp.Heaps = append(tp.Heaps, hp)
		}
		s.Rows += tp.Rows
		s.Tables = append(s.Tables, tp)
	}
	return s
}

// without gives the progress with nothing of one table done.
func (p *SnapshotProgress) without(oid uint32) *SnapshotProgress {
	if p == nil {
		return nil
	}
	q := *p
	q.Tables = slices.Clone(p.Tables)
	for i := range q.Tables {
		if t := &q.Tables[i]; t.OID == oid {
			t.Heaps, t.Done = nil, 0
		}
	}
	return &q
}

// fingerprint tells definitions apart, as far as snapshots go.
func (t *tableState) fingerprint() string {
	h := fnv.New64a()
	for _, c := range t.columns {
		fmt.Fprintf(h, "%q %d %d %d;", c.name, c.attnum, c.upOID, c.upMod)
	}
	fmt.Fprintf(h, "%v %q", t.Key, t.filter)
	return fmt.Sprintf("%016x", h.Sum64())
}

// adopt takes over what was done before, and gives the tables that begin anew.
func (p *snapshotPlan) adopt(was *SnapshotProgress, r *run) (anew []bool) {
	p.lsn, p.newest, p.xmin = was.LSN, was.Newest, was.XMin
	anew = make([]bool, len(r.tables))
	for i, t := range r.tables {
		at := slices.IndexFunc(was.Tables, func(tp TableProgress) bool {
			return tp.OID == t.OID && (!r.renewed || tp.Schema == t.spec.Schema && tp.Table == t.spec.Name) // it may stand for another one now
		})
		var heaps []*heap
		for _, h := range p.heaps {
			if h.table == t {
				heaps = append(heaps, h)
			}
		}
		if anew[i] = at < 0 || !r.goesOn(t) || was.Tables[at].Definition != p.defs[i] || r.byChunk(t) != (was.Tables[at].XMin > 0) ||
			!sameHeaps(heaps, was.Tables[at].Heaps); anew[i] {
			continue
		}
		p.rows[i], p.horizon[i] = was.Tables[at].Rows, was.Tables[at].XMin
		for j, hp := range was.Tables[at].Heaps {
			h := heaps[j]
			h.pages = hp.Pages
			h.chunks(hp.Chunks)
			known := hp.Chunks
			if r.byChunk(t) {
				known = min(known, copy(h.counts, hp.Counts))
			}
			for _, d := range hp.Done {
				for c := max(0, d[0]); c < min(d[1], known); c++ {
					h.done[c] = true
				}
			}
		}
	}
	p.number()
	return anew
}

// check looks at what is done of tables that are kept by chunk. What is not there as it
// was read is not done any more; what is, is of the new snapshot from now on. A table of
// which nothing is done begins anew.
func (r *run) check(ctx context.Context, made madeSlot, plan *snapshotPlan, anew []bool) error {
	var pieces []piece
	for _, h := range plan.heaps {
		for c, done := range h.done {
			if done && r.byChunk(h.table) {
				pieces = append(pieces, piece{heap: h, first: c, end: c + 1, check: true})
			}
		}
	}
	if err := r.copyPieces(ctx, made.snapshot, plan, pieces, nil, nil); err != nil {
		return err
	}
	for i, t := range r.tables {
		if !r.byChunk(t) {
			continue
		}
		if plan.torn[i] != nil || t.failed != nil {
			plan.restart(t)
		}
		plan.horizon[i] = made.xmin
		anew[i] = anew[i] || !slices.ContainsFunc(plan.heaps, func(h *heap) bool { return h.table == t && slices.Contains(h.done, true) })
	}
	return nil
}

// forgetVoid makes the sink forget the tables that begin anew, and of tables
// that are kept by chunk the chunks that are not done: they may have rows that no record tells of.
func (r *run) forgetVoid(ctx context.Context, plan *snapshotPlan, anew []bool) error {
	keeper := r.sink.(connectors.SnapshotKeeper)
	for i := range anew {
		if !anew[i] {
			continue
		}
		if err := keeper.SnapshotVoid(ctx, i, -1); err != nil {
			return &sinkError{err}
		}
	}
	for _, h := range plan.heaps {
		for c, done := range h.done {
			if done || !r.byChunk(h.table) || anew[h.table.ID] {
				continue
			}
			if err := keeper.SnapshotVoid(ctx, h.table.ID, h.before+c); err != nil {
				return &sinkError{err}
			}
		}
	}
	return nil
}

// sameHeaps reports whether the heaps are in the files that they were in.
func sameHeaps(now []*heap, was []HeapProgress) bool {
	return slices.EqualFunc(now, was, func(h *heap, hp HeapProgress) bool {
		return h.ranged && h.oid == hp.OID && h.filenode == hp.Filenode && hp.Pages > 0 && hp.Chunks > 0 &&
			uint64(hp.Chunks-1) <= math.MaxUint32/uint64(hp.Pages)
	})
}

// restart forgets what was done of a table.
func (p *snapshotPlan) restart(t *tableState) {
	p.rows[t.ID] = 0
	for _, h := range p.heaps {
		if h.table != t {
			continue
		}
		for i, done := range h.done {
			if done {
				h.done[i] = false
				p.chunks--
			}
		}
	}
}

// unfinished gives the snapshot that the sink has a part of and that can go
// on: the slot that was made with it is still there, if it is to be followed, and so is all
// that was read in the server's history. nil: there is none.
func (r *run) unfinished(ctx context.Context, conn *pgconn.PgConn, found *Discovered) (*SnapshotProgress, error) {
	keeper, ok := r.sink.(connectors.SnapshotKeeper)
	followed := r.cfg.SnapshotMode != SnapshotInitialOnly
	if !ok || r.void || r.cfg.TemporarySlot || !followed && !r.cfg.keepsChunks() || r.cfg.SnapshotMode == SnapshotNever {
		return nil, nil
	}
	record, err := keeper.SnapshotRecorded(ctx)
	if err != nil {
		return nil, &sinkError{err}
	}
	if record == nil {
		return nil, nil
	}
	p := new(SnapshotProgress)
	if err := json.Unmarshal(record, p); err != nil {
		return nil, fmt.Errorf("reading the progress of a snapshot: %w", err)
	}
	if p.LSN == 0 {
		return nil, nil
	}
	p.Newest = max(p.Newest, p.LSN)
	if followed {
		err = checkSlot(ctx, conn, &r.cfg, connectors.Position{LSN: p.LSN})
	}
	if err == nil {
		err = r.checkHistory(ctx, p)
	}
	if err == nil && followed && !found.PublicationExists {
		err = positionLost(pgerr.UndefinedObject, "publication %q does not exist: changes since the last position are lost", r.cfg.PublicationName)
	}
	var lost *PositionLostError
	if errors.As(err, &lost) {
		r.log.Warn("an unfinished snapshot cannot go on; it begins anew", "error", err)
		r.versions, r.told = nil, false
		return nil, nil
	}
	for _, t := range found.tables {
		if t.unpublished != nil && r.renewed {
			p = p.without(t.OID) // it is published anew
		}
	}
	return p, err
}

// checkHistory checks that the log of the server that is there now is the one
// that a snapshot was read in so far.
func (r *run) checkHistory(ctx context.Context, p *SnapshotProgress) error {
	repl, err := connect(ctx, &r.cfg, true)
	if err != nil {
		return err
	}
	defer repl.Close(context.WithoutCancel(ctx))
	cfg := r.cfg
	if p.SystemID != "" {
		cfg.SystemID, cfg.Timeline = p.SystemID, p.Timeline
	}
	err = watched(ctx, &r.cfg, repl.PID(), nil, func(ctx context.Context) error {
		return identify(ctx, repl, &cfg, &connectors.Position{LSN: p.Newest})
	})
	if err == nil {
		r.cfg.SystemID, r.cfg.Timeline = cfg.SystemID, cfg.Timeline
	}
	return err
}

// resume goes on with an unfinished snapshot and gives the position that the
// tables are the state of.
func (r *run) resume(ctx context.Context, conn *pgconn.PgConn, was *SnapshotProgress) (connectors.Position, error) {
	var at connectors.Position
	keeper := r.sink.(connectors.SnapshotKeeper)
	plan, err := r.planSnapshot(ctx, conn)
	if err != nil {
		return at, err
	}
	anew := plan.adopt(was, r)
	r.countChunks(plan)
	made, repl, err := r.makeSlot(ctx, slotCommand(r.passingSlot(), true, true, false), &connectors.Position{LSN: was.Newest})
	if err != nil {
		return at, err
	}
	defer repl.Close(context.WithoutCancel(ctx))
	if err := r.oldest(ctx, conn, &made); err != nil {
		return at, err
	}
	at.LSN, plan.newest = made.lsn, made.lsn
	r.sink.Status("snapshot", nil)
	if err := r.check(ctx, made, plan, anew); err != nil {
		return at, err
	}
	r.countChunks(plan)
	r.log.Info("the snapshot goes on", "chunks_done", plan.chunks, "chunks", plan.all, "first_lsn", plan.lsn, "lsn", at.LSN)
	if err := keeper.SnapshotResume(ctx, at.LSN); err != nil {
		return at, &sinkError{err}
	}
	// What the record says is done, the sink has: it goes first.
	if err := r.recordAnew(ctx, plan, anew); err != nil {
		return at, err
	}
	if err := r.forgetVoid(ctx, plan, anew); err != nil {
		return at, err
	}
	if r.cfg.SnapshotMode != SnapshotInitialOnly && (plan.chunks > 0 || slices.ContainsFunc(was.Tables, func(t TableProgress) bool { return t.Rows > 0 })) {
		if err := r.forgetTouched(ctx, plan, at.LSN, anew); err != nil {
			return at, err
		}
	}
	return at, r.takeSnapshot(ctx, made, plan)
}

// recordAnew records how far the plan has come. A table that begins anew does
// so by this record, whatever becomes of what follows.
func (r *run) recordAnew(ctx context.Context, plan *snapshotPlan, anew []bool) error {
	defs := slices.Clone(plan.defs)
	for i := range anew {
		if anew[i] {
			plan.defs[i] = ""
		}
	}
	err := r.record(ctx, plan, true)
	plan.defs = defs
	return err
}

// passingSlot names a slot that lives as long as a snapshot is read.
func (r *run) passingSlot() string { return fmt.Sprintf("%.40s_%016x", r.cfg.SlotName, rand.Uint64()) }

// A madeSlot is a slot with the snapshot exported at its position.
type madeSlot struct {
	lsn      connectors.LSN
	snapshot string
	xmin     uint64 // the oldest transaction that the snapshot may not see
}

// makeSlot makes a slot; its snapshot lives as long as the connection. The
// position, if there is one, must be of the server's history.
func (r *run) makeSlot(ctx context.Context, command string, at *connectors.Position) (made madeSlot, repl *pgconn.PgConn, err error) {
	if repl, err = connect(ctx, &r.cfg, true); err != nil {
		return made, nil, err
	}
	err = watched(ctx, &r.cfg, repl.PID(), nil, func(ctx context.Context) (err error) {
		if err = identify(ctx, repl, &r.cfg, at); err == nil {
			made.lsn, made.snapshot, err = createSlot(ctx, repl, command)
		}
		return err
	})
	if err != nil {
		repl.Close(context.WithoutCancel(ctx))
		return made, nil, err
	}
	return made, repl, nil
}

// forgetTouched makes the sink forget all rows whose keys a transaction up to
// the position touches, tables that begin anew left out.
func (r *run) forgetTouched(ctx context.Context, plan *snapshotPlan, until connectors.LSN, anew []bool) error {
	sub := &run{feed: &feed{cfg: r.feed.cfg, log: r.log, spoolFile: r.spoolFile}, cfg: r.cfg, tables: r.tables, versions: r.versions, whole: r.whole}
	sub.cfg.HeartbeatInterval = 0
	ts := &touches{run: r, sub: sub, plan: plan, anew: anew, keys: make([]zset.Batch, len(r.tables)), isKey: make([][]bool, len(r.tables))}
	for i, t := range r.tables {
		ts.isKey[i] = t.isKey()
	}
	sub.sink = ts
	sub.asm = newAssembler(ctx, ts, &sub.cfg, len(r.tables), connectors.Position{LSN: plan.lsn}, &sub.m)
	sub.asm.until = until
	sub.asm.noted, sub.asm.flushed = slices.Clone(r.versions), slices.Clone(r.versions)
	err := sub.stream(ctx)
	r.whole = sub.whole
	if r.cfg.events {
		for _, t := range r.tables {
			t.adopt(r.versions[t.ID])
		}
	}
	if !errors.Is(err, errReached) {
		return err
	}
	return ts.pass(ctx, 0)
}

var errReached = errors.New("the position was reached")

// touches is a sink that collects the keys that transactions touch.
type touches struct {
	*run  // whose sink it is for
	sub   *run
	plan  *snapshotPlan
	anew  []bool
	keys  []zset.Batch // by table
	isKey [][]bool
}

var _ connectors.Sink = (*touches)(nil)

func (s *touches) Tables(context.Context, []connectors.Table) error              { return nil }
func (s *touches) SnapshotBegin(context.Context) error                           { return nil }
func (s *touches) SnapshotChunk(context.Context, connectors.SnapshotChunk) error { return nil }
func (s *touches) SnapshotEnd(context.Context, connectors.Position) error        { return nil }
func (s *touches) Progress(context.Context, connectors.LSN) error                { return nil }
func (s *touches) Status(string, error)                                          {}

func (s *touches) TableError(table int, err error) {
	s.m.tableErrors.Add(1)
	s.run.sink.TableError(table, err)
}

// Commit takes the keys of a transaction that the snapshot sees.
func (s *touches) Commit(ctx context.Context, t *connectors.Txn) error {
	defer t.Release()
	for _, tc := range t.Changes {
		tab := s.tables[tc.Table]
		if s.anew[tc.Table] || tab.failed != nil {
			continue
		}
		if s.cfg.events && s.sub.asm.noted[tc.Table] != s.versions[tc.Table] {
			// Its definition was another for a while.
			s.anew[tc.Table] = true
			s.keys[tc.Table].Reset()
			s.plan.restart(tab)
			if err := s.run.sink.(connectors.SnapshotKeeper).SnapshotVoid(ctx, tc.Table, -1); err != nil {
				return err
			}
			continue
		}
		b, isKey := &s.keys[tc.Table], s.isKey[tc.Table]
		if !slices.Contains(isKey, true) {
			continue // its chunks were checked
		}
		for i := range tc.Changes.Len() {
			touched(tc.Changes, i, func(row, old types.Row, _ bool) { b.End(appendKey(b.Begin(), row, old, isKey), 1) })
		}
	}
	return s.pass(ctx, chunkBytes)
}

// pass hands on what has grown beyond a size.
func (s *touches) pass(ctx context.Context, size int) error {
	for i := range s.keys {
		b := &s.keys[i]
		if b.Len() == 0 || b.Bytes() < size {
			continue
		}
		keys := new(zset.Batch)
		*keys, *b = *b, *keys
		if err := s.run.sink.(connectors.SnapshotKeeper).SnapshotForget(ctx, connectors.SnapshotChunk{Table: i, Rows: keys}); err != nil {
			return &sinkError{err}
		}
	}
	return nil
}

// touched gives the rows whose keys a change touches, the old one and the new
// one; with the new one the old one, and with the old one whether there is more. None of a
// TRUNCATE: its heap has another file.
func touched(c *zset.Changes, i int, each func(row, old types.Row, more bool)) {
	op, kind := c.Op(i)
	if op == zset.Truncate {
		return
	}
	var old types.Row
	if kind != zset.OldNone {
		old = c.Old(i)
		each(old, nil, op != zset.Delete)
	}
	if op != zset.Delete {
		each(c.New(i), old, false)
	}
}

// isKey tells by column whether it is one of the key.
func (t *tableState) isKey() []bool {
	is := make([]bool, len(t.Columns))
	for _, k := range t.Key {
		is[k] = true
	}
	return is
}

// appendKey appends a row's key columns, the others as NULL. A key's value
// that was left alone, and not sent, is the old row's.
func appendKey(dst []byte, row, old types.Row, isKey []bool) []byte {
	off, ooff := 0, 0
	for _, key := range isKey {
		end, oend := types.Skip(row, off), 0
		if len(old) > 0 {
			oend = types.Skip(old, ooff)
		}
		switch {
		case !key:
			dst = types.AppendNull(dst)
		case row[off] == types.HeaderUnchanged && len(old) > 0:
			dst = append(dst, old[ooff:oend]...)
		default:
			dst = append(dst, row[off:end]...)
		}
		off, ooff = end, oend
	}
	return dst
}
