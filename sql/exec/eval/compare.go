package eval

import (
	"bytes"
	"math"
	"slices"
	"time"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A verdict says for which outcomes of a comparison (−1, 0, 1; index +1) an operator is true.
type verdict [3]int64

var verdicts = map[string]verdict{
	"=": {0, 1, 0}, "<>": {1, 0, 1}, "<": {1, 0, 0}, "<=": {1, 1, 0}, ">": {0, 0, 1}, ">=": {0, 1, 1},
}

// comparison compiles =, <>, <, <=, > and >=.
func (c *compiler) comparison(e *scalar.Call, v verdict) (impl, error) {
	lt, rt := e.Args[0].Type().OID, e.Args[1].Type().OID
	if k, ok := constArg(e, 1); ok {
		if col, isCol := e.Args[0].(*scalar.Column); isCol {
			if fn := columnConst(col.Index, lt, rt, k, v); fn != nil {
				return fn, nil
			}
		}
	}
	if integral(lt, rt) {
		return fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			return types.Datum{I: v[compareInt(a.I, b.I)+1]}, nil
		}), nil
	}
	cmp := comparer(lt, rt)
	if stringy(lt) && stringy(rt) && v == verdicts["="] {
		return fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			return types.DBool(bytes.Equal(a.B, b.B)), nil
		}), nil
	}
	return fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return types.Datum{I: v[cmp(f, a, b)+1]}, nil
	}), nil
}

// columnConst is a comparison of a column with a constant that reads the
// column's bytes in place; nil where there is none for the types.
func columnConst(i int, lt, rt types.OID, k types.Datum, v verdict) evalFn {
	switch {
	case integral(lt, rt) && (lt == types.Int4 || lt == types.Date):
		return func(f *Frame) (types.Datum, error) {
			s := f.span(i)
			if s.Len < 0 {
				return types.NullDatum, nil
			}
			p := f.row[s.Off : s.Off+4]
			x := int64(int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24))
			return types.Datum{I: v[compareInt(x, k.I)+1]}, nil
		}
	case integral(lt, rt):
		return func(f *Frame) (types.Datum, error) {
			d := types.DecodeSpan(lt, f.row, f.span(i))
			if d.Null {
				return d, nil
			}
			return types.Datum{I: v[compareInt(d.I, k.I)+1]}, nil
		}
	case stringy(lt) && stringy(rt):
		return func(f *Frame) (types.Datum, error) {
			s := f.span(i)
			if s.Len < 0 {
				return types.NullDatum, nil
			}
			return types.Datum{I: v[bytes.Compare(f.row[s.Off:s.Off+s.Len], k.B)+1]}, nil
		}
	case lt == types.Numeric && rt == types.Numeric:
		return func(f *Frame) (types.Datum, error) {
			s := f.span(i)
			if s.Len < 0 {
				return types.NullDatum, nil
			}
			return types.Datum{I: v[types.NumericCmp(f.row[s.Off:s.Off+s.Len], k.B)+1]}, nil
		}
	}
	return nil
}

// integral says that two types compare as the integers in their datums.
func integral(l, r types.OID) bool {
	switch l {
	case types.Int2, types.Int4, types.Int8:
		return r == types.Int2 || r == types.Int4 || r == types.Int8
	case types.Bool, types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.OIDType:
		return l == r
	}
	return false
}

// stringy says that a type compares by its bytes.
func stringy(t types.OID) bool {
	switch t {
	case types.Text, types.VarChar, types.Name, types.Bytea, types.UUID:
		return true
	}
	return false
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// comparer gives the order of two values of possibly different types.
func comparer(l, r types.OID) func(f *Frame, a, b types.Datum) int {
	switch {
	case integral(l, r):
		return func(_ *Frame, a, b types.Datum) int { return compareInt(a.I, b.I) }
	case isFloat(l) && isFloat(r):
		return func(_ *Frame, a, b types.Datum) int { return types.CompareFloat(a.Float(), b.Float()) }
	case stringy(l) && stringy(r):
		return func(_ *Frame, a, b types.Datum) int { return bytes.Compare(a.B, b.B) }
	case l != r && l != types.BPChar:
		return func(f *Frame, a, b types.Datum) int {
			x, y := f.instant(l, a), f.instant(r, b)
			if x >= endTimestamp || y >= endTimestamp { // beyond any zone's reach
				return compareInt(x, y)
			}
			if (l == types.TimestampTZ) != (r == types.TimestampTZ) {
				if l == types.TimestampTZ {
					y = f.toUTC(y)
				} else {
					x = f.toUTC(x)
				}
			}
			return compareInt(x, y)
		}
	}
	return func(_ *Frame, a, b types.Datum) int { return types.Compare(l, a, b) }
}

// instant widens a date to µs; dates beyond the range of timestamps become the infinities.
func (f *Frame) instant(t types.OID, d types.Datum) int64 {
	if t != types.Date {
		return d.I
	}
	switch {
	case d.I > math.MaxInt64/usecsPerDay:
		if d.I != types.DateInfinity {
			return math.MaxInt64 - 1
		}
		return math.MaxInt64
	case d.I < math.MinInt64/usecsPerDay:
		return math.MinInt64
	}
	return d.I * usecsPerDay
}

// toUTC reads µs of local time in the session's zone.
func (f *Frame) toUTC(us int64) int64 { return localToUTC(us, f.zone()) }

func (f *Frame) zone() *time.Location {
	if f.ctx.TimeZone == nil {
		return time.UTC
	}
	return f.ctx.TimeZone
}

func isFloat(t types.OID) bool { return t == types.Float4 || t == types.Float8 }

// inList compiles x IN (constants): a hash of keys, or a search among integers.
func (c *compiler) inList(e *scalar.InList) (evalFn, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	t := e.X.Type().OID
	miss := types.Datum{I: types.DBool(e.Neg).I, Null: e.HasNull}
	hit := types.DBool(!e.Neg)
	answer := func(found bool) types.Datum {
		if found {
			return hit
		}
		return miss
	}
	if integral(t, t) {
		sorted := make([]int64, len(e.List))
		for i, d := range e.List {
			sorted[i] = d.I
		}
		slices.Sort(sorted)
		return func(f *Frame) (types.Datum, error) {
			d, err := x(f)
			if err != nil || d.Null {
				return d, err
			}
			_, found := slices.BinarySearch(sorted, d.I)
			return answer(found), nil
		}, nil
	}
	keys := make(map[string]struct{}, len(e.List))
	for _, d := range e.List {
		keys[string(types.AppendKeyDatum(nil, t, d))] = struct{}{}
	}
	return func(f *Frame) (types.Datum, error) {
		d, err := x(f)
		if err != nil || d.Null {
			return d, err
		}
		key := types.AppendKeyDatum(f.out(), t, d)
		_, found := keys[string(key)]
		return answer(found), nil
	}, nil
}
