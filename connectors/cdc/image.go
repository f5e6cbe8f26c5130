package cdc

import (
	"time"

	"github.com/helios-sql/helios-sql/sql/types"
)

// An Image is a row of an event. It is packed, and read by column (0-based);
// its methods decode nothing else. The zero Image has no columns.
type Image struct {
	table *Table
	row   types.Row
	key   bool // only the key's columns were sent
}

// Unchanged stands in Value and Map for a TOASTed value that the server did
// not send, as the update left it alone.
type Unchanged struct{}

// Len is the number of columns; 0 if there is no row.
func (r Image) Len() int {
	if len(r.row) == 0 {
		return 0
	}
	return len(r.table.Columns)
}

// Columns are the columns' definitions.
func (r Image) Columns() []Column {
	if len(r.row) == 0 {
		return nil
	}
	return r.table.Columns
}

// Row gives the packed row. It must not be changed.
func (r Image) Row() types.Row { return r.row }

// KeyOnly reports that the server sent only the key's columns: the others are
// not NULL but unknown.
func (r Image) KeyOnly() bool { return r.key }

// Known reports whether column i was sent.
func (r Image) Known(i int) bool {
	if r.key {
		for _, k := range r.table.Key {
			if k == i {
				return true
			}
		}
		return false
	}
	return !r.Unchanged(i)
}

// span gives the payload of column i, and its length or a mark.
func (r Image) span(i int) ([]byte, int32) {
	off := 0
	for ; i > 0; i-- {
		off = types.Skip(r.row, off)
	}
	switch r.row[off] {
	case types.HeaderNull:
		return nil, types.NullLen
	case types.HeaderUnchanged:
		return nil, types.UnchangedLen
	}
	end := types.Skip(r.row, off)
	p, _ := r.row[off:end].Value(0)
	return p, int32(len(p))
}

// Null reports whether column i is NULL (or unknown: see KeyOnly).
func (r Image) Null(i int) bool { _, n := r.span(i); return n == types.NullLen }

// Unchanged reports whether column i is an unchanged TOASTed value that was not sent.
func (r Image) Unchanged(i int) bool { _, n := r.span(i); return n == types.UnchangedLen }

// Payload gives column i's bytes as types.Row describes them, borrowed; nil
// if it is NULL or unchanged.
func (r Image) Payload(i int) []byte { p, _ := r.span(i); return p }

// Datum gives column i as a datum, borrowed.
func (r Image) Datum(i int) types.Datum {
	p, n := r.span(i)
	if n < 0 {
		return types.NullDatum
	}
	return types.Decode(r.table.Columns[i].Type.OID, p)
}

// AppendText appends PostgreSQL's text of column i; nothing for NULL.
func (r Image) AppendText(dst []byte, i int) []byte {
	p, n := r.span(i)
	if n < 0 {
		return dst
	}
	var f types.Format
	return f.AppendText(dst, r.table.Columns[i].Type.OID, p)
}

// Text gives PostgreSQL's text of column i, in UTC; "" for NULL.
func (r Image) Text(i int) string { return string(r.AppendText(nil, i)) }

// Int64 gives column i of an integer type, Float64 of float4 or float8, Bool
// of boolean; false if it is NULL, unchanged or of another type.
func (r Image) Int64(i int) (int64, bool) {
	switch r.table.Columns[i].Type.OID {
	case types.Int2, types.Int4, types.Int8, types.OIDType:
		d := r.Datum(i)
		return d.I, !d.Null
	}
	return 0, false
}

// Float64 is described with Int64.
func (r Image) Float64(i int) (float64, bool) {
	switch r.table.Columns[i].Type.OID {
	case types.Float4, types.Float8:
		d := r.Datum(i)
		return d.Float(), !d.Null
	}
	return 0, false
}

// Bool is described with Int64.
func (r Image) Bool(i int) (value, ok bool) {
	if r.table.Columns[i].Type.OID != types.Bool {
		return false, false
	}
	d := r.Datum(i)
	return d.Bool(), !d.Null
}

// Time gives column i of type date, timestamp or timestamptz, in UTC; false
// if it is NULL, unchanged, of another type, or infinite.
func (r Image) Time(i int) (time.Time, bool) {
	oid := r.table.Columns[i].Type.OID
	p, n := r.span(i)
	if n < 0 {
		return time.Time{}, false
	}
	v := types.Decode(oid, p).I
	switch oid {
	case types.Date:
		if v == 1<<31-1 || v == -1<<31 {
			return time.Time{}, false
		}
		return pgEpoch.AddDate(0, 0, int(v)), true
	case types.Timestamp, types.TimestampTZ:
		if v == 1<<63-1 || v == -1<<63 {
			return time.Time{}, false
		}
		return time.Unix(pgEpoch.Unix()+v/1e6, v%1e6*1000).UTC(), true
	}
	return time.Time{}, false
}

// Value gives column i as a Go value: nil, Unchanged{}, bool, int64 (integers,
// oid), float64, []byte (bytea), time.Time (date, timestamp, timestamptz), and
// for all else, infinite times among it, PostgreSQL's text as a string.
func (r Image) Value(i int) any {
	p, n := r.span(i)
	switch n {
	case types.NullLen:
		return nil
	case types.UnchangedLen:
		return Unchanged{}
	}
	oid := r.table.Columns[i].Type.OID
	switch oid {
	case types.Bool:
		return p[0] != 0
	case types.Int2, types.Int4, types.Int8, types.OIDType:
		return types.Decode(oid, p).I
	case types.Float4, types.Float8:
		return types.Decode(oid, p).Float()
	case types.Bytea:
		return append([]byte{}, p...)
	case types.Date, types.Timestamp, types.TimestampTZ:
		if t, ok := r.Time(i); ok {
			return t
		}
	}
	return r.Text(i)
}

// Map gives the known columns by name, as Value does.
func (r Image) Map() map[string]any {
	m := make(map[string]any, r.Len())
	for i, c := range r.Columns() {
		if !r.key || r.Known(i) {
			m[c.Name] = r.Value(i)
		}
	}
	return m
}
