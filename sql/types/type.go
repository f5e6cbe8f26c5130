// Package types holds what all other packages agree on: PostgreSQL's types,
// the packed encodings of rows and keys, and single values outside the hot
// path.
package types

// An OID is PostgreSQL's object identifier of a type (pg_type.oid).
type OID uint32

// The types we know by PostgreSQL's own OIDs. Any other type of a source is
// carried as Text.
const (
	Unknown      OID = 705 // an untyped literal; never the type of a column
	Bool         OID = 16
	Bytea        OID = 17
	Char         OID = 18 // "char", one byte
	Name         OID = 19
	Int8         OID = 20
	Int2         OID = 21
	Int4         OID = 23
	Text         OID = 25
	OIDType      OID = 26
	RegProc      OID = 24 // regproc to regnamespace: an OID with the text of what it means
	JSON         OID = 114
	Float4       OID = 700
	Float8       OID = 701
	BPChar       OID = 1042
	VarChar      OID = 1043
	Date         OID = 1082
	Time         OID = 1083
	Timestamp    OID = 1114
	TimestampTZ  OID = 1184
	Interval     OID = 1186
	TimeTZ       OID = 1266
	Numeric      OID = 1700
	UUID         OID = 2950
	JSONB        OID = 3802
	RegClass     OID = 2205
	RegType      OID = 2206
	RegNamespace OID = 4089
	Void         OID = 2278
	Record       OID = 2249
	AnyElement   OID = 2283 // only in function signatures
	Any          OID = 2276 // only in function signatures

	BoolArray        OID = 1000
	ByteaArray       OID = 1001
	NameArray        OID = 1003
	Int2Array        OID = 1005
	Int4Array        OID = 1007
	TextArray        OID = 1009
	CharArray        OID = 1002
	BPCharArray      OID = 1014
	VarCharArray     OID = 1015
	Int8Array        OID = 1016
	Float4Array      OID = 1021
	Float8Array      OID = 1022
	OIDArray         OID = 1028
	TimestampArray   OID = 1115
	DateArray        OID = 1182
	TimeArray        OID = 1183
	TimestampTZArray OID = 1185
	IntervalArray    OID = 1187
	NumericArray     OID = 1231
	TimeTZArray      OID = 1270
	JSONArray        OID = 199
	JSONBArray       OID = 3807
	UUIDArray        OID = 2951
)

// A Type is a PostgreSQL type with its modifier, comparable with ==.
type Type struct {
	OID OID
	// Mod is atttypmod: −1 for none; for varchar and char n+4; for numeric
	// ((precision << 16) | (scale & 0x7ff)) + 4; for time and timestamp types the precision.
	Mod int32
}

// T is a type without modifier.
func T(oid OID) Type { return Type{OID: oid, Mod: -1} }

// A Column is a named, typed column of a relation or a result.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
}

// A Schema is the list of columns of rows that share a shape.
type Schema []Column

// Types gives the columns' types.
func (s Schema) Types() []Type {
	ts := make([]Type, len(s))
	for i, c := range s {
		ts[i] = c.Type
	}
	return ts
}
