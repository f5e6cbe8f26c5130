package types

import (
	"strconv"
	"strings"
)

// A typeInfo is what the catalog says of a type.
type typeInfo struct {
	oid, array OID
	name       string // pg_type.typname
	sql        string // format_type()'s spelling where it differs from name
	size       int16  // pg_type.typlen
}

var typeInfos = []typeInfo{
	{Bool, BoolArray, "bool", "boolean", 1},
	{Bytea, ByteaArray, "bytea", "", -1},
	{Char, CharArray, "char", `"char"`, 1},
	{Name, NameArray, "name", "", 64},
	{Int8, Int8Array, "int8", "bigint", 8},
	{Int2, Int2Array, "int2", "smallint", 2},
	{Int4, Int4Array, "int4", "integer", 4},
	{Text, TextArray, "text", "", -1},
	{OIDType, OIDArray, "oid", "", 4},
	{JSON, JSONArray, "json", "", -1},
	{Float4, Float4Array, "float4", "real", 4},
	{Float8, Float8Array, "float8", "double precision", 8},
	{Unknown, 0, "unknown", "", -2},
	{BPChar, BPCharArray, "bpchar", "character", -1},
	{VarChar, VarCharArray, "varchar", "character varying", -1},
	{Date, DateArray, "date", "", 4},
	{Time, TimeArray, "time", "time without time zone", 8},
	{Timestamp, TimestampArray, "timestamp", "timestamp without time zone", 8},
	{TimestampTZ, TimestampTZArray, "timestamptz", "timestamp with time zone", 8},
	{Interval, IntervalArray, "interval", "", 16},
	{TimeTZ, TimeTZArray, "timetz", "time with time zone", 12},
	{Numeric, NumericArray, "numeric", "", -1},
	{UUID, UUIDArray, "uuid", "", 16},
	{JSONB, JSONBArray, "jsonb", "", -1},
	{RegProc, 0, "regproc", "", 4},
	{RegClass, 0, "regclass", "", 4},
	{RegType, 0, "regtype", "", 4},
	{RegNamespace, 0, "regnamespace", "", 4},
	{Void, 0, "void", "", 4},
	{Record, 0, "record", "", -1},
	{AnyElement, 0, "anyelement", "", 4},
	{Any, 0, "any", `"any"`, 4},
}

// typeIndex maps every small OID that we know to its place in typeInfos + 1;
// arrays map to their element's place, negated.
var typeIndex = func() (idx [4096]int8) {
	for i, t := range typeInfos {
		idx[t.oid] = int8(i + 1)
		if t.array != 0 {
			idx[t.array] = -int8(i + 1)
		}
	}
	return idx
}()

func (t OID) info() (info *typeInfo, array bool) {
	if t >= OID(len(typeIndex)) || typeIndex[t] == 0 {
		return nil, false
	}
	if i := typeIndex[t]; i > 0 {
		return &typeInfos[i-1], false
	} else {
		return &typeInfos[-i-1], true
	}
}

// typeNames maps lower-case spellings to types: catalog names, format_type()'s
// spellings, and the SQL standard's.
var typeNames = func() map[string]OID {
	m := map[string]OID{
		"int": Int4, "dec": Numeric, "decimal": Numeric, "float": Float8,
		"char varying": VarChar, "national character": BPChar, "nchar": BPChar,
	}
	for _, t := range typeInfos {
		m[t.name] = t.oid
		if t.sql != "" {
			m[t.sql] = t.oid
		}
		if t.array != 0 {
			m["_"+t.name] = t.array
		}
	}
	return m
}()

// OIDByName finds a type by its catalog name (int4, bpchar, _text), its SQL
// spelling (integer, double precision), or either with [] behind it. The name
// is in lower case; char alone is the catalog's one-byte "char".
func OIDByName(name string) (OID, bool) {
	name = strings.TrimPrefix(name, "pg_catalog.")
	if elem, ok := strings.CutSuffix(name, "[]"); ok {
		for strings.HasSuffix(elem, "[]") {
			elem = elem[:len(elem)-2]
		}
		t, ok := typeNames[elem]
		if !ok {
			return 0, false
		}
		t = t.Array()
		return t, t != 0
	}
	t, ok := typeNames[name]
	return t, ok
}

// Known reports whether we know the type; a column of another type is
// carried as Text.
func (t OID) Known() bool {
	info, _ := t.info()
	return info != nil
}

// Array gives the array type with elements of type t, 0 if there is none.
func (t OID) Array() OID {
	if info, array := t.info(); info != nil && !array {
		return info.array
	}
	return 0
}

// Elem gives the element type of an array type, 0 for all others.
func (t OID) Elem() OID {
	if info, array := t.info(); array {
		return info.oid
	}
	return 0
}

// Name gives pg_type.typname: int4, _text.
func (t OID) Name() string {
	info, array := t.info()
	switch {
	case info == nil:
		return "text"
	case array:
		return "_" + info.name
	}
	return info.name
}

// Size gives pg_type.typlen: a positive length, −1 for varlena, −2 for
// C strings.
func (t OID) Size() int16 {
	info, array := t.info()
	if info == nil || array {
		return -1
	}
	return info.size
}

// String gives format_type()'s spelling of the type.
func (t OID) String() string { return T(t).String() }

// String gives format_type()'s spelling, such as numeric(10,2) or
// character varying(5)[].
func (t Type) String() string {
	info, array := t.OID.info()
	if info == nil {
		return "text"
	}
	if array {
		return Type{info.oid, t.Mod}.String() + "[]"
	}
	name := info.sql
	if name == "" {
		name = info.name
	}
	if t.OID == BPChar && t.Mod < 0 {
		return "bpchar"
	}
	if t.Mod < 0 {
		return name
	}
	switch t.OID {
	case VarChar, BPChar:
		if t.Mod > 4 {
			return name + "(" + strconv.Itoa(int(t.Mod-4)) + ")"
		}
	case Numeric:
		if t.Mod >= 4 {
			p, s := numericMod(t.Mod)
			return "numeric(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"
		}
	case Time, TimeTZ, Timestamp, TimestampTZ:
		word, rest, _ := strings.Cut(name, " ")
		return word + "(" + strconv.Itoa(int(t.Mod)) + ") " + rest
	case Interval:
		return name + intervalModString(t.Mod)
	}
	return name
}

// NumericMod packs numeric(precision, scale) into a type modifier.
func NumericMod(precision, scale int) int32 {
	return int32(precision<<16|scale&0x7ff) + 4
}

// numericMod unpacks it.
func numericMod(mod int32) (precision, scale int) {
	return int((mod - 4) >> 16 & 0xffff), int(((mod-4)&0x7ff)^1024) - 1024
}

// Fields of an interval type's modifier, as bits of PostgreSQL's masks.
const (
	intervalMonth  = 1 << 1
	intervalYear   = 1 << 2
	intervalDay    = 1 << 3
	intervalHour   = 1 << 10
	intervalMinute = 1 << 11
	intervalSecond = 1 << 12

	intervalFull          = 0x7fff
	intervalFullPrecision = 0xffff
)

var intervalRanges = []struct {
	mask int32
	text string
}{
	{intervalYear, "year"},
	{intervalMonth, "month"},
	{intervalDay, "day"},
	{intervalHour, "hour"},
	{intervalMinute, "minute"},
	{intervalSecond, "second"},
	{intervalYear | intervalMonth, "year to month"},
	{intervalDay | intervalHour, "day to hour"},
	{intervalDay | intervalHour | intervalMinute, "day to minute"},
	{intervalDay | intervalHour | intervalMinute | intervalSecond, "day to second"},
	{intervalHour | intervalMinute, "hour to minute"},
	{intervalHour | intervalMinute | intervalSecond, "hour to second"},
	{intervalMinute | intervalSecond, "minute to second"},
}

// IntervalMod packs an interval's fields ("day to second", "" for all) and
// its precision (−1 for none) into a type modifier.
func IntervalMod(fields string, precision int) (int32, bool) {
	mask, prec := int32(intervalFull), int32(intervalFullPrecision)
	if precision >= 0 {
		prec = int32(precision)
	}
	if fields == "" {
		if precision < 0 {
			return -1, true
		}
		return mask<<16 | prec, true
	}
	for _, r := range intervalRanges {
		if r.text == fields {
			return r.mask<<16 | prec, true
		}
	}
	return 0, false
}

func intervalModString(mod int32) string {
	var s string
	for _, r := range intervalRanges {
		if r.mask == mod>>16&intervalFull {
			s = " " + r.text
		}
	}
	if prec := mod & 0xffff; prec != intervalFullPrecision {
		s += "(" + strconv.Itoa(int(prec)) + ")"
	}
	return s
}
