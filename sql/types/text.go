package types

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Format is what of a session PostgreSQL's text depends on. Dates are ISO,
// MDY; intervals postgres; floats shortest; bytea hex.
type Format struct {
	TimeZone *time.Location // nil: UTC
	// Now is what 'now', 'today' and the like mean in input, as a timestamptz.
	// 0 refuses them with 0A000: what is stored or planned once must not depend on the clock.
	Now int64
	// Names knows what OIDs mean in the text of regclass and its kin; nil: they are numbers.
	Names Names
}

var utcFormat = Format{}

// AppendText appends PostgreSQL's output text of a payload.
func (f *Format) AppendText(dst []byte, t OID, p []byte) []byte {
	switch t {
	case Int4, Int8, Int2, OIDType:
		return strconv.AppendInt(dst, Decode(t, p).I, 10)
	case Text, VarChar, BPChar, Name, JSON, JSONB:
		return append(dst, p...)
	case RegProc, RegClass, RegType, RegNamespace:
		return f.appendRegText(dst, t, uint32(Decode(t, p).I))
	case Char:
		return appendCharText(dst, p)
	case Bool:
		if p[0] != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case Numeric:
		return AppendNumericText(dst, p)
	case Float8:
		return AppendFloat8Text(dst, Decode(t, p).Float())
	case Float4:
		return AppendFloat4Text(dst, float32(Decode(t, p).Float()))
	case Timestamp:
		return AppendTimestampText(dst, Decode(t, p).I)
	case TimestampTZ:
		return AppendTimestampTZText(dst, Decode(t, p).I, f.TimeZone)
	case Date:
		return AppendDateText(dst, int32(Decode(t, p).I))
	case Time:
		return AppendTimeText(dst, Decode(t, p).I)
	case TimeTZ:
		return AppendTimeTZText(dst, decodeTimeTZ(p))
	case Interval:
		return AppendIntervalText(dst, DecodeInterval(p))
	case UUID:
		return appendUUIDText(dst, p)
	case Bytea:
		return appendByteaText(dst, p)
	case TimestampTZArray:
		if f.TimeZone != nil && f.TimeZone != time.UTC {
			return f.appendArrayIn(dst, TimestampTZ, p)
		}
	}
	return append(dst, p...)
}

// DatumText gives PostgreSQL's output text of a datum that is not NULL.
func (f *Format) DatumText(t OID, d Datum) string {
	if !t.InI() {
		return string(f.AppendText(nil, t, d.B))
	}
	var buf [9]byte
	row := AppendDatum(buf[:0], t, d)
	return string(f.AppendText(nil, t, row[1:]))
}

// AppendFromText parses PostgreSQL's input text of a type and appends it as a
// value of a row. A modifier ≥ 0 is applied as an assignment would. Time
// zones default to UTC.
func AppendFromText(dst []byte, t Type, text []byte) ([]byte, error) {
	return utcFormat.AppendFromText(dst, t, text)
}

// ParseDatum parses PostgreSQL's input text of a type, in UTC.
func ParseDatum(t Type, text string) (Datum, error) { return utcFormat.ParseDatum(t, text) }

// ParseDatum parses PostgreSQL's input text of a type.
func (f *Format) ParseDatum(t Type, text string) (Datum, error) {
	row, err := f.AppendFromText(nil, t, []byte(text))
	if err != nil {
		return Datum{}, err
	}
	s, _ := next(row, 0)
	return DecodeSpan(t.OID, row, s), nil
}

// AppendFromText parses PostgreSQL's input text of a type and appends it as a
// value of a row. On an error dst is given back unchanged in length.
func (f *Format) AppendFromText(dst []byte, t Type, text []byte) ([]byte, error) {
	switch t.OID {
	case Int4:
		v, err := parseInt(t.OID, text)
		if err != nil {
			return dst, err
		}
		return AppendFixed4(dst, uint32(v)), nil
	case Int8:
		v, err := parseInt(t.OID, text)
		if err != nil {
			return dst, err
		}
		return AppendFixed8(dst, uint64(v)), nil
	case Int2:
		v, err := parseInt(t.OID, text)
		if err != nil {
			return dst, err
		}
		return append(dst, 4, byte(v), byte(v>>8)), nil
	case OIDType:
		v, err := parseOID(text)
		if err != nil {
			return dst, err
		}
		return AppendFixed4(dst, v), nil
	case RegProc, RegClass, RegType, RegNamespace:
		v, err := f.parseReg(t.OID, text)
		if err != nil {
			return dst, err
		}
		return AppendFixed4(dst, v), nil
	case Bool:
		v, err := parseBool(text)
		if err != nil {
			return dst, err
		}
		return AppendDatum(dst, Bool, DBool(v)), nil
	case Text, Unknown:
		if err := CheckUTF8(text); err != nil {
			return dst, err
		}
		return AppendValue(dst, text), nil
	case VarChar, BPChar, Name, Char:
		return appendTextMod(dst, t, text)
	case Float8:
		v, err := parseFloat(text, 64)
		if err != nil {
			return dst, err
		}
		return AppendDatum(dst, Float8, DFloat(v)), nil
	case Float4:
		v, err := parseFloat(text, 32)
		if err != nil {
			return dst, err
		}
		return AppendDatum(dst, Float4, DFloat(v)), nil
	case Date:
		v, err := f.parseDate(text)
		if err != nil {
			return dst, err
		}
		return AppendFixed4(dst, uint32(v)), nil
	case Timestamp:
		v, err := f.parseTimestamp(text, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendFixed8(dst, uint64(v)), nil
	case TimestampTZ:
		v, err := f.parseTimestampTZ(text, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendFixed8(dst, uint64(v)), nil
	case Time:
		v, err := f.parseTime(text, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendFixed8(dst, uint64(v)), nil
	case TimeTZ:
		v, err := f.parseTimeTZ(text, t.Mod)
		if err != nil {
			return dst, err
		}
		return appendTimeTZ(append(dst, 12+2), v), nil
	case Interval:
		v, err := parseInterval(text, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendInterval(append(dst, 16+2), v), nil
	case Numeric:
		return appendNumeric(dst, t.Mod, text)
	case UUID:
		return appendUUID(dst, text)
	}
	return f.appendVarlena(dst, t, text)
}

// appendNumeric parses a numeric into place.
func appendNumeric(dst []byte, mod int32, text []byte) ([]byte, error) {
	off := len(dst)
	dst, err := NumericParse(append(dst, 0), text)
	if err == nil && mod >= 4 {
		p := dst[off+1:]
		if dst, err = NumericApplyMod(dst, p, mod); err == nil {
			dst = append(dst[:off+1], dst[off+1+len(p):]...)
		}
	}
	n := len(dst) - off - 1
	switch {
	case err != nil:
		return dst[:off], err
	case n < 0x7e:
		dst[off] = byte(n + 2)
		return dst, nil
	}
	return AppendValue(dst[:off], bytes.Clone(dst[off+1:])), nil
}

// appendVarlena parses the types whose payloads have no fixed length.
func (f *Format) appendVarlena(dst []byte, t Type, text []byte) ([]byte, error) {
	var payload []byte
	var err error
	switch {
	case t.OID == Bytea:
		payload, err = parseBytea(payload, text)
	case t.OID == JSON:
		payload, err = text, checkJSON(text)
	case t.OID == JSONB:
		payload, err = JSONBFromText(payload, text)
	case t.OID.Elem() != 0:
		payload, err = f.parseArray(payload, Type{t.OID.Elem(), t.Mod}, text)
	default:
		payload, err = text, CheckUTF8(text)
	}
	if err != nil {
		return dst, err
	}
	return AppendValue(dst, payload), nil
}

// ApplyMod appends a payload as a value of a row after an assignment cast to
// the type's own modifier; explicit casts cut text that is too long, others
// refuse it (22001).
func ApplyMod(dst []byte, t Type, p []byte, explicit bool) ([]byte, error) {
	if t.Mod < 0 {
		return AppendValue(dst, p), nil
	}
	switch t.OID {
	case VarChar, BPChar:
		if n := utf8.RuneCount(p); explicit && n > int(t.Mod-4) {
			p = p[:runeOffset(p, int(t.Mod-4))]
		}
		return appendTextMod(dst, t, p)
	case Numeric:
		var buf [64]byte
		q, err := NumericApplyMod(buf[:0], p, t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendValue(dst, q), nil
	case Timestamp, TimestampTZ, Time:
		return AppendFixed8(dst, uint64(roundMicros(Decode(t.OID, p).I, t.Mod))), nil
	case TimeTZ:
		v := decodeTimeTZ(p)
		v.Micros = roundMicros(v.Micros, t.Mod)
		return appendTimeTZ(append(dst, 12+2), v), nil
	case Interval:
		v, err := DecodeInterval(p).applyMod(t.Mod)
		if err != nil {
			return dst, err
		}
		return AppendInterval(append(dst, 16+2), v), nil
	}
	if elem := t.OID.Elem(); elem != 0 {
		q, err := applyModArray(nil, Type{elem, t.Mod}, p, explicit)
		if err != nil {
			return dst, err
		}
		return AppendValue(dst, q), nil
	}
	return AppendValue(dst, p), nil
}

// nameLen is PostgreSQL's longest identifier, NAMEDATALEN − 1.
const nameLen = 63

// appendTextMod appends text as a value of varchar(n), char(n), name or
// "char".
func appendTextMod(dst []byte, t Type, text []byte) ([]byte, error) {
	if err := CheckUTF8(text); err != nil {
		return dst, err
	}
	switch t.OID {
	case Char:
		return appendChar(dst, text), nil
	case Name:
		if len(text) > nameLen {
			n := nameLen
			for !utf8.RuneStart(text[n]) {
				n--
			}
			text = text[:n]
		}
		return AppendValue(dst, text), nil
	}
	if t.Mod < 4 {
		return AppendValue(dst, text), nil
	}
	limit := int(t.Mod - 4)
	n := utf8.RuneCount(text)
	if n > limit {
		cut := runeOffset(text, limit)
		if len(bytes.TrimLeft(text[cut:], " ")) != 0 {
			return dst, pgerr.Newf(pgerr.StringDataRightTruncation, "value too long for type %s", t)
		}
		return AppendValue(dst, text[:cut]), nil
	}
	if t.OID == VarChar || n == limit {
		return AppendValue(dst, text), nil
	}
	dst = AppendHeader(dst, len(text)+limit-n)
	dst = append(dst, text...)
	for range limit - n {
		dst = append(dst, ' ')
	}
	return dst, nil
}

// appendChar appends a value of "char": the first byte, or the byte that a
// backslash and three octal digits stand for.
func appendChar(dst, text []byte) []byte {
	if len(text) == 4 && text[0] == '\\' && text[1]-'0' <= 3 && text[2]-'0' <= 7 && text[3]-'0' <= 7 {
		if c := (text[1]-'0')<<6 | (text[2]-'0')<<3 | (text[3] - '0'); c != 0 {
			return AppendValue(dst, []byte{c})
		}
		return AppendValue(dst, nil)
	}
	return AppendValue(dst, text[:min(len(text), 1)])
}

// appendCharText appends the output text of "char".
func appendCharText(dst, p []byte) []byte {
	if len(p) == 1 && p[0] >= 0x80 {
		c := p[0]
		return append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	}
	return append(dst, p...)
}

// runeOffset gives the offset of the n-th character.
func runeOffset(s []byte, n int) int {
	off := 0
	for range n {
		_, w := utf8.DecodeRune(s[off:])
		off += w
	}
	return off
}

// CheckUTF8 reports text that PostgreSQL's UTF8 encoding does not allow,
// 22021: ill-formed sequences and zero bytes.
func CheckUTF8(s []byte) error {
	if utf8.Valid(s) && bytes.IndexByte(s, 0) < 0 {
		return nil
	}
	i := 0
	for s[i] != 0 {
		r, w := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && w == 1 {
			break
		}
		i += w
	}
	bad := s[i : i+1]
	if c := s[i]; c >= 0xc0 {
		want := 2
		if c >= 0xf0 {
			want = 4
		} else if c >= 0xe0 {
			want = 3
		}
		bad = s[i:min(i+want, len(s))]
	}
	var buf []byte
	for j, c := range bad {
		if j > 0 {
			buf = append(buf, ' ')
		}
		buf = append(buf, '0', 'x', hexDigits[c>>4], hexDigits[c&15])
	}
	return pgerr.Newf(pgerr.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": %s`, buf)
}

func errSyntax(typ string, text []byte) error {
	return pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typ, text)
}
