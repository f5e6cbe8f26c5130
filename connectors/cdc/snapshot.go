package cdc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

const pageBytes = 8192 // PostgreSQL's own, unless it was built otherwise; a chunk's size is not exact

// A heap is what a snapshot reads by ranges of pages: a table, or a partition
// of one.
type heap struct {
	table    *tableState
	oid      uint32
	filenode uint32
	from     string // what it is selected from
	// ranged: pages can be told apart, and rows that are new. Else the heap is
	// one chunk: a partitioned table with foreign partitions, or partitions that
	// the role may not read by themselves.
	ranged bool
	pages  uint32   // of a chunk
	done   []bool   // by chunk; the last one has no end
	counts []uint64 // rows read, by chunk that is done; of a table that is kept by chunk
	before int      // chunks of the table's heaps before this one
}

// A snapshotPlan is what a snapshot reads and how far it has come.
type snapshotPlan struct {
	heaps  []*heap
	lsn    connectors.LSN // of the first of the snapshots that it was read at
	xmin   uint64         // the oldest transaction that that one may not see
	newest connectors.LSN // of the last of them
	defs   []string       // by table: its definition; "": it begins anew
	torn   []error        // by table: it was changed meanwhile
	// horizon is xmin of the snapshot that what is done of a table that is kept by
	// chunk is of, by table.
	horizon []uint64

	rows   []uint64 // by table, copied
	chunks int      // done of all
	all    int
}

// A piece is read by one COPY: chunks of a heap, whole or what is new in them.
// Or it is a chunk, of a table that is kept by chunk, that is looked at.
type piece struct {
	heap       *heap
	first, end int
	changed    bool // only rows that the first snapshot may not have seen
	check      bool // whether it has the rows that were read, and no others
}

// planSnapshot looks up what there is to read. It is called before the
// snapshot is taken: a heap that has another file when it is read was truncated
// or rewritten meanwhile, which a snapshot does not see.
func (r *run) planSnapshot(ctx context.Context, conn *pgconn.PgConn) (*snapshotPlan, error) {
	p := &snapshotPlan{rows: make([]uint64, len(r.tables)), torn: make([]error, len(r.tables)), horizon: make([]uint64, len(r.tables))}
	byOID := map[string]*tableState{}
	oids := []string{"0"}
	for _, t := range r.tables {
		oid := strconv.FormatUint(uint64(t.OID), 10)
		p.defs = append(p.defs, t.fingerprint())
		if t.failed == nil {
			byOID[oid] = t
			oids = append(oids, oid)
		}
	}
	rows, err := query(ctx, conn, `SELECT l.root, c.oid, n.nspname, c.relname, pg_relation_filenode(c.oid), pg_relation_size(c.oid),
		(c.relkind = 'r' AND am.amname = 'heap' AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AND NOT row_security_active(c.oid)) IS TRUE
		FROM (SELECT oid AS root, oid FROM pg_class WHERE relkind <> 'p' UNION ALL
			SELECT p.oid, t.relid FROM pg_class p, pg_partition_tree(p.oid) t WHERE p.relkind = 'p' AND t.isleaf) l
		JOIN pg_class c ON c.oid = l.oid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam
		WHERE l.root IN (`+strings.Join(oids, ", ")+`) ORDER BY 1, 2`)
	if err != nil {
		return nil, asPgerr(err, "looking up the sizes of the source's tables")
	}
	pages := uint32(max(1, r.cfg.SnapshotChunkBytes/pageBytes))
	byTable := make([][]*heap, len(r.tables))
	for _, row := range rows {
		t := byOID[row[0]]
		h := &heap{table: t, from: t.from(), ranged: row[6] == "t", pages: pages}
		oid, _ := strconv.ParseUint(row[1], 10, 32)
		filenode, _ := strconv.ParseUint(row[4], 10, 32)
		size, _ := strconv.ParseUint(row[5], 10, 64)
		h.oid, h.filenode = uint32(oid), uint32(filenode)
		if t.kind != 'p' || h.oid != t.OID {
			h.from = "ONLY " + quoteIdent(row[2]) + "." + quoteIdent(row[3])
		}
		bytes := uint64(pages) * pageBytes
		h.chunks(int(max(1, (size+bytes-1)/bytes)))
		byTable[t.ID] = append(byTable[t.ID], h)
	}
	// Tables that begin anew when the snapshot is interrupted come last.
	for _, goesOn := range []bool{true, false} {
		for i, t := range r.tables {
			if t.failed != nil || goesOn != r.goesOn(t) {
				continue
			}
			heaps := byTable[i]
			if len(heaps) == 0 || slices.ContainsFunc(heaps, func(h *heap) bool { return !h.ranged }) {
				heaps = []*heap{{table: t, oid: t.OID, from: t.from()}}
				heaps[0].chunks(1)
				if len(byTable[i]) == 1 && byTable[i][0].oid == t.OID {
					heaps[0].filenode = byTable[i][0].filenode
				}
			}
			p.heaps = append(p.heaps, heaps...)
		}
	}
	p.number()
	return p, nil
}

// chunks makes the heap one of n chunks, none of them done.
func (h *heap) chunks(n int) { h.done, h.counts = make([]bool, n), make([]uint64, n) }

// number counts the chunks, and those of each table from 0 on.
func (p *snapshotPlan) number() {
	p.all, p.chunks = 0, 0
	byTable := map[*tableState]int{}
	for _, h := range p.heaps {
		h.before = byTable[h.table]
		byTable[h.table] += len(h.done)
		p.all += len(h.done)
		for _, done := range h.done {
			if done {
				p.chunks++
			}
		}
	}
}

// byChunk reports whether the rows of a table with this key are kept by chunk
// while a snapshot lasts: without a key they cannot be told apart, and with
// SnapshotInitialOnly there is no log to tell which are gone.
func (c *Config) byChunk(key []int) bool {
	return len(key) == 0 || c.SnapshotMode == SnapshotInitialOnly
}

// keepsChunks reports whether the sink keeps rows by chunk.
func (c *Config) keepsChunks() bool { return !c.events || c.KeepChunks }

func (r *run) byChunk(t *tableState) bool { return r.cfg.byChunk(t.Key) }

// goesOn reports whether a table goes on when the snapshot is interrupted.
func (r *run) goesOn(t *tableState) bool { return !r.byChunk(t) || r.cfg.keepsChunks() }

// pieces are what is left to read. Of chunks that were read at an earlier
// snapshot, that is what may have changed since; it comes last. What is done of tables
// that are kept by chunk has not changed.
func (r *run) pieces(p *snapshotPlan) (list []piece) {
	const most = 16 // chunks that are looked through at once
	var changed []piece
	for _, h := range p.heaps {
		for i := 0; i < len(h.done); {
			end := i + 1
			if !h.done[i] {
				list = append(list, piece{heap: h, first: i, end: end})
			} else if !r.byChunk(h.table) {
				for end < len(h.done) && h.done[end] && end < i+most {
					end++
				}
				changed = append(changed, piece{heap: h, first: i, end: end, changed: true})
			}
			i = end
		}
	}
	return append(list, changed...)
}

// firstSnapshot reads all of the planned tables as of a new slot.
func (r *run) firstSnapshot(ctx context.Context, conn *pgconn.PgConn, made madeSlot, plan *snapshotPlan) error {
	r.sink.Status("snapshot", r.lost)
	if err := r.oldest(ctx, conn, &made); err != nil {
		return err
	}
	plan.lsn, plan.newest, plan.xmin = made.lsn, made.lsn, made.xmin
	for i := range plan.horizon {
		plan.horizon[i] = made.xmin
	}
	if h, ok := r.sink.(*handover); ok {
		h.snapshotAt = made.lsn
	}
	if err := r.sink.SnapshotBegin(ctx); err != nil {
		return &sinkError{err}
	}
	r.void = false
	return r.takeSnapshot(ctx, made, plan)
}

// oldest looks up the oldest transaction that the slot's snapshot may not see.
func (r *run) oldest(ctx context.Context, conn *pgconn.PgConn, made *madeSlot) error {
	err := watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) error {
		rows, err := query(ctx, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "+quoteLiteral(made.snapshot)+
			"; SELECT pg_snapshot_xmin(pg_current_snapshot())")
		if err == nil {
			made.xmin, err = strconv.ParseUint(rows[0][0], 10, 64)
		}
		if err == nil {
			_, err = query(ctx, conn, "COMMIT; SELECT 1")
		}
		return err
	})
	return untaken(err)
}

// untaken is the error of a snapshot that could not be taken: where it is not
// there any more, the connection that holds it is gone.
func untaken(err error) error {
	err = asPgerr(err, "taking the snapshot")
	switch pgerr.CodeOf(err) {
	case pgerr.InvalidParameterValue, pgerr.UndefinedObject, pgerr.ObjectNotInPrerequisite:
		return pgerr.Newf(pgerr.ConnectionFailure, "the connection that holds the snapshot is gone: %s", err)
	}
	return err
}

// takeSnapshot reads the planned tables as of an exported snapshot into the
// sink and publishes them at its position. What the plan has as done is brought up to
// that position by what changed of it, see resume.go. If a table was changed meanwhile
// nothing is published: the others are recorded as of this position.
func (r *run) takeSnapshot(ctx context.Context, made madeSlot, plan *snapshotPlan) error {
	r.countChunks(plan)
	err := r.copyPieces(ctx, made.snapshot, plan, r.pieces(plan), func(c connectors.SnapshotChunk) error {
		r.m.snapshotRecords.Add(uint64(c.Rows.Len()))
		if err := r.sink.SnapshotChunk(ctx, c); err != nil {
			return &sinkError{err}
		}
		return nil
	}, func(p piece) error {
		if p.changed {
			return nil
		}
		r.m.snapshotChunksDone.Add(1)
		if plan.tableDone(p.heap.table) {
			r.m.snapshotTables.Add(1)
		}
		return r.record(ctx, plan, false)
	})
	if err != nil {
		return err
	}
	if err := plan.advance(r.tables, made); err != nil {
		return errors.Join(err, r.record(ctx, plan, false))
	}
	if _, ok := r.sink.(connectors.ConfigKeeper); ok && r.renewed {
		if err := r.keepOrigin(ctx); err != nil {
			return err
		}
	}
	if err := r.sink.SnapshotEnd(ctx, connectors.Position{LSN: made.lsn}); err != nil {
		return &sinkError{err}
	}
	return nil
}

// record offers how far the plan has come to a sink that keeps it.
func (r *run) record(ctx context.Context, plan *snapshotPlan, now bool) error {
	keeper, ok := r.sink.(connectors.SnapshotKeeper)
	if !ok {
		return nil
	}
	rec := connectors.SnapshotRecord{Chunks: plan.chunks, Of: plan.all, Now: now, Bytes: func() ([]byte, error) { return json.Marshal(plan.progress(r)) }}
	if err := keeper.SnapshotRecord(ctx, rec); err != nil {
		return &sinkError{err}
	}
	return nil
}

// advance makes the snapshot that all tables are read at the one to go on
// from, if one was changed meanwhile and begins anew; its error comes back.
func (p *snapshotPlan) advance(tables []*tableState, made madeSlot) (err error) {
	for i, torn := range p.torn {
		if torn == nil {
			continue
		}
		err = torn
		p.restart(tables[i])
		p.defs[i] = ""
	}
	if err != nil {
		p.lsn, p.xmin = made.lsn, made.xmin
	}
	return err
}

// countChunks shows how far the plan has come.
func (r *run) countChunks(p *snapshotPlan) {
	r.m.snapshotChunks.Store(uint64(p.all))
	r.m.snapshotChunksDone.Store(uint64(p.chunks))
}

// copyPieces reads pieces of a plan as of an exported snapshot, by several
// workers. emit gets the rows and done each piece when it is whole; they are not
// called at the same time. A table that is gone stops by itself.
func (r *run) copyPieces(ctx context.Context, name string, plan *snapshotPlan, pieces []piece, emit func(connectors.SnapshotChunk) error, done func(piece) error) error {
	queue := make(chan piece, len(pieces))
	for _, p := range pieces {
		queue <- p
	}
	close(queue)
	var deliver sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	for part := range min(r.cfg.SnapshotWorkers, len(pieces)) {
		g.Go(func() error {
			conn, err := connect(gctx, &r.cfg, false)
			if err != nil {
				return err
			}
			f, err := takeOver(conn)
			if err != nil {
				return err
			}
			defer f.close()
			return watched(gctx, &r.cfg, conn.PID(), f.waiting, func(ctx context.Context) error {
				defer f.interruptible(ctx)()
				for p := range queue {
					err := r.copyOne(f, name, plan, p, part, &deliver, emit, done)
					if err != nil && ctx.Err() != nil {
						return ctx.Err()
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// copyOne reads one piece and notes that it is done.
func (r *run) copyOne(f *frames, name string, plan *snapshotPlan, p piece, part int, deliver *sync.Mutex, emit func(connectors.SnapshotChunk) error, done func(piece) error) error {
	t := p.heap.table
	deliver.Lock()
	stopped := t.failed != nil || plan.torn[t.ID] != nil
	deliver.Unlock()
	if stopped {
		return nil
	}
	rows := uint64(0)
	c := connectors.SnapshotChunk{Table: t.ID, Part: part}
	if r.byChunk(t) {
		c.Chunk = p.heap.before + p.first
	}
	same, err := r.copyPiece(f, name, plan, p, func(b *zset.Batch) error {
		deliver.Lock()
		defer deliver.Unlock()
		if t.failed != nil {
			return nil
		}
		rows += uint64(b.Len())
		plan.rows[t.ID] += uint64(b.Len())
		c.Rows = b
		return emit(c)
	})
	deliver.Lock()
	defer deliver.Unlock()
	var gone *goneError
	var changed *changedError
	switch {
	case t.failed != nil:
		return nil
	case err == nil && p.check:
		if !same {
			p.heap.done[p.first] = false
			plan.chunks--
		}
		return nil
	case err == nil:
		if !p.changed {
			p.heap.done[p.first], p.heap.counts[p.first] = true, rows
			plan.chunks++
		}
		return done(p)
	case errors.As(err, &gone):
		t.failed = gone.err
		r.m.tableErrors.Add(1)
		r.sink.TableError(t.ID, gone.err)
		return nil
	case errors.As(err, &changed):
		plan.torn[t.ID] = err
		_, err = f.exec("ROLLBACK")
		return err
	}
	return err
}

// A goneError says that a table was dropped.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }

// copyPiece reads or checks one piece in a transaction of its own: the lock on
// its table, the weakest there is, is given back behind each.
func (r *run) copyPiece(f *frames, name string, plan *snapshotPlan, p piece, emit func(*zset.Batch) error) (same bool, err error) {
	t, h := p.heap.table, p.heap
	_, err = f.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + quoteLiteral(name) + "; SET LOCAL row_security = off")
	if err != nil {
		return false, untaken(err)
	}
	// From the lock on, the heap keeps its file.
	filenode, err := f.exec(fmt.Sprintf("SELECT FROM %s LIMIT 0; SELECT COALESCE(pg_relation_filenode(%d), 0)", h.from, h.oid))
	if err == nil && filenode != strconv.FormatUint(uint64(h.filenode), 10) {
		return false, changedMeanwhile(t, errors.New("it was truncated or rewritten"))
	}
	if err == nil && p.check {
		var answer string
		answer, err = f.exec(p.checkSQL(plan.horizon[t.ID]))
		same = answer == "t"
	} else if err == nil {
		c := copier{t: t, emit: emit}
		err = c.copy(f, p.copySQL(plan.xmin))
	}
	if err == nil {
		_, err = f.exec("COMMIT")
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return same, err
	}
	err = asPgerr(err, "reading the snapshot of table "+t.spec.String())
	switch {
	case pg.Code == string(pgerr.UndefinedTable):
		left, e := f.exec(fmt.Sprintf("ROLLBACK; SELECT count(*) FROM pg_class WHERE oid = %d", t.OID))
		if e == nil && left == "0" {
			return false, &goneError{err}
		}
		return false, changedMeanwhile(t, err) // renamed, or a partition is gone
	case pg.Code == string(pgerr.UndefinedColumn):
		return false, changedMeanwhile(t, err)
	}
	return false, err
}

// A changedError says that a table was changed while its snapshot was read.
// What was read of it is void: the next attempt sees it as it is then.
type changedError struct{ err error }

func (e *changedError) Error() string { return e.err.Error() }
func (e *changedError) Unwrap() error { return e.err }

func changedMeanwhile(t *tableState, cause error) error {
	return &changedError{pgerr.Newf(pgerr.SerializationFailure, "table %s was changed while its snapshot was read: %s", t.spec, cause)}
}

// copySQL selects the captured columns in binary; those that are carried as
// text by their output function.
func (p piece) copySQL(xmin uint64) string {
	cols := literals(p.heap.table.columns, func(c column) string {
		q := quoteIdent(c.name)
		if c.asText {
			return "CASE WHEN " + q + " IS DISTINCT FROM NULL THEN pg_catalog.format('%s', " + q + ") END"
		}
		return q
	})
	where := p.where()
	if p.changed {
		where = append(where, newSince(xmin))
	}
	return "COPY (" + p.selectSQL(cols, where) + ") TO STDOUT (FORMAT binary)"
}

// checkSQL asks whether a chunk has as many rows as were read of it, none of
// them new.
func (p piece) checkSQL(horizon uint64) string {
	return p.selectSQL(fmt.Sprintf("pg_catalog.count(*) = %d AND pg_catalog.count(*) FILTER (WHERE %s) = 0", p.heap.counts[p.first], newSince(horizon)), p.where())
}

// newSince tells rows that are new since a snapshot by age, which holds 2³¹
// transactions long; it counts older rows as new rather than the other way.
func newSince(xmin uint64) string {
	return fmt.Sprintf("pg_catalog.age(xmin) <= pg_catalog.age('%d'::pg_catalog.xid)", uint32(xmin))
}

func (p piece) selectSQL(cols string, where []string) string {
	sql := "SELECT " + cols + " FROM " + p.heap.from
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql
}

// where says which rows a piece has.
func (p piece) where() (where []string) {
	h := p.heap
	if p.first > 0 {
		where = append(where, fmt.Sprintf("ctid >= '(%d,0)'", uint64(p.first)*uint64(h.pages)))
	}
	if p.end < len(h.done) {
		where = append(where, fmt.Sprintf("ctid < '(%d,0)'", uint64(p.end)*uint64(h.pages)))
	}
	if filter := h.table.filter; filter != "" {
		where = append(where, "("+filter+")")
	}
	return where
}

func (p *snapshotPlan) tableDone(t *tableState) bool {
	return !slices.ContainsFunc(p.heaps, func(h *heap) bool { return h.table == t && slices.Contains(h.done, false) })
}

// exec runs a simple query and gives the first value of its last row.
func (f *frames) exec(sql string) (value string, err error) {
	if err := f.query(sql); err != nil {
		return "", &lostError{err}
	}
	for {
		typ, body, e := f.next()
		if e != nil {
			return "", &lostError{e}
		}
		switch typ {
		case 'D':
			if len(body) < 6 || int(int32(binary.BigEndian.Uint32(body[2:]))) > len(body)-6 {
				return "", pgerr.Newf(pgerr.ProtocolViolation, "malformed DataRow")
			}
			value = string(body[6:][:max(0, int(int32(binary.BigEndian.Uint32(body[2:]))))])
		case 'E':
			err = serverError(body)
		case 'Z':
			return value, err
		}
	}
}
