package eval

import (
	"math"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// castFuncs are the functions behind casts.
var castFuncs = func() map[string]impl {
	m := map[string]impl{
		"bool(int4)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DBool(a.I != 0), nil }),
		"int4(bool)": fn1(same),
		"int4(char)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			if len(a.B) == 0 {
				return types.Datum{}, nil
			}
			return types.DInt(int64(int8(a.B[0]))), nil
		}),
		"char(int4)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			if a.I < math.MinInt8 || a.I > math.MaxInt8 {
				return a, pgerr.Newf(pgerr.NumericValueOutOfRange, "\"char\" out of range")
			}
			if a.I == 0 {
				return f.keep(f.out()), nil
			}
			return f.keep(append(f.out(), byte(a.I))), nil
		}),
		"char(text)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return types.Datum{B: a.B[:min(len(a.B), 1)]}, nil
		}),
		"oid(int4)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DInt(int64(uint32(a.I))), nil }),
		"oid(int2)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DInt(int64(uint32(a.I))), nil }),
		"int4(oid)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DInt(int64(int32(a.I))), nil }),
		"int8(oid)": fn1(same),
		"oid(int8)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			if a.I < 0 || a.I > math.MaxUint32 {
				return a, pgerr.Newf(pgerr.NumericValueOutOfRange, "OID out of range")
			}
			return a, nil
		}),
		"int4(int2)": fn1(same), "int8(int2)": fn1(same), "int8(int4)": fn1(same), "float8(float4)": fn1(same),
		"int2(int4)": narrowInt(types.Int2), "int2(int8)": narrowInt(types.Int2), "int4(int8)": narrowInt(types.Int4),
		"float4(float8)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			x := a.Float()
			return checkFloat(float64(float32(x)), math.IsInf(x, 0), x == 0)
		}),
		"text(bool)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			if a.I != 0 {
				return types.Datum{B: textTrue}, nil
			}
			return types.Datum{B: textFalse}, nil
		}),
		"text(bpchar)": fn1(trimBlanks), "text(char)": fn1(same), "text(name)": fn1(same),
		"bpchar(char)": fn1(same), "bpchar(name)": fn1(same), "varchar(name)": fn1(same),
		"name(text)": fn1(truncateName), "name(varchar)": fn1(truncateName), "name(bpchar)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			a, _ = trimBlanks(f, a)
			return truncateName(f, a)
		}),
	}
	for _, from := range []types.OID{types.Int2, types.Int4, types.Int8} {
		n := from.Name()
		m["float8("+n+")"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DFloat(float64(a.I)), nil })
		m["float4("+n+")"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			return types.DFloat(float64(float32(a.I))), nil
		})
		m["numeric("+n+")"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return f.keep(types.NumericFromInt64(f.out(), a.I)), nil
		})
		m[n+"(float4)"] = floatToInt(from)
		m[n+"(float8)"] = floatToInt(from)
		m[n+"(numeric)"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			v, err := types.NumericToInt(from, a.B)
			return types.DInt(v), err
		})
	}
	m["numeric(float4)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(types.NumericFromFloat32(f.out(), float32(a.Float()))), nil
	})
	m["numeric(float8)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(types.NumericFromFloat64(f.out(), a.Float())), nil
	})
	m["float8(numeric)"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		v, err := types.NumericToFloat64(a.B)
		return types.DFloat(v), err
	})
	m["float4(numeric)"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		v, err := types.NumericToFloat32(a.B)
		return types.DFloat(float64(v)), err
	})
	for _, id := range []string{
		"varchar(varchar,int4,bool)", "bpchar(bpchar,int4,bool)", "numeric(numeric,int4)", "time(time,int4)", "timetz(timetz,int4)",
		"timestamp(timestamp,int4)", "timestamptz(timestamptz,int4)", "interval(interval,int4)",
	} {
		m[id] = builder(lengthCast)
	}
	return m
}()

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

func narrowInt(t types.OID) fn1 {
	check := intResult(t)
	return func(_ *Frame, a types.Datum) (types.Datum, error) { return check(a.I) }
}

// floatToInt rounds half to even.
func floatToInt(t types.OID) fn1 {
	lo, hi := intRange(t)
	overflow := types.ErrOutOfRange(t)
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		x := math.RoundToEven(a.Float())
		if !(x >= float64(lo) && x < -float64(lo)) || int64(x) > hi {
			return a, overflow
		}
		return types.DInt(int64(x)), nil
	}
}

func trimBlanks(_ *Frame, a types.Datum) (types.Datum, error) {
	n := len(a.B)
	for n > 0 && a.B[n-1] == ' ' {
		n--
	}
	return types.Datum{B: a.B[:n]}, nil
}

// truncateName cuts at PostgreSQL's 63 bytes, between characters.
func truncateName(_ *Frame, a types.Datum) (types.Datum, error) {
	if len(a.B) <= 63 {
		return a, nil
	}
	n := 63
	for n > 0 && a.B[n]&0xc0 == 0x80 {
		n--
	}
	return types.Datum{B: a.B[:n]}, nil
}

// ioCast converts through the text of a value.
func ioCast(from types.OID, to types.Type) impl {
	to.Mod = -1
	if scalar.Category(to.OID) == 'S' {
		return fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			d := f.keep(f.appendText(f.out(), from, a))
			if to.OID == types.Name {
				return truncateName(f, d)
			}
			return d, nil
		})
	}
	return fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		value, err := f.format.AppendFromText(f.out(), to, a.B)
		if err != nil {
			return types.Datum{}, err
		}
		return f.keepValue(to.OID, value), nil
	})
}

// keepValue makes a datum of a value with its header that was appended to out.
func (f *Frame) keepValue(t types.OID, value []byte) types.Datum {
	p, ok := types.Row(value).Value(0)
	if !ok {
		return types.NullDatum
	}
	if t.InI() {
		return types.Decode(t, p)
	}
	f.keep(value)
	return types.Datum{B: p}
}

// lengthCast applies a type's modifier, the second argument; a third says that the cast is explicit.
func lengthCast(c *compiler, call *scalar.Call) (impl, error) {
	t := call.Fn.Ret
	apply := func(f *Frame, a types.Datum, mod int32, explicit bool) (types.Datum, error) {
		if mod < 0 {
			return a, nil
		}
		p := a.B
		var scratch [16]byte
		if t.InI() {
			p = types.AppendDatum(scratch[:0], t, a)[1:]
		}
		value, err := types.ApplyMod(f.out(), types.Type{OID: t, Mod: mod}, p, explicit)
		if err != nil {
			return types.Datum{}, err
		}
		return f.keepValue(t, value), nil
	}
	if len(call.Args) == 2 {
		return fn2(func(f *Frame, a, mod types.Datum) (types.Datum, error) { return apply(f, a, int32(mod.I), true) }), nil
	}
	return fn3(func(f *Frame, a, mod, explicit types.Datum) (types.Datum, error) {
		return apply(f, a, int32(mod.I), explicit.I != 0)
	}), nil
}
