package debezium

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A fieldSchema is a Connect schema in the form of its JSON converter.
type fieldSchema struct {
	Type       string            `json:"type"`
	Fields     []*fieldSchema    `json:"fields,omitempty"`
	Items      *fieldSchema      `json:"items,omitempty"`
	Keys       *fieldSchema      `json:"keys,omitempty"`
	Values     *fieldSchema      `json:"values,omitempty"`
	Optional   bool              `json:"optional"`
	Default    any               `json:"default,omitempty"`
	Name       string            `json:"name,omitempty"`
	Version    int               `json:"version,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Field      string            `json:"field,omitempty"`
}

// A converter writes values of one type as JSON.
type converter struct {
	schema fieldSchema
	append func(dst, payload []byte) ([]byte, error)
}

func str(name string) fieldSchema {
	s := fieldSchema{Type: "string", Name: name}
	if name != "" {
		s.Version = 1
	}
	return s
}

func named(typ, name string) fieldSchema { return fieldSchema{Type: typ, Name: name, Version: 1} }

func integer(oid types.OID, plus, div int64) func(dst, p []byte) ([]byte, error) {
	return func(dst, p []byte) ([]byte, error) {
		return strconv.AppendInt(dst, floorDiv(types.Decode(oid, p).I+plus, div), 10), nil
	}
}

func floorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

const (
	epochDays   = 10957 // 1970-01-01 to 2000-01-01
	epochMicros = epochDays * 86400 * 1_000_000
)

// text writes PostgreSQL's text as a string.
func text(oid types.OID) func(dst, p []byte) ([]byte, error) {
	return func(dst, p []byte) ([]byte, error) {
		var f types.Format
		return append(dst, quote(string(f.AppendText(nil, oid, p)))...), nil
	}
}

// ofText makes a converter of a text that is carried as such.
func ofText(s fieldSchema, f func(text string) (string, error)) converter {
	return converter{s, func(dst, p []byte) ([]byte, error) {
		v, err := f(string(p))
		return append(dst, v...), err
	}}
}

// converterOf chooses how a column's values are written.
func (o *Options) converterOf(c cdc.Column) converter {
	oid, mod := c.Type.OID, c.Type.Mod
	if elem := oid.Elem(); elem != 0 {
		return o.arrayOf(c, elem)
	}
	switch oid {
	case types.Bool:
		return converter{fieldSchema{Type: "boolean"}, func(dst, p []byte) ([]byte, error) { return strconv.AppendBool(dst, p[0] != 0), nil }}
	case types.Int2:
		return converter{fieldSchema{Type: "int16"}, integer(oid, 0, 1)}
	case types.Int4:
		return converter{fieldSchema{Type: "int32"}, integer(oid, 0, 1)}
	case types.Int8, types.OIDType:
		return converter{fieldSchema{Type: "int64"}, integer(oid, 0, 1)}
	case types.Float4:
		return converter{fieldSchema{Type: "float"}, func(dst, p []byte) ([]byte, error) { return appendFloat(dst, types.Decode(oid, p).Float(), 32), nil }}
	case types.Float8:
		return converter{fieldSchema{Type: "double"}, func(dst, p []byte) ([]byte, error) { return appendFloat(dst, types.Decode(oid, p).Float(), 64), nil }}
	case types.Numeric:
		return o.decimal(mod)
	case types.Bytea:
		s := fieldSchema{Type: "string"}
		if o.BinaryMode == "bytes" {
			s.Type = "bytes"
		}
		return converter{s, func(dst, p []byte) ([]byte, error) { return append(dst, quote(o.binary(p))...), nil }}
	case types.UUID:
		return converter{str("io.debezium.data.Uuid"), text(oid)}
	case types.JSON, types.JSONB:
		return converter{str("io.debezium.data.Json"), text(oid)}
	case types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.TimeTZ, types.Interval:
		return o.temporal(oid, mod)
	case types.Text:
		if c.TypeOID != uint32(types.Text) {
			return o.carriedAsText(c)
		}
	}
	return converter{str(""), text(oid)}
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case v != v:
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e7 {
		return strconv.AppendFloat(dst, v, 'f', 1, bits)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

func (o *Options) binary(p []byte) string {
	switch o.BinaryMode {
	case "base64-url-safe":
		return base64.URLEncoding.EncodeToString(p)
	case "hex":
		return hex.EncodeToString(p)
	}
	return base64.StdEncoding.EncodeToString(p)
}

// temporal follows time.precision.mode.
func (o *Options) temporal(oid types.OID, mod int32) converter {
	connect := o.TimeMode == "connect"
	short := mod >= 0 && mod <= 3
	switch oid {
	case types.Date:
		name := "io.debezium.time.Date"
		if connect {
			name = "org.apache.kafka.connect.data.Date"
		}
		days := integer(oid, epochDays, 1)
		return converter{named("int32", name), func(dst, p []byte) ([]byte, error) {
			if v := types.Decode(oid, p).I; v == math.MaxInt32 || v == math.MinInt32 {
				return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "an infinite date has no Debezium form")
			}
			return days(dst, p)
		}}
	case types.Time:
		switch {
		case connect:
			return converter{named("int64", "org.apache.kafka.connect.data.Time"), integer(oid, 0, 1000)}
		case short && o.TimeMode == "adaptive":
			return converter{named("int32", "io.debezium.time.Time"), integer(oid, 0, 1000)}
		}
		return converter{named("int64", "io.debezium.time.MicroTime"), integer(oid, 0, 1)}
	case types.Timestamp:
		name, div := "io.debezium.time.MicroTimestamp", int64(1)
		if connect {
			name, div = "org.apache.kafka.connect.data.Timestamp", 1000
		} else if short {
			name, div = "io.debezium.time.Timestamp", 1000
		}
		return converter{named("int64", name), func(dst, p []byte) ([]byte, error) {
			switch v := types.Decode(oid, p).I; v {
			case math.MaxInt64:
				return strconv.AppendInt(dst, 9223372036825200000/div, 10), nil
			case math.MinInt64:
				return strconv.AppendInt(dst, -9223372036832400000/div, 10), nil
			default:
				return strconv.AppendInt(dst, floorDiv(v+epochMicros, div), 10), nil
			}
		}}
	case types.TimestampTZ:
		return converter{str("io.debezium.time.ZonedTimestamp"), func(dst, p []byte) ([]byte, error) {
			v := types.Decode(oid, p).I
			if v == math.MaxInt64 || v == math.MinInt64 {
				return text(oid)(dst, p)
			}
			v += epochMicros
			s := floorDiv(v, 1_000_000)
			return append(dst, quote(time.Unix(s, (v-s*1_000_000)*1000).UTC().Format(time.RFC3339Nano))...), nil
		}}
	case types.TimeTZ:
		return converter{str("io.debezium.time.ZonedTime"), func(dst, p []byte) ([]byte, error) {
			v := types.DecodeTimeTZ(p)
			const day = 86400 * 1_000_000
			us := ((v.Micros+int64(v.West)*1_000_000)%day + day) % day
			return append(dst, quote(time.UnixMicro(us).UTC().Format("15:04:05.999999Z"))...), nil
		}}
	}
	if o.IntervalMode == "string" {
		return converter{str("io.debezium.time.Interval"), func(dst, p []byte) ([]byte, error) {
			return append(dst, quote(isoInterval(types.DecodeInterval(p)))...), nil
		}}
	}
	return converter{named("int64", "io.debezium.time.MicroDuration"), func(dst, p []byte) ([]byte, error) {
		v := types.DecodeInterval(p)
		const month = 2_629_800_000_000 // 365.25/12 days
		return strconv.AppendInt(dst, int64(v.Months)*month+int64(v.Days)*86_400_000_000+v.Micros, 10), nil
	}}
}

// isoInterval writes P1Y2M3DT4H5M6.78S.
func isoInterval(v types.IntervalValue) string {
	s := v.Micros % 60_000_000
	sec := strconv.FormatFloat(math.Abs(float64(s))/1e6, 'f', -1, 64)
	if s < 0 {
		sec = "-" + sec
	}
	return fmt.Sprintf("P%dY%dM%dDT%dH%dM%sS", v.Months/12, v.Months%12, v.Days, v.Micros/3_600_000_000, v.Micros/60_000_000%60, sec)
}

// decimal follows decimal.handling.mode.
func (o *Options) decimal(mod int32) converter {
	special := func(p []byte) bool {
		return types.NumericIsNaN(p) || types.NumericIsInf(p, 1) || types.NumericIsInf(p, -1)
	}
	num := func(p []byte) string { return string(types.AppendNumericText(nil, p)) }
	switch o.DecimalMode {
	case "string":
		return converter{str(""), func(dst, p []byte) ([]byte, error) {
			if types.NumericIsNaN(p) {
				return append(dst, `"NAN"`...), nil
			}
			return append(dst, quote(num(p))...), nil
		}}
	case "double":
		return converter{fieldSchema{Type: "double"}, func(dst, p []byte) ([]byte, error) {
			v, err := types.NumericToFloat64(p)
			return appendFloat(dst, v, 64), err
		}}
	}
	unscaled := func(p []byte) (string, int, error) {
		if special(p) {
			return "", 0, pgerr.Newf(pgerr.NumericValueOutOfRange, "%s has no form with decimal.handling.mode = precise", num(p)).
				WithHint("Use decimal.handling.mode = string or double.")
		}
		n, _ := new(big.Int).SetString(strings.Replace(num(p), ".", "", 1), 10)
		return base64.StdEncoding.EncodeToString(twosComplement(n)), types.NumericScale(p), nil
	}
	if mod < 4 {
		s := named("struct", "io.debezium.data.VariableScaleDecimal")
		s.Fields = []*fieldSchema{{Type: "int32", Field: "scale"}, {Type: "bytes", Field: "value"}}
		return converter{s, func(dst, p []byte) ([]byte, error) {
			v, scale, err := unscaled(p)
			return fmt.Appendf(dst, `{"scale":%d,"value":"%s"}`, scale, v), err
		}}
	}
	scale := int((mod-4)&0x7ff^0x400) - 0x400
	return converter{o.connectDecimal(scale, int((mod-4)>>16)), func(dst, p []byte) ([]byte, error) {
		v, at, err := unscaled(p)
		if err == nil && at != max(scale, 0) || scale < 0 && err == nil {
			n, _ := new(big.Int).SetString(strings.Replace(num(p), ".", "", 1), 10)
			if d := scale - at; d >= 0 {
				n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d)), nil))
			} else {
				n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-d)), nil))
			}
			v = base64.StdEncoding.EncodeToString(twosComplement(n))
		}
		return append(dst, quote(v)...), err
	}}
}

func (o *Options) connectDecimal(scale, precision int) fieldSchema {
	s := named("bytes", "org.apache.kafka.connect.data.Decimal")
	s.Parameters = map[string]string{"scale": strconv.Itoa(scale)}
	if precision > 0 {
		s.Parameters["connect.decimal.precision"] = strconv.Itoa(precision)
	}
	return s
}

// twosComplement gives the shortest big-endian form, as Java's BigInteger does.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	size := new(big.Int).Not(n).BitLen()/8 + 1
	return new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size))).FillBytes(make([]byte, size))
}

// carriedAsText writes the types that a source carries as their text.
func (o *Options) carriedAsText(c cdc.Column) converter {
	name, _, _ := strings.Cut(c.TypeName, "(")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:] // hstore in another schema
	}
	switch name {
	case "money":
		return o.money()
	case "bit", "bit varying":
		n := 1<<31 - 1
		if at := strings.IndexByte(c.TypeName, '('); at >= 0 {
			n, _ = strconv.Atoi(strings.TrimRight(c.TypeName[at+1:], ")"))
		}
		if name == "bit" && n == 1 {
			return ofText(fieldSchema{Type: "boolean"}, func(s string) (string, error) { return strconv.FormatBool(s == "1"), nil })
		}
		schema := named("bytes", "io.debezium.data.Bits")
		schema.Parameters = map[string]string{"length": strconv.Itoa(n)}
		return ofText(schema, func(s string) (string, error) {
			b := make([]byte, (len(s)+7)/8)
			for i := range len(s) {
				if s[len(s)-1-i] == '1' {
					b[i/8] |= 1 << (i % 8)
				}
			}
			return string(quote(base64.StdEncoding.EncodeToString(b))), nil
		})
	case "xml":
		return converter{str("io.debezium.data.Xml"), text(types.Text)}
	case "ltree":
		return converter{str("io.debezium.data.Ltree"), text(types.Text)}
	case "point":
		s := named("struct", "io.debezium.data.geometry.Point")
		s.Fields = []*fieldSchema{{Type: "double", Field: "x"}, {Type: "double", Field: "y"}}
		return ofText(s, func(s string) (string, error) {
			x, y, ok := strings.Cut(strings.Trim(s, "()"), ",")
			fx, err1 := strconv.ParseFloat(x, 64)
			fy, err2 := strconv.ParseFloat(y, 64)
			if !ok || err1 != nil || err2 != nil {
				return "", pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type point: %q", s)
			}
			return fmt.Sprintf(`{"x":%s,"y":%s}`, appendFloat(nil, fx, 64), appendFloat(nil, fy, 64)), nil
		})
	case "hstore":
		if o.HstoreMode == "map" {
			s := fieldSchema{Type: "map", Keys: &fieldSchema{Type: "string"}, Values: &fieldSchema{Type: "string", Optional: true}}
			return ofText(s, hstoreJSON)
		}
		return ofText(str("io.debezium.data.Json"), func(s string) (string, error) {
			j, err := hstoreJSON(s)
			return string(quote(j)), err
		})
	}
	return converter{str(""), text(types.Text)}
}

// money reads the digits; its fraction has two.
func (o *Options) money() converter {
	const fraction = 2
	parse := func(s string) *big.Int {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
		n, _ := new(big.Int).SetString("0"+digits, 10)
		if strings.ContainsAny(s, "-(") {
			n.Neg(n)
		}
		return n
	}
	decimalText := func(s string) string { return new(big.Rat).SetFrac(parse(s), big.NewInt(100)).FloatString(fraction) }
	switch o.DecimalMode {
	case "string":
		return ofText(str(""), func(s string) (string, error) { return string(quote(decimalText(s))), nil })
	case "double":
		return ofText(fieldSchema{Type: "double"}, func(s string) (string, error) {
			v, err := strconv.ParseFloat(decimalText(s), 64)
			return string(appendFloat(nil, v, 64)), err
		})
	}
	return ofText(o.connectDecimal(fraction, 0), func(s string) (string, error) {
		return string(quote(base64.StdEncoding.EncodeToString(twosComplement(parse(s))))), nil
	})
}

// hstoreJSON makes an object of hstore's text: "key"=>"value", "key"=>NULL.
func hstoreJSON(s string) (string, error) {
	var f Fields
	bad := pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type hstore")
	word := func() (string, bool) {
		if !strings.HasPrefix(s, `"`) {
			return "", false
		}
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				if i++; i < len(s) {
					b.WriteByte(s[i])
				}
			case '"':
				s = s[i+1:]
				return b.String(), true
			default:
				b.WriteByte(s[i])
			}
		}
		return "", false
	}
	for s != "" {
		key, ok := word()
		if !ok || !strings.HasPrefix(s, "=>") {
			return "", bad
		}
		if s = s[2:]; strings.HasPrefix(s, "NULL") {
			f.add(key, []byte("null"))
			s = s[4:]
		} else if v, ok := word(); ok {
			f.add(key, quote(v))
		} else {
			return "", bad
		}
		s = strings.TrimPrefix(s, ", ")
	}
	j, err := json.Marshal(&f)
	return string(j), err
}

// arrayOf writes arrays; those of more dimensions as arrays of arrays.
func (o *Options) arrayOf(c cdc.Column, elem types.OID) converter {
	of := o.converterOf(cdc.Column{Name: c.Name, Type: types.Type{OID: elem, Mod: c.Type.Mod}, TypeOID: uint32(elem), TypeMod: c.TypeMod})
	items := of.schema
	items.Optional = true
	var dim func(dst []byte, a *types.Array, depth int, rest *[]types.Datum) ([]byte, error)
	dim = func(dst []byte, a *types.Array, depth int, rest *[]types.Datum) (_ []byte, err error) {
		dst = append(dst, '[')
		for i := range int(a.Dims[depth].Len) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if depth+1 < len(a.Dims) {
				dst, err = dim(dst, a, depth+1, rest)
			} else if d := (*rest)[0]; d.Null {
				dst, *rest = append(dst, "null"...), (*rest)[1:]
			} else {
				p, _ := types.Row(types.AppendDatum(nil, elem, d)).Value(0)
				dst, err = of.append(dst, p)
				*rest = (*rest)[1:]
			}
			if err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	return converter{fieldSchema{Type: "array", Items: &items}, func(dst, p []byte) ([]byte, error) {
		a := types.DecodeArray(elem, p)
		if len(a.Dims) == 0 {
			return append(dst, "[]"...), nil
		}
		rest := a.Elems
		return dim(dst, a, 0, &rest)
	}}
}
