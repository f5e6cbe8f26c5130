package types

import (
	"encoding/binary"
	"math"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// AppendBinary appends PostgreSQL's binary form of a payload, as a type's
// send function gives it, without length word.
func AppendBinary(dst []byte, t OID, p []byte) []byte {
	switch t {
	case Int2:
		return append(dst, p[1], p[0])
	case Int4, Date, OIDType, Float4, RegProc, RegClass, RegType, RegNamespace:
		return append(dst, p[3], p[2], p[1], p[0])
	case Int8, Float8, Time, Timestamp, TimestampTZ:
		return append(dst, p[7], p[6], p[5], p[4], p[3], p[2], p[1], p[0])
	case TimeTZ:
		v := decodeTimeTZ(p)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Micros))
		return binary.BigEndian.AppendUint32(dst, uint32(v.West))
	case Interval:
		v := DecodeInterval(p)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(v.Months))
	case Numeric:
		return appendNumericBinary(dst, p)
	case JSONB:
		return append(append(dst, 1), p...)
	case Char:
		if len(p) == 0 {
			return append(dst, 0)
		}
	}
	if elem := t.Elem(); elem != 0 {
		return appendArrayBinary(dst, elem, p)
	}
	return append(dst, p...)
}

// AppendFromBinary parses PostgreSQL's binary form of a type and appends it
// as a value of a row. A modifier ≥ 0 is applied as an assignment would. On an
// error, 22P03 unless the value itself is refused, dst keeps its length.
func AppendFromBinary(dst []byte, t Type, bin []byte) ([]byte, error) {
	if n := binarySize(t.OID); n > 0 && len(bin) != n {
		if len(bin) < n {
			return dst, errShortBinary()
		}
		return dst, pgerr.Newf(pgerr.InvalidBinaryRepresent, "incorrect binary data format")
	}
	switch t.OID {
	case Bool:
		return append(dst, 3, b2i(bin[0] != 0)), nil
	case Int2:
		return append(dst, 4, bin[1], bin[0]), nil
	case Int4, OIDType, RegProc, RegClass, RegType, RegNamespace:
		return AppendFixed4(dst, binary.BigEndian.Uint32(bin)), nil
	case Int8:
		return AppendFixed8(dst, binary.BigEndian.Uint64(bin)), nil
	case Float4:
		return AppendDatum(dst, Float4, DFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(bin))))), nil
	case Float8:
		return AppendDatum(dst, Float8, DFloat(math.Float64frombits(binary.BigEndian.Uint64(bin)))), nil
	case Date:
		v := int32(binary.BigEndian.Uint32(bin))
		if v != DateInfinity && v != DateNegInfinity && (v < minDate || v >= endDate) {
			return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range")
		}
		return AppendFixed4(dst, uint32(v)), nil
	case Timestamp, TimestampTZ:
		v := int64(binary.BigEndian.Uint64(bin))
		if v != TimestampInfinity && v != TimestampNegInfinity && !timestampInRange(v) {
			return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp out of range")
		}
		return AppendFixed8(dst, uint64(roundMicros(v, t.Mod))), nil
	case Time:
		v := int64(binary.BigEndian.Uint64(bin))
		if v < 0 || v > microsPerDay {
			return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "time out of range")
		}
		return AppendFixed8(dst, uint64(roundMicros(v, t.Mod))), nil
	case TimeTZ:
		v := TimeTZValue{int64(binary.BigEndian.Uint64(bin)), int32(binary.BigEndian.Uint32(bin[8:]))}
		if v.Micros < 0 || v.Micros > microsPerDay {
			return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "time out of range")
		}
		if v.West <= -16*3600 || v.West >= 16*3600 {
			return dst, pgerr.Newf("22009", "time zone displacement out of range")
		}
		v.Micros = roundMicros(v.Micros, t.Mod)
		return appendTimeTZ(append(dst, 12+2), v), nil
	case Interval:
		v := IntervalValue{int64(binary.BigEndian.Uint64(bin)),
			int32(binary.BigEndian.Uint32(bin[8:])), int32(binary.BigEndian.Uint32(bin[12:]))}
		v, err := v.applyMod(t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendInterval(append(dst, 16+2), v), nil
	case UUID:
		return AppendValue(dst, bin), nil
	case Bytea:
		return AppendValue(dst, bin), nil
	case Numeric:
		p, err := numericFromBinary(bin, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendValue(dst, p), nil
	case JSONB:
		if len(bin) == 0 {
			return dst, errShortBinary()
		}
		if bin[0] != 1 {
			return dst, pgerr.Newf(pgerr.InternalError, "unsupported jsonb version number %d", bin[0])
		}
		bin = bin[1:]
	case Char:
		if len(bin) == 0 {
			return dst, errShortBinary()
		}
		if len(bin) > 1 {
			return dst, pgerr.Newf(pgerr.InvalidBinaryRepresent, "incorrect binary data format")
		}
		if bin[0] == 0 {
			bin = nil
		}
		return AppendValue(dst, bin), nil
	}
	if elem := t.OID.Elem(); elem != 0 {
		p, err := arrayFromBinary(Type{elem, t.Mod}, bin)
		if err != nil {
			return dst, err
		}
		return AppendValue(dst, p), nil
	}
	return AppendFromText(dst, t, bin)
}

// binarySize gives the length of a type's binary form where it is fixed.
func binarySize(t OID) int {
	switch t {
	case Bool, Int2, Int4, OIDType, Float4, Date, Int8, Float8, Timestamp, TimestampTZ, Time, TimeTZ, Interval, UUID, RegProc, RegClass, RegType, RegNamespace:
		return int(t.Size())
	}
	return 0
}

func b2i(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func errShortBinary() error {
	return pgerr.Newf(pgerr.ProtocolViolation, "insufficient data left in message")
}

func errBinary(format string, args ...any) error {
	return pgerr.Newf(pgerr.InvalidBinaryRepresent, format, args...)
}

// appendArrayBinary appends dimensions, a flag for NULLs, the element type,
// and each element with its length.
func appendArrayBinary(dst []byte, elem OID, p []byte) []byte {
	a := DecodeArray(elem, p)
	hasNull := uint32(0)
	for _, d := range a.Elems {
		if d.Null {
			hasNull = 1
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(a.Dims)))
	dst = binary.BigEndian.AppendUint32(dst, hasNull)
	dst = binary.BigEndian.AppendUint32(dst, uint32(elem))
	for _, d := range a.Dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Len))
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Lower))
	}
	var buf []byte
	for _, d := range a.Elems {
		if d.Null {
			dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32)
			continue
		}
		buf = AppendDatum(buf[:0], elem, d)
		s, _ := next(buf, 0)
		length := len(dst)
		dst = AppendBinary(append(dst, 0, 0, 0, 0), elem, buf[s.Off:])
		binary.BigEndian.PutUint32(dst[length:], uint32(len(dst)-length-4))
	}
	return dst
}

// arrayFromBinary gives the payload of an array in binary form.
func arrayFromBinary(elem Type, bin []byte) ([]byte, error) {
	word := func() (uint32, bool) {
		if len(bin) < 4 {
			return 0, false
		}
		v := binary.BigEndian.Uint32(bin)
		bin = bin[4:]
		return v, true
	}
	ndim, ok1 := word()
	flags, ok2 := word()
	oid, ok3 := word()
	switch {
	case !ok1 || !ok2 || !ok3:
		return nil, errShortBinary()
	case int32(ndim) < 0:
		return nil, errBinary("invalid number of dimensions: %d", int32(ndim))
	case ndim > maxArrayDims:
		return nil, pgerr.Newf(pgerr.ProgramLimitExceeded,
			"number of array dimensions (%d) exceeds the maximum allowed (%d)", ndim, maxArrayDims)
	case flags > 1:
		return nil, errBinary("invalid array flags")
	case OID(oid) != elem.OID:
		return nil, pgerr.Newf(pgerr.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			oid, OID(oid), elem.OID, elem.OID)
	}
	a := Array{Elem: elem.OID}
	n := int64(1)
	for range ndim {
		l, ok1 := word()
		lower, ok2 := word()
		if !ok1 || !ok2 {
			return nil, errShortBinary()
		}
		if n *= int64(int32(l)); int32(l) < 0 || n > maxArrayElems || int64(int32(lower))+int64(int32(l)) > math.MaxInt32 {
			return nil, pgerr.Newf(pgerr.ProgramLimitExceeded,
				"array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		a.Dims = append(a.Dims, ArrayDim{int32(l), int32(lower)})
	}
	if ndim == 0 || n == 0 {
		return []byte("{}"), nil
	}
	for range n {
		l, ok := word()
		if !ok {
			return nil, errShortBinary()
		}
		if l == math.MaxUint32 {
			a.Elems = append(a.Elems, NullDatum)
			continue
		}
		if uint64(l) > uint64(len(bin)) {
			return nil, errShortBinary()
		}
		row, err := AppendFromBinary(nil, elem, bin[:l])
		if err != nil {
			return nil, err
		}
		s, _ := next(row, 0)
		a.Elems = append(a.Elems, DecodeSpan(elem.OID, row, s))
		bin = bin[l:]
	}
	if len(bin) != 0 {
		return nil, errBinary("incorrect binary data format")
	}
	return AppendArray(nil, &a), nil
}
