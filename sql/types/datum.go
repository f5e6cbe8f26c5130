package types

import (
	"encoding/binary"
	"math"
)

// A Datum is one value outside a row: a constant, a parameter, an
// intermediate result of an expression. Which field holds it follows from its
// type, as the payloads of Row do:
//
//	I: bool (0, 1), int2, int4, int8, oid and its kin, float4 and float8 (as float64 bits),
//	   date (days), time, timestamp, timestamptz (µs)
//	B: all others, the payload as in Row; borrowed unless said otherwise
type Datum struct {
	I    int64
	B    []byte
	Null bool
}

// NullDatum is NULL, of any type.
var NullDatum = Datum{Null: true}

// Constructors of datums.
func DInt(v int64) Datum     { return Datum{I: v} }
func DBytes(b []byte) Datum  { return Datum{B: b} }
func DString(s string) Datum { return Datum{B: []byte(s)} }

// nanBits is the NaN of PostgreSQL's binary form, and of our rows.
const nanBits = 0x7ff8000000000000

// DFloat is a float4 or float8; all NaNs become one.
func DFloat(v float64) Datum {
	if v != v {
		return Datum{I: nanBits}
	}
	return Datum{I: int64(math.Float64bits(v))}
}

// DBool is a boolean.
func DBool(v bool) Datum {
	if v {
		return Datum{I: 1}
	}
	return Datum{}
}

// Bool gives a boolean datum's value; NULL is false.
func (d Datum) Bool() bool { return !d.Null && d.I != 0 }

// Float gives a float4 or float8 datum's value.
func (d Datum) Float() float64 { return math.Float64frombits(uint64(d.I)) }

// InI reports whether datums of the type live in Datum.I.
func (t OID) InI() bool {
	switch t {
	case Bool, Int2, Int4, Int8, OIDType, Float4, Float8, Date, Time, Timestamp, TimestampTZ, RegProc, RegClass, RegType, RegNamespace:
		return true
	}
	return false
}

// Decode reads a payload as a datum. B is borrowed from the payload.
func Decode(t OID, payload []byte) Datum {
	switch t {
	case Bool:
		return Datum{I: int64(payload[0])}
	case Int2:
		return Datum{I: int64(int16(binary.LittleEndian.Uint16(payload)))}
	case Int4, Date:
		return Datum{I: int64(int32(binary.LittleEndian.Uint32(payload)))}
	case OIDType, RegProc, RegClass, RegType, RegNamespace:
		return Datum{I: int64(binary.LittleEndian.Uint32(payload))}
	case Int8, Time, Timestamp, TimestampTZ, Float8:
		return Datum{I: int64(binary.LittleEndian.Uint64(payload))}
	case Float4:
		return DFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(payload))))
	}
	return Datum{B: payload}
}

// DecodeSpan reads one value of a row as a datum.
func DecodeSpan(t OID, row Row, s Span) Datum {
	if s.Len < 0 {
		return NullDatum
	}
	return Decode(t, row[s.Off:s.Off+s.Len])
}

// AppendDatum appends a datum as a value of a row.
func AppendDatum(dst []byte, t OID, d Datum) []byte {
	if d.Null {
		return append(dst, HeaderNull)
	}
	switch t {
	case Bool:
		return append(dst, 3, byte(d.I))
	case Int2:
		return append(dst, 4, byte(d.I), byte(d.I>>8))
	case Int4, Date, OIDType, RegProc, RegClass, RegType, RegNamespace:
		return AppendFixed4(dst, uint32(d.I))
	case Int8, Time, Timestamp, TimestampTZ, Float8:
		return AppendFixed8(dst, uint64(d.I))
	case Float4:
		return AppendFixed4(dst, math.Float32bits(float32(d.Float())))
	}
	return AppendValue(dst, d.B)
}
