package cdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A changeSink takes what the decoder reads, in the order of the stream. Its
// user is the assembler.
type changeSink interface {
	begin(finalLSN connectors.LSN, commitTime time.Time, xid uint32) error
	// row is called before each row message or TRUNCATE, with its size. False: the
	// change is not wanted and its values need not be read.
	row(size int) (bool, error)
	// changes is where a table's change goes.
	changes(table int) *zset.Changes
	commit(endLSN connectors.LSN) error
	// tableFailed stops a table; what it already has in the open transaction is void.
	tableFailed(table int, err error)
}

// A column is one column of a captured table: how the server names and types
// it, and what we carry it as.
type column struct {
	name     string
	attnum   int16
	upOID    uint32
	upMod    int32
	typ      types.Type
	notNull  bool
	asText   bool   // the server is asked for the output function's text in the snapshot
	typeName string // format_type, for messages
}

// A tableState is a captured table and how it is doing.
type tableState struct {
	connectors.Table
	spec     TableSpec
	columns  []column
	failed   error
	filter   string          // the publication's row filter, for the snapshot
	primary  []string        // attribute numbers of the primary key
	extras   map[string]bool // columns upstream that are not captured and were mentioned in the log
	kind     byte            // pg_class.relkind
	leaves   map[string]Leaf // of a partitioned table: its partitions, by OID, that the sink's rows are of
	kept     map[string]Leaf // what the sink keeps of them
	identity byte            // pg_class.relreplident
	owned    bool
	// unpublished is what is wrong if it cannot be mended: the publication, which
	// was made by us, lacks the table.
	unpublished error
	parent      bool // other tables inherit from it

	truncated atomic.Uint32 // the transaction of its last TRUNCATE in the stream
}

// A relation is what a Relation message announced, matched with the captured
// table.
type relation struct {
	table *tableState // nil: not captured
	skip  bool        // not captured, or stopped with an error
	ncols int
	// types has the type of each column on the wire; OID 0: not captured.
	types   []types.Type
	notNull []bool
	version *Table // with a follower
}

// A decoder turns pgoutput messages into row changes in place. It keeps what
// Relation messages announced; one per replication session.
type decoder struct {
	sink      changeSink
	tables    map[uint32]*tableState // by upstream OID
	relations map[uint32]*relation
	last      struct { // most changes are of the table before
		oid uint32
		rel *relation
	}
	lsn    connectors.LSN // of the message being decoded
	inTxn  bool           // between Begin and Commit
	xid    uint32         // of the transaction that is decoded, or was last
	spool  *spool
	stream *spooled // between Stream Start and Stop

	spans, oldSpans []types.Span
	scratch         []byte
	note            func(msg string, t *tableState, name string) // a change worth a log line
	verify          func(t *tableState) error                    // asks the server whether the columns are still the same ones
	follow          *follower                                    // for a Source; nil: a table that changes stops
}

func newDecoder(tables []*tableState, sink changeSink, spool *spool) *decoder {
	d := &decoder{sink: sink, spool: spool, tables: map[uint32]*tableState{}, relations: map[uint32]*relation{},
		note: func(string, *tableState, string) {}, verify: func(*tableState) error { return nil }}
	for _, t := range tables {
		d.tables[t.OID] = t
	}
	return d
}

var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func corrupt(format string, args ...any) error {
	return pgerr.Newf(pgerr.ProtocolViolation, "malformed pgoutput message: "+format, args...)
}

// decode takes one message of pgoutput's protocol version 2. Errors are of the
// stream and stop it; errors of one table go to the sink.
func (d *decoder) decode(msg []byte) error {
	if len(msg) == 0 {
		return corrupt("empty")
	}
	body := msg[1:]
	if d.stream != nil {
		return d.streamed(msg[0], body)
	}
	switch msg[0] {
	case 'I', 'U', 'D':
		return d.row(msg[0], body)
	case 'B':
		if len(body) != 20 {
			return corrupt("Begin of %d bytes", len(msg))
		}
		d.inTxn, d.xid = true, binary.BigEndian.Uint32(body[16:])
		return d.sink.begin(connectors.LSN(binary.BigEndian.Uint64(body)), timestamp(body[8:]), d.xid)
	case 'C':
		if len(body) != 25 {
			return corrupt("Commit of %d bytes", len(msg))
		}
		d.inTxn = false
		return d.sink.commit(connectors.LSN(binary.BigEndian.Uint64(body[9:])))
	case 'R':
		return d.relation(body)
	case 'T':
		return d.truncate(body)
	case 'M':
		if d.follow != nil {
			return d.message(body)
		}
		return nil
	case 'S':
		return d.streamStart(body)
	case 'c':
		return d.streamCommit(body)
	case 'A':
		return d.streamAbort(body)
	case 'Y', 'O':
		return nil
	}
	return corrupt("unknown type 0x%02x", msg[0])
}

func timestamp(b []byte) time.Time {
	return pgEpoch.Add(time.Duration(int64(binary.BigEndian.Uint64(b))) * time.Microsecond)
}

// The server sends a transaction that outgrows its memory before it has
// committed: in blocks between Stream Start and Stop, among those of others and
// whole transactions, and then Stream Commit or Stream Abort. In a block each
// message has the ID of its subtransaction in front.

func (d *decoder) streamStart(body []byte) error {
	if len(body) != 5 {
		return corrupt("Stream Start of %d bytes", len(body)+1)
	}
	if d.inTxn {
		return corrupt("Stream Start within a transaction")
	}
	xid := binary.BigEndian.Uint32(body)
	t := d.spool.open[xid]
	switch first := body[4] == 1; {
	case first && t != nil:
		return corrupt("Stream Start begins transaction %d again", xid)
	case first:
		t = d.spool.begin(xid)
	case t == nil:
		return corrupt("Stream Start goes on with transaction %d, which was not begun", xid)
	}
	d.stream = t
	return nil
}

// streamed takes a message within a block.
func (d *decoder) streamed(kind byte, body []byte) error {
	switch kind {
	case 'E':
		if len(body) != 0 {
			return corrupt("Stream Stop of %d bytes", len(body)+1)
		}
		d.stream = nil
		return nil
	case 'O':
		return nil
	case 'R', 'Y', 'I', 'U', 'D', 'T', 'M':
	default:
		return corrupt("type 0x%02x within a stream", kind)
	}
	if len(body) < 4 {
		return corrupt("%c of %d bytes within a stream", kind, len(body)+1)
	}
	xid := binary.BigEndian.Uint32(body)
	if before(xid, d.stream.xid) {
		return corrupt("%c of transaction %d in the stream of %d", kind, xid, d.stream.xid)
	}
	if kind == 'Y' || kind == 'M' && d.follow == nil {
		return nil
	}
	return d.spool.add(d.stream, d.lsn, xid, kind, body[4:])
}

// streamCommit hands a streamed transaction on as if it came now. What was
// rolled back is not in it any more, so that the same messages are counted as
// when the server sends it whole.
func (d *decoder) streamCommit(body []byte) error {
	if len(body) != 29 {
		return corrupt("Stream Commit of %d bytes", len(body)+1)
	}
	xid := binary.BigEndian.Uint32(body)
	t := d.spool.open[xid]
	if t == nil {
		return corrupt("Stream Commit of transaction %d, which is not open", xid)
	}
	d.xid = xid
	if err := d.sink.begin(connectors.LSN(binary.BigEndian.Uint64(body[5:])), timestamp(body[21:]), xid); err != nil {
		return err
	}
	err := d.spool.replay(t, func(lsn connectors.LSN, msg []byte) error {
		d.lsn = lsn
		return d.decode(msg)
	})
	if err != nil {
		return err
	}
	d.spool.discard(t)
	return d.sink.commit(connectors.LSN(binary.BigEndian.Uint64(body[13:])))
}

// errNotTold ends a connection; the next one does not stream.
var errNotTold = &lostError{errors.New("the server does not tell whether a streamed logical message was rolled back; it is asked for whole transactions")}

func (d *decoder) streamAbort(body []byte) error {
	if len(body) != 8 {
		return corrupt("Stream Abort of %d bytes", len(body)+1)
	}
	xid, sub := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	t := d.spool.open[xid]
	if t == nil {
		return corrupt("Stream Abort of transaction %d, which is not open", xid)
	}
	if sub == xid {
		d.spool.discard(t)
		return nil
	}
	sure, err := d.spool.rollback(t, sub)
	if err == nil && !sure {
		err = errNotTold
	}
	return err
}

func (d *decoder) row(kind byte, body []byte) error {
	if len(body) < 5 {
		return corrupt("%c of %d bytes", kind, len(body)+1)
	}
	oid := binary.BigEndian.Uint32(body)
	rel := d.last.rel
	if rel == nil || d.last.oid != oid {
		if rel = d.relations[oid]; rel == nil {
			return corrupt("%c of relation %d, which was never announced", kind, oid)
		}
		d.last.oid, d.last.rel = oid, rel
	}
	wanted, err := d.sink.row(len(body) + 1)
	if err != nil || !wanted || rel.skip {
		return err
	}
	if d.follow != nil {
		d.follow.asm.note(rel, 0, d.lsn)
	}
	err = d.change(kind, rel, body[4:])
	if v, ok := err.(*valueError); ok {
		d.fail(rel.table, v.err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", rel.table.spec, err)
	}
	return nil
}

// A valueError is the error of one value that cannot be read: of its table only.
type valueError struct{ err error }

func (e *valueError) Error() string { return e.err.Error() }

// fail stops a table: what follows of it is dropped.
func (d *decoder) fail(t *tableState, err error) {
	if t.failed != nil {
		return
	}
	t.failed = err
	for _, r := range d.relations {
		if r.table == t {
			r.skip = true
		}
	}
	d.sink.tableFailed(t.ID, err)
}

func (d *decoder) change(kind byte, rel *relation, body []byte) error {
	c := d.sink.changes(rel.table.ID)
	arena := c.Begin()
	start := len(arena)
	op, old := zset.Insert, zset.OldNone
	var err error
	switch kind {
	case 'U':
		op = zset.Update
	case 'D':
		op = zset.Delete
	}
	if tag := body[0]; kind != 'I' && (tag == 'K' || tag == 'O') {
		if old = zset.OldKey; tag == 'O' {
			old = zset.OldRow
		}
		if arena, body, err = d.tuple(arena, rel, body[1:], false); err != nil {
			return err
		}
	} else if kind == 'D' {
		return corrupt("Delete without an old tuple")
	}
	if kind != 'I' && old != zset.OldRow && len(rel.table.Key) == 0 && d.follow == nil {
		return &valueError{rel.table.identityChanged("it was FULL, and there is no key to find old rows by")}
	}
	mid := len(arena)
	if kind != 'D' {
		if len(body) == 0 || body[0] != 'N' {
			return corrupt("%c without a new tuple", kind)
		}
		if arena, body, err = d.tuple(arena, rel, body[1:], true); err != nil {
			return err
		}
		if old == zset.OldRow {
			arena = d.fillUnchanged(arena, start, mid, len(rel.table.Columns))
		}
	}
	if len(body) != 0 {
		return corrupt("%c with %d bytes too many", kind, len(body))
	}
	if kind == 'I' && rel.table.filter != "" {
		d.spans = types.Row(arena[mid:]).Spans(len(rel.table.Columns), d.spans)
		if i := slices.IndexFunc(d.spans, func(s types.Span) bool { return s.Len == types.UnchangedLen }); i >= 0 {
			return d.unsentValue(rel, i)
		}
	}
	c.End(arena, mid, op, old)
	return nil
}

// tuple appends the captured columns of a TupleData and gives what follows it.
//
// NOT NULL is checked in new rows: pgoutput does not tell when it is dropped.
func (d *decoder) tuple(dst []byte, rel *relation, body []byte, isNew bool) ([]byte, []byte, error) {
	if len(body) < 2 {
		return nil, nil, corrupt("tuple cut short")
	}
	n := int(binary.BigEndian.Uint16(body))
	if n != rel.ncols {
		return nil, nil, corrupt("tuple of %d columns where %d were announced", n, rel.ncols)
	}
	body = body[2:]
	for i := range rel.types {
		if len(body) == 0 {
			return nil, nil, corrupt("tuple cut short")
		}
		t := rel.types[i]
		switch body[0] {
		case 'n':
			body = body[1:]
			if t.OID == 0 {
				continue
			}
			if isNew && rel.notNull[i] {
				return nil, nil, d.badNull(rel, i)
			}
			dst = append(dst, types.HeaderNull)
		case 'u':
			body = body[1:]
			if t.OID != 0 {
				dst = append(dst, types.HeaderUnchanged)
			}
		case 't':
			if len(body) < 5 {
				return nil, nil, corrupt("tuple cut short")
			}
			size := int(binary.BigEndian.Uint32(body[1:]))
			if size > len(body)-5 {
				return nil, nil, corrupt("value of %d bytes in a message with %d left", size, len(body)-5)
			}
			text := body[5 : 5+size]
			body = body[5+size:]
			if t.OID == 0 {
				continue
			}
			if t.OID == types.Text {
				dst = types.AppendValue(dst, text)
				continue
			}
			var err error
			if dst, err = types.AppendFromText(dst, t, text); err != nil {
				return nil, nil, d.badValue(rel, i, err)
			}
		default:
			return nil, nil, corrupt("unknown kind of value 0x%02x", body[0])
		}
	}
	return dst, body, nil
}

// badValue names the column of a value that cannot be read. The value itself
// stays out of the message: it may be secret, or long.
func (d *decoder) badValue(rel *relation, wire int, err error) error {
	return &valueError{pgerr.Newf(pgerr.CodeOf(err), "column %q of table %s: a value of type %s cannot be read: %w",
		rel.column(wire).name, rel.table.spec, rel.types[wire], err)}
}

func (d *decoder) badNull(rel *relation, wire int) error {
	e := pgerr.Newf(pgerr.NotNullViolation, "null value in column %q of table %s, which was NOT NULL when the source was created",
		rel.column(wire).name, rel.table.spec)
	return &valueError{e.WithHint("Drop the source and create it again to capture the table with its new definition.")}
}

// column gives the captured column of a column on the wire.
func (r *relation) column(wire int) *column {
	captured := 0
	for _, t := range r.types[:wire] {
		if t.OID != 0 {
			captured++
		}
	}
	return &r.table.columns[captured]
}

// fillUnchanged puts the old row's values in the place of unchanged marks of
// the new row: with REPLICA IDENTITY FULL the old row has them all.
func (d *decoder) fillUnchanged(arena []byte, start, mid, n int) []byte {
	d.spans = types.Row(arena[mid:]).Spans(n, d.spans)
	unchanged := false
	for _, s := range d.spans {
		unchanged = unchanged || s.Len == types.UnchangedLen
	}
	if !unchanged {
		return arena
	}
	old := types.Row(arena[start:mid])
	row := append(d.scratch[:0], arena[mid:]...)
	arena = arena[:mid]
	d.oldSpans = old.Spans(n, d.oldSpans)
	for i, s := range d.spans {
		src := row
		if s.Len == types.UnchangedLen {
			src, s = old, d.oldSpans[i]
		}
		switch s.Len {
		case types.NullLen:
			arena = types.AppendNull(arena)
		case types.UnchangedLen:
			arena = types.AppendUnchanged(arena)
		default:
			arena = types.AppendValue(arena, src[s.Off:s.Off+s.Len])
		}
	}
	if d.scratch = row; cap(row) > 1<<20 {
		d.scratch = nil
	}
	return arena
}

func (d *decoder) truncate(body []byte) error {
	if len(body) < 5 {
		return corrupt("Truncate of %d bytes", len(body)+1)
	}
	n := int(binary.BigEndian.Uint32(body))
	if len(body)-5 != 4*n {
		return corrupt("Truncate of %d relations in %d bytes", n, len(body)+1)
	}
	flags := body[4]
	for body = body[5:]; len(body) > 0; body = body[4:] {
		oid := binary.BigEndian.Uint32(body)
		rel := d.relations[oid]
		if rel == nil {
			return corrupt("Truncate of relation %d, which was never announced", oid)
		}
		if rel.table != nil {
			rel.table.truncated.Store(d.xid)
		}
		// Each relation counts as a message, so that each is an event with a position.
		wanted, err := d.sink.row(9)
		if err != nil {
			return err
		}
		if !wanted || rel.skip {
			continue
		}
		if d.follow != nil {
			d.follow.asm.note(rel, flags, d.lsn)
		}
		c := d.sink.changes(rel.table.ID)
		arena := c.Begin()
		c.End(arena, len(arena), zset.Truncate, zset.OldNone)
	}
	return nil
}

// cString reads a zero-terminated string.
func cString(b []byte) (string, []byte, bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(b[:i]), b[i+1:], true
}
