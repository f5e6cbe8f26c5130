package types

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A Key is a list of values in an encoding whose bytes compare as SQL orders
// the values, NULLs last, and are equal where SQL's = holds: numeric 1.0 and
// 1.00, float −0 and 0, char 'a' and 'a ', interval 1 day and 24 hours are
// each one key. Every value tells its own end, so keys concatenate and any
// leading part of a key is a prefix to seek by.
//
//	NULL           02
//	others         01, then
//	bool           1 byte
//	int2 int4 int8, date, time, timestamp(tz)
//	               big-endian, the sign bit flipped; oid: unsigned
//	float4 float8  IEEE bits, big-endian: sign bit flipped, or all bits where negative; NaN is the greatest
//	timetz         8 bytes of UTC time, 4 of zone
//	interval       8 bytes of days (a month is 30), 8 of the µs left
//	numeric        see appendKeyNumeric
//	uuid           16 bytes
//	jsonb          see keyjson.go
//	arrays         each element as a value of a key, 00, then the dimensions
//	all others     the bytes, 00 as 00 FF, end 00 01
type Key []byte

const (
	keyValue = 0x01
	keyNull  = 0x02
)

// AppendKeyDatum appends one value to a key.
func AppendKeyDatum(dst []byte, t OID, d Datum) []byte {
	if d.Null {
		return append(dst, keyNull)
	}
	dst = append(dst, keyValue)
	switch t {
	case Bool:
		return append(dst, byte(d.I))
	case Int2:
		return binary.BigEndian.AppendUint16(dst, uint16(d.I)^1<<15)
	case Int4, Date:
		return binary.BigEndian.AppendUint32(dst, uint32(d.I)^1<<31)
	case OIDType, RegProc, RegClass, RegType, RegNamespace:
		return binary.BigEndian.AppendUint32(dst, uint32(d.I))
	case Int8, Time, Timestamp, TimestampTZ:
		return binary.BigEndian.AppendUint64(dst, uint64(d.I)^1<<63)
	case Float8:
		return appendKeyFloat8(dst, d.Float())
	case Float4:
		return appendKeyFloat4(dst, float32(d.Float()))
	}
	return appendKeyBytes(dst, t, d.B)
}

// AppendKeySpan appends one value of a row to a key. The span must not be of
// an unchanged value.
func AppendKeySpan(dst []byte, t OID, row Row, s Span) []byte {
	if s.Len < 0 {
		return append(dst, keyNull)
	}
	p := row[s.Off : s.Off+s.Len]
	dst = append(dst, keyValue)
	switch t {
	case Bool:
		return append(dst, p[0])
	case Int2:
		return append(dst, p[1]^0x80, p[0])
	case Int4, Date:
		return append(dst, p[3]^0x80, p[2], p[1], p[0])
	case OIDType, RegProc, RegClass, RegType, RegNamespace:
		return append(dst, p[3], p[2], p[1], p[0])
	case Int8, Time, Timestamp, TimestampTZ:
		return append(dst, p[7]^0x80, p[6], p[5], p[4], p[3], p[2], p[1], p[0])
	case Float8:
		return appendKeyFloat8(dst, math.Float64frombits(binary.LittleEndian.Uint64(p)))
	case Float4:
		return appendKeyFloat4(dst, math.Float32frombits(binary.LittleEndian.Uint32(p)))
	}
	return appendKeyBytes(dst, t, p)
}

// appendKeyBytes appends a payload of a type that is not held in Datum.I.
func appendKeyBytes(dst []byte, t OID, p []byte) []byte {
	switch t {
	case Text, VarChar, Name:
		return appendKeyString(dst, p)
	case BPChar:
		return appendKeyString(dst, bytes.TrimRight(p, " "))
	case Numeric:
		return appendKeyNumeric(dst, p)
	case UUID:
		return append(dst, p...)
	case TimeTZ:
		v := decodeTimeTZ(p)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Micros+int64(v.West)*microsPerSecond)^1<<63)
		return binary.BigEndian.AppendUint32(dst, uint32(v.West)^1<<31)
	case Interval:
		days, us := DecodeInterval(p).span()
		dst = binary.BigEndian.AppendUint64(dst, uint64(days)^1<<63)
		return binary.BigEndian.AppendUint64(dst, uint64(us))
	case JSONB:
		return appendKeyJSONB(dst, p)
	}
	if elem := t.Elem(); elem != 0 {
		return appendKeyArray(dst, elem, p)
	}
	return appendKeyString(dst, p)
}

func appendKeyFloat8(dst []byte, f float64) []byte {
	u := math.Float64bits(f)
	switch {
	case f != f:
		u = math.MaxUint64
	case f == 0:
		u = 1 << 63
	case u>>63 != 0:
		u = ^u
	default:
		u |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(dst, u)
}

func appendKeyFloat4(dst []byte, f float32) []byte {
	u := math.Float32bits(f)
	switch {
	case f != f:
		u = math.MaxUint32
	case f == 0:
		u = 1 << 31
	case u>>31 != 0:
		u = ^u
	default:
		u |= 1 << 31
	}
	return binary.BigEndian.AppendUint32(dst, u)
}

// appendKeyString appends bytes so that no key is a prefix of another.
func appendKeyString(dst, p []byte) []byte {
	for {
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			dst = append(dst, p...)
			return append(dst, 0x00, 0x01)
		}
		dst = append(dst, p[:i]...)
		dst = append(dst, 0x00, 0xff)
		p = p[i+1:]
	}
}

// skipKeyString gives the offset behind a string that starts at off.
func skipKeyString(key []byte, off int) int {
	for {
		off += bytes.IndexByte(key[off:], 0) + 2
		if key[off-1] == 0x01 {
			return off
		}
	}
}

// SkipKey gives the length of the first len(ts) values of a key of these
// types.
func SkipKey(key []byte, ts []Type) int {
	off := 0
	for _, t := range ts {
		off = skipKeyValue(key, off, t.OID)
	}
	return off
}

func skipKeyValue(key []byte, off int, t OID) int {
	off++
	if key[off-1] == keyNull {
		return off
	}
	switch t {
	case Bool:
		return off + 1
	case Int2:
		return off + 2
	case Int4, Date, OIDType, Float4, RegProc, RegClass, RegType, RegNamespace:
		return off + 4
	case Int8, Time, Timestamp, TimestampTZ, Float8:
		return off + 8
	case TimeTZ:
		return off + 12
	case UUID, Interval:
		return off + 16
	case Numeric:
		return skipKeyNumeric(key, off)
	case JSONB:
		return skipKeyJSONB(key, off)
	}
	if elem := t.Elem(); elem != 0 {
		return skipKeyArray(key, off, elem)
	}
	return skipKeyString(key, off)
}

// KeyTells reports whether equal keys of the type mean equal bytes of values;
// where not (numeric 1.0 and 1.00) a representative has to be kept.
func KeyTells(t OID) bool {
	switch t {
	case Bool, Bytea, Char, Name, Int8, Int2, Int4, Text, OIDType, VarChar, Date, Time, Timestamp, TimestampTZ, UUID:
		return true
	}
	return false
}

// AppendValueOfKey appends the first value of a key, of a type whose keys
// tell, as a value of a row.
func AppendValueOfKey(dst []byte, t OID, key Key) []byte {
	if key[0] == keyNull {
		return AppendNull(dst)
	}
	p := key[1:]
	switch t {
	case Bool:
		return AppendValue(dst, p[:1])
	case Int2:
		return AppendValue(dst, []byte{p[1], p[0] ^ 0x80})
	case Int4, Date:
		return AppendValue(dst, []byte{p[3], p[2], p[1], p[0] ^ 0x80})
	case OIDType:
		return AppendValue(dst, []byte{p[3], p[2], p[1], p[0]})
	case Int8, Time, Timestamp, TimestampTZ:
		return AppendValue(dst, []byte{p[7], p[6], p[5], p[4], p[3], p[2], p[1], p[0] ^ 0x80})
	case UUID:
		return AppendValue(dst, p[:16])
	}
	p = p[:skipKeyString(p, 0)-2]
	dst = AppendHeader(dst, len(p)-bytes.Count(p, []byte{0}))
	for {
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			return append(dst, p...)
		}
		dst = append(dst, p[:i+1]...)
		p = p[i+2:]
	}
}

// PrefixEnd gives the least key that is greater than every key that starts
// with the prefix, nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// HasEquality reports whether PostgreSQL has an = operator, and with it
// GROUP BY, DISTINCT and ORDER BY, for the type.
func HasEquality(t OID) bool {
	switch t {
	case JSON, JSONArray, Void, Any, AnyElement:
		return false
	}
	return true
}

// Compare orders two values of a type as their keys: NULLs last and equal.
func Compare(t OID, a, b Datum) int {
	if a.Null || b.Null {
		switch {
		case a.Null == b.Null:
			return 0
		case a.Null:
			return 1
		}
		return -1
	}
	switch t {
	case Bool, Int2, Int4, Int8, OIDType, Date, Time, Timestamp, TimestampTZ, RegProc, RegClass, RegType, RegNamespace:
		return compareInt64(a.I, b.I)
	case Float4, Float8:
		return CompareFloat(a.Float(), b.Float())
	case Numeric:
		return NumericCmp(a.B, b.B)
	case Text, VarChar, Name, Bytea, UUID, Unknown, Char:
		return bytes.Compare(a.B, b.B)
	case BPChar:
		return bytes.Compare(bytes.TrimRight(a.B, " "), bytes.TrimRight(b.B, " "))
	}
	var bufA, bufB [64]byte
	return bytes.Compare(appendKeyBytes(bufA[:0], t, a.B), appendKeyBytes(bufB[:0], t, b.B))
}

func compareInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CompareFloat orders floats as PostgreSQL does: −0 equals 0, NaN equals
// itself and is the greatest.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b || a != a && b != b:
		return 0
	case a != a:
		return 1
	}
	return -1
}
