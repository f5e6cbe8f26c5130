package op

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

// newAggregate makes the i-th aggregate of a Reduce over rows of types in.
func newAggregate(i int, spec physical.Agg, in []types.Type, open Open) (aggregate, error) {
	a := aggregate{arg: spec.Arg, filter: spec.Filter}
	var arg types.OID
	if spec.Arg >= 0 {
		arg = in[spec.Arg].OID
	}
	extreme := spec.Fn.Name == "min" || spec.Fn.Name == "max"
	if extreme {
		part, err := open("values" + strconv.Itoa(i))
		if err != nil {
			return a, err
		}
		a.values = &valueIndex{index: index{cur: reader{rows: part}}, ts: in[spec.Arg : spec.Arg+1], tells: types.KeyTells(arg), greatest: spec.Fn.Name == "max"}
		a.acc = a.values
		return a, nil
	}
	a.acc = newAccumulator(spec.Fn.Name, arg, spec.Typ.OID)
	if a.acc == nil {
		return a, pgerr.Unsupported(0, "aggregate %s", spec.Fn.ID)
	}
	if spec.Distinct && !idempotent(spec.Fn.Name) {
		part, err := open("distinct" + strconv.Itoa(i))
		if err != nil {
			return a, err
		}
		a.distinct = &distinctIndex{index: index{cur: reader{rows: part}}, oid: arg}
	}
	return a, nil
}

// idempotent reports whether repetitions of a value make no difference.
func idempotent(name string) bool {
	switch name {
	case "bool_and", "bool_or", "every", "bit_and", "bit_or":
		return true
	}
	return false
}

// newAccumulator gives the accumulator of an aggregate, nil if there is none.
func newAccumulator(name string, arg, ret types.OID) accumulator {
	switch name {
	case "count":
		return new(countAcc)
	case "bool_and", "every":
		return &boolAcc{}
	case "bool_or":
		return &boolAcc{or: true}
	case "bit_and", "bit_or":
		return newBitAcc(name == "bit_or", ret)
	case "sum", "avg":
		switch arg {
		case types.Int2, types.Int4, types.Int8:
			return &intAcc{arg: arg, ret: ret, avg: name == "avg"}
		case types.Numeric:
			return &numericAcc{avg: name == "avg"}
		case types.Float4, types.Float8:
			return &floatAcc{arg: arg, ret: ret, avg: name == "avg"}
		case types.Interval:
			return &intervalAcc{avg: name == "avg"}
		}
	case "variance", "var_samp", "var_pop", "stddev", "stddev_samp", "stddev_pop":
		kind := spread{root: name[0] == 's', sample: name != "var_pop" && name != "stddev_pop"}
		switch arg {
		case types.Int2, types.Int4, types.Int8, types.Numeric:
			return &numericSpread{spread: kind, arg: arg}
		case types.Float4, types.Float8:
			return &floatSpread{spread: kind, arg: arg}
		}
	}
	return nil
}

// A countAcc is count(*) and count(x). State: the count.
type countAcc struct{ n int64 }

func (a *countAcc) reset()                 { a.n = 0 }
func (a *countAcc) load(s []byte)          { a.n, _ = binary.Varint(s) }
func (a *countAcc) save(dst []byte) []byte { return binary.AppendVarint(dst, a.n) }
func (a *countAcc) add(_ []byte, w int64)  { a.n += w }
func (a *countAcc) result(dst []byte) ([]byte, error) {
	return types.AppendFixed8(dst, uint64(a.n)), nil
}

// A boolAcc is bool_and or bool_or. State: how many are true, how many false.
type boolAcc struct {
	or bool
	n  [2]int64
}

func (a *boolAcc) reset() { a.n = [2]int64{} }

func (a *boolAcc) load(s []byte) {
	var k int
	a.n[0], k = binary.Varint(s)
	a.n[1], _ = binary.Varint(s[k:])
}

func (a *boolAcc) save(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, a.n[0]), a.n[1])
}

func (a *boolAcc) add(payload []byte, w int64) { a.n[payload[0]] += w }

func (a *boolAcc) result(dst []byte) ([]byte, error) {
	switch {
	case a.n[0]+a.n[1] == 0:
		return types.AppendNull(dst), nil
	case a.or:
		return types.AppendDatum(dst, types.Bool, types.DBool(a.n[1] > 0)), nil
	}
	return types.AppendDatum(dst, types.Bool, types.DBool(a.n[0] == 0)), nil
}

// A bitAcc is bit_and or bit_or. State: the number of values and, for each
// bit, of those in which it is set.
type bitAcc struct {
	or  bool
	typ types.OID
	n   int64
	set []int64
}

func newBitAcc(or bool, t types.OID) *bitAcc {
	return &bitAcc{or: or, typ: t, set: make([]int64, 8*t.Size())}
}

func (a *bitAcc) reset() {
	a.n = 0
	clear(a.set)
}

func (a *bitAcc) load(s []byte) {
	n, k := binary.Varint(s)
	a.n = n
	for i := range a.set {
		s = s[k:]
		a.set[i], k = binary.Varint(s)
	}
}

func (a *bitAcc) save(dst []byte) []byte {
	dst = binary.AppendVarint(dst, a.n)
	for _, n := range a.set {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

func (a *bitAcc) add(payload []byte, w int64) {
	a.n += w
	for v := uint64(types.Decode(a.typ, payload).I); v != 0; v &= v - 1 {
		if b := bits.TrailingZeros64(v); b < len(a.set) {
			a.set[b] += w
		}
	}
}

func (a *bitAcc) result(dst []byte) ([]byte, error) {
	if a.n == 0 {
		return types.AppendNull(dst), nil
	}
	var v uint64
	for b, n := range a.set {
		if n == a.n || a.or && n > 0 {
			v |= 1 << b
		}
	}
	return types.AppendDatum(dst, a.typ, types.DInt(int64(v))), nil
}
