// Package eval compiles scalar expressions to closures that run once per row
// without allocating, and holds the implementations of the catalog's functions.
package eval

import (
	"encoding/binary"
	"time"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A Context is what functions read that is not in the row. It does not change
// while a statement runs.
type Context struct {
	TimeZone  *time.Location // nil: UTC
	Now       int64          // transaction time, µs since 2000-01-01 UTC
	Statement int64          // statement time; 0: as Now
	User      string         // current_user
	Session   string         // session_user; "": as User
	Database  string
	Schema    string // current_schema; "": public
	SessionID int32  // pg_backend_pid()
	Version   string // version()
	// Setting looks up a run-time parameter by its lower-case name; nil: there are none.
	Setting func(name string) (value string, ok bool)
	// Catalog answers for the objects of the database; nil: there are none.
	Catalog Catalog
}

// A Frame is the place where programs run: a row, where its values lie, and an
// arena for results. It serves one goroutine and any number of programs over rows of one shape.
type Frame struct {
	ctx    *Context
	format types.Format
	row    types.Row
	spans  []types.Span // of the columns located so far
	ends   []int32      // where their values end
	buf    []byte       // arena of results
	stack  []types.Datum
	// compiled regular expressions whose patterns are not constants
	regexps map[regexpKey]*pattern
}

// NewFrame makes a frame; a nil context is an empty one in UTC.
func NewFrame(ctx *Context) *Frame {
	f := &Frame{buf: make([]byte, 0, 1024)}
	f.SetContext(ctx)
	return f
}

// SetContext makes ctx the one that programs read.
func (f *Frame) SetContext(ctx *Context) {
	if ctx == nil {
		ctx = &Context{}
	}
	f.ctx, f.format = ctx, types.Format{TimeZone: ctx.TimeZone}
	if ctx.Catalog != nil {
		f.format.Names = ctx.Catalog
	}
}

// SetRow makes row the one that programs read. It is borrowed; results of
// earlier rows become invalid.
func (f *Frame) SetRow(row types.Row) {
	f.row = row
	f.spans = f.spans[:0]
	f.ends = f.ends[:0]
	f.buf = f.buf[:0]
}

// span locates column i, and those before it, once per row.
func (f *Frame) span(i int) types.Span {
	if i >= len(f.spans) {
		f.locate(i)
	}
	return f.spans[i]
}

func (f *Frame) locate(i int) {
	var off int
	if n := len(f.ends); n > 0 {
		off = int(f.ends[n-1])
	}
	row := f.row
	for len(f.spans) <= i {
		h := uint64(row[off])
		off++
		if h >= 0x80 {
			var n int
			h, n = binary.Uvarint(row[off-1:])
			off += n - 1
		}
		s := types.Span{Off: int32(off), Len: int32(h) - 2}
		if h < 2 {
			s.Len = int32(h) ^ -1
		} else {
			off += int(h - 2)
		}
		f.spans = append(f.spans, s)
		f.ends = append(f.ends, int32(off))
	}
}

// values is columns first to last with their headers, as they lie in the row.
func (f *Frame) values(first, last int) []byte {
	f.span(last)
	var start int32
	if first > 0 {
		start = f.ends[first-1]
	}
	return f.row[start:f.ends[last]]
}

// out is an empty slice at the arena's end to append one result to; keep makes
// it a datum. No argument may be evaluated in between.
func (f *Frame) out() []byte { return f.buf[len(f.buf):] }

func (f *Frame) keep(b []byte) types.Datum {
	if n := len(f.buf) + len(b); n <= cap(f.buf) {
		f.buf = f.buf[:n]
	} else {
		f.buf = make([]byte, 0, 2*cap(f.buf)+len(b)) // b has outgrown the arena and stands by itself
	}
	return types.Datum{B: b[:len(b):len(b)]}
}

// keepErr is keep for functions that may fail.
func (f *Frame) keepErr(b []byte, err error) (types.Datum, error) {
	if err != nil {
		return types.Datum{}, err
	}
	return f.keep(b), nil
}

// keepString copies a string into the arena.
func (f *Frame) keepString(s string) types.Datum { return f.keep(append(f.out(), s...)) }

// appendText appends the text of a value.
func (f *Frame) appendText(dst []byte, t types.OID, d types.Datum) []byte {
	if !t.InI() {
		return f.format.AppendText(dst, t, d.B)
	}
	var scratch [16]byte
	return f.format.AppendText(dst, t, types.AppendDatum(scratch[:0], t, d)[1:])
}
