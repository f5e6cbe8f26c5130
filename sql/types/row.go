package types

import "encoding/binary"

// A Row is one row in its lossless packed form: its values one after another,
// nothing before or between them, so that a join's output is a concatenation
// and a projection a copy of ranges. Each value is a header and a payload:
//
//	uvarint 0      NULL
//	uvarint 1      unchanged: a TOASTed value that the source did not send
//	uvarint n+2    n bytes of payload
//
// Two rows are the same row when their bytes are equal. numeric 1.0 and 1.00
// differ here, so that a retraction finds its row. Payloads, by type:
//
//	bool           1 byte, 0 or 1
//	int2 int4 int8 2, 4, 8 bytes, little-endian; oid: 4 bytes, unsigned
//	float4 float8  4, 8 bytes, IEEE 754 bits, little-endian
//	date           4 bytes, little-endian: days since 2000-01-01; ±infinity are the extremes of int32
//	time           8 bytes: µs since midnight
//	timetz         12 bytes: µs since midnight, then seconds west of UTC in 4
//	timestamp(tz)  8 bytes: µs since 2000-01-01 (UTC); ±infinity are the extremes of int64
//	interval       16 bytes: µs in 8, days in 4, months in 4
//	numeric        see numeric.go
//	uuid           16 bytes
//	bytea          the bytes themselves
//	jsonb          PostgreSQL's own text of it (keys sorted and deduplicated as jsonb does)
//	all others     the bytes of PostgreSQL's text
type Row []byte

// Headers of values that have no payload.
const (
	HeaderNull      = 0
	HeaderUnchanged = 1
)

// AppendNull appends a NULL to a row under construction.
func AppendNull(dst []byte) []byte { return append(dst, HeaderNull) }

// AppendUnchanged appends the mark of an unchanged TOASTed value.
func AppendUnchanged(dst []byte) []byte { return append(dst, HeaderUnchanged) }

// AppendValue appends a payload with its header.
func AppendValue(dst, payload []byte) []byte {
	return append(AppendHeader(dst, len(payload)), payload...)
}

// AppendHeader appends the header of a payload of n bytes that the caller
// appends next.
func AppendHeader(dst []byte, n int) []byte {
	if n < 0x7e {
		return append(dst, byte(n+2))
	}
	return binary.AppendUvarint(dst, uint64(n)+2)
}

// AppendFixed4 and AppendFixed8 append a value of 4 or 8 payload bytes.
func AppendFixed4(dst []byte, v uint32) []byte {
	return append(dst, 6, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// AppendFixed8 appends a value of 8 payload bytes, little-endian.
func AppendFixed8(dst []byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, 10), v)
}

// A Span is where a value lies in a row: Off is the offset of its payload
// and Len the payload's length, or NullLen or UnchangedLen.
type Span struct{ Off, Len int32 }

// Lengths of spans without payload.
const (
	NullLen      = -1
	UnchangedLen = -2
)

// next reads the header at off and gives the value's span and where the next
// value starts.
func next(row []byte, off int) (Span, int) {
	h := uint64(row[off])
	off++
	if h >= 0x80 {
		var n int
		h, n = binary.Uvarint(row[off-1:])
		off += n - 1
	}
	if h < 2 {
		return Span{int32(off), int32(h) ^ -1}, off
	}
	return Span{int32(off), int32(h - 2)}, off + int(h-2)
}

// Skip gives the offset behind the value that starts at off. The range
// row[off:Skip(row, off)] is the value with its header, ready to be copied.
func Skip(row Row, off int) int {
	_, end := next(row, off)
	return end
}

// Spans locates the first n values of a row, in one pass, into dst[:0].
func (r Row) Spans(n int, dst []Span) []Span {
	dst = dst[:0]
	off := 0
	for range n {
		var s Span
		s, off = next(r, off)
		dst = append(dst, s)
	}
	return dst
}

// Value gives the payload of the i-th value (0-based), nil and false for
// NULL. It walks the row: to read several columns use Spans.
func (r Row) Value(i int) ([]byte, bool) {
	off := 0
	for ; i > 0; i-- {
		off = Skip(r, off)
	}
	s, _ := next(r, off)
	if s.Len < 0 {
		return nil, false
	}
	return r[s.Off : s.Off+s.Len], true
}

// Check walks untrusted bytes and reports whether they are exactly n
// well-formed values.
func (r Row) Check(n int) bool {
	off := 0
	for range n {
		if off >= len(r) {
			return false
		}
		h, w := binary.Uvarint(r[off:])
		if w <= 0 || h > uint64(len(r)-off-w)+2 {
			return false
		}
		off += w
		if h >= 2 {
			off += int(h - 2)
		}
	}
	return off == len(r)
}
