package cdc

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"golang.org/x/sync/errgroup"
)

const (
	snapshotWorkers = 2
	chunkBytes      = 256 << 10
)

// snapshot copies the tables as of an exported snapshot and gives the
// position that they are the state of.
func (r *run) snapshot(ctx context.Context, name string, lsn connectors.LSN) (connectors.Position, error) {
	at := connectors.Position{LSN: lsn}
	r.sink.Status("snapshot", nil)
	if h, ok := r.sink.(*handover); ok {
		h.snapshotAt = lsn
	}
	if err := r.sink.SnapshotBegin(ctx); err != nil {
		return at, &sinkError{err}
	}
	queue := make(chan *tableState, len(r.tables))
	for _, t := range r.tables {
		queue <- t
	}
	close(queue)
	var deliver sync.Mutex // the sink is told one thing at a time
	g, gctx := errgroup.WithContext(ctx)
	for range min(snapshotWorkers, len(r.tables)) {
		g.Go(func() error { return r.snapshotWorker(gctx, name, queue, &deliver) })
	}
	if err := g.Wait(); err != nil {
		return at, err
	}
	if err := r.sink.SnapshotEnd(ctx, at); err != nil {
		return at, &sinkError{err}
	}
	return at, nil
}

func (r *run) snapshotWorker(ctx context.Context, name string, queue <-chan *tableState, deliver *sync.Mutex) error {
	conn, err := connect(ctx, &r.cfg, false)
	if err != nil {
		return err
	}
	err = watched(ctx, &r.cfg, conn.PID(), nil, func(ctx context.Context) error {
		_, err := query(ctx, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "+quoteLiteral(name)+
			"; SET LOCAL row_security = off")
		return err
	})
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return asPgerr(err, "taking the snapshot")
	}
	f, err := takeOver(conn)
	if err != nil {
		return err
	}
	defer f.close()
	return watched(ctx, &r.cfg, conn.PID(), f.waiting, func(ctx context.Context) error {
		defer f.interruptible(ctx)()
		return r.copyTables(ctx, f, queue, deliver)
	})
}

// copyTables copies tables off the queue.
func (r *run) copyTables(ctx context.Context, f *frames, queue <-chan *tableState, deliver *sync.Mutex) error {
	for t := range queue {
		c := copier{t: t, emit: func(b *zset.Batch) error {
			deliver.Lock()
			defer deliver.Unlock()
			r.m.snapshotRecords.Add(uint64(b.Len()))
			if err := r.sink.SnapshotChunk(ctx, connectors.SnapshotChunk{Table: t.ID, Rows: b}); err != nil {
				return &sinkError{err}
			}
			return nil
		}}
		if err := c.copy(f); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return asPgerr(err, "reading the snapshot of table "+t.spec.String())
		}
		r.m.snapshotTables.Add(1)
	}
	return nil
}

// copySQL selects the captured columns in binary; those that are carried as
// text by their output function.
func (t *tableState) copySQL() string {
	cols := literals(t.columns, func(c column) string {
		q := quoteIdent(c.name)
		if c.asText {
			return "CASE WHEN " + q + " IS DISTINCT FROM NULL THEN pg_catalog.format('%s', " + q + ") END"
		}
		return q
	})
	var where strings.Builder
	if t.filter != "" {
		fmt.Fprintf(&where, " WHERE %s", t.filter)
	}
	return "COPY (SELECT " + cols + " FROM " + t.from() + where.String() + ") TO STDOUT (FORMAT binary)"
}

// A copier turns one table's binary COPY into packed rows.
type copier struct {
	t    *tableState
	emit func(*zset.Batch) error

	batch *zset.Batch
	arena []byte
	ended bool
}

var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

func (c *copier) copy(f *frames) error {
	if err := f.startCopy(c.t.copySQL(), 'H'); err != nil {
		return err
	}
	var failed error
	for header := true; ; {
		typ, body, err := f.next()
		if err != nil {
			return &lostError{err}
		}
		switch typ {
		case 'd':
			if header {
				if body, err = copyHeader(body); err != nil {
					return err
				}
				header = false
			}
			for len(body) > 0 {
				if body, err = c.tuple(body); err != nil {
					return err
				}
			}
		case 'c', 'C', 'N', 'S':
		case 'E':
			failed = serverError(body)
		case 'Z':
			if failed == nil && !c.ended {
				failed = pgerr.Newf(pgerr.BadCopyFileFormat, "the copy ended without a trailer")
			}
			if failed != nil {
				return failed
			}
			return c.flush()
		default:
			return pgerr.Newf(pgerr.ProtocolViolation, "unexpected message of type %q", typ)
		}
	}
}

func copyHeader(body []byte) ([]byte, error) {
	n := len(copySignature)
	if len(body) < n+8 || string(body[:n]) != string(copySignature) {
		return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "COPY file signature not recognized")
	}
	if ext := int(binary.BigEndian.Uint32(body[n+4:])); ext <= len(body)-n-8 {
		return body[n+8+ext:], nil
	}
	return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "invalid COPY file header (missing extension area)")
}

// tuple appends one row to the batch and gives what follows it. A CopyData
// message from the server holds whole rows.
func (c *copier) tuple(body []byte) ([]byte, error) {
	cut := func() ([]byte, error) { return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "row cut short") }
	if len(body) < 2 {
		return cut()
	}
	n := int16(binary.BigEndian.Uint16(body))
	body = body[2:]
	if n == -1 {
		c.ended = true
		return body, nil
	}
	if int(n) != len(c.t.columns) || c.ended {
		return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "row field count is %d, expected %d", n, len(c.t.columns))
	}
	if c.batch == nil {
		c.batch = new(zset.Batch)
		c.arena = make([]byte, 0, chunkBytes+chunkBytes/8)
	}
	arena := c.arena
	for i := range c.t.columns {
		if len(body) < 4 {
			return cut()
		}
		size := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		if size < 0 {
			arena = types.AppendNull(arena)
			continue
		}
		if size > len(body) {
			return cut()
		}
		col, value := &c.t.columns[i], body[:size]
		body = body[size:]
		var err error
		switch {
		case col.typ.OID == types.Text:
			arena = types.AppendValue(arena, value)
		case col.asText:
			arena, err = types.AppendFromText(arena, col.typ, value)
		default:
			arena, err = types.AppendFromBinary(arena, col.typ, value)
		}
		if err != nil {
			return nil, pgerr.Newf(pgerr.CodeOf(err), "column %q of table %s: a value of type %s cannot be read: %w", col.name, c.t.spec, col.typ, err)
		}
	}
	c.batch.End(arena, 1)
	if c.arena = arena; len(arena) >= chunkBytes {
		return body, c.flush()
	}
	return body, nil
}

func (c *copier) flush() error {
	if c.batch == nil {
		return nil
	}
	b := c.batch
	c.batch, c.arena = nil, nil
	return c.emit(b)
}
