package op

import (
	"math"
	"math/big"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A floatAcc is sum or avg of floats. State: their exact sum, which knows
// their number: it does not drift under retraction. PostgreSQL rounds at every addition, so its
// last digits depend on the order of rows; ours are those of the exact sum.
type floatAcc struct {
	arg, ret types.OID
	avg      bool
	sum      types.FloatSum
}

func (a *floatAcc) reset()                      { a.sum.Reset() }
func (a *floatAcc) load(s []byte)               { a.sum.LoadState(s) }
func (a *floatAcc) save(dst []byte) []byte      { return a.sum.AppendState(dst) }
func (a *floatAcc) add(payload []byte, w int64) { a.sum.Add(types.Decode(a.arg, payload).Float(), w) }

func (a *floatAcc) result(dst []byte) ([]byte, error) {
	n := a.sum.Count()
	if n == 0 {
		return types.AppendNull(dst), nil
	}
	if a.ret == types.Float4 {
		f, err := a.sum.Float32()
		if err != nil {
			return dst, err
		}
		return types.AppendDatum(dst, types.Float4, types.DFloat(float64(f))), nil
	}
	f, err := a.sum.Float64()
	if err != nil {
		return dst, err
	}
	if a.avg {
		f /= float64(n)
	}
	return types.AppendDatum(dst, types.Float8, types.DFloat(f)), nil
}

// A floatSpread is the variance or standard deviation of floats. State: the
// exact sums of the values and of their squares, a square being two floats: what it rounds to
// and the rest. The result is rounded once.
type floatSpread struct {
	spread
	arg     types.OID
	sum, sq types.FloatSum
	buf     []byte
}

func (a *floatSpread) reset() {
	a.sum.Reset()
	a.sq.Reset()
}

func (a *floatSpread) load(s []byte) {
	first, rest := cut(s)
	a.sum.LoadState(first)
	a.sq.LoadState(rest)
}

func (a *floatSpread) save(dst []byte) []byte {
	a.buf = a.sum.AppendState(a.buf[:0])
	return a.sq.AppendState(appendCut(dst, a.buf))
}

func (a *floatSpread) add(payload []byte, w int64) {
	x := types.Decode(a.arg, payload).Float()
	a.sum.Add(x, w)
	square := x * x
	a.sq.Add(square, w)
	if rest := math.FMA(x, x, -square); !math.IsNaN(rest) && !math.IsInf(rest, 0) {
		a.sq.Add(rest, w)
	}
}

func (a *floatSpread) result(dst []byte) ([]byte, error) {
	n := a.sum.Count()
	if a.undefined(n) {
		return types.AppendNull(dst), nil
	}
	v, err := a.variance(n)
	if err != nil {
		return dst, err
	}
	if a.root {
		v = math.Sqrt(v)
	}
	return types.AppendDatum(dst, types.Float8, types.DFloat(v)), nil
}

func (a *floatSpread) variance(n int64) (float64, error) {
	s, err := a.sum.Float64()
	if err == nil && (math.IsNaN(s) || math.IsInf(s, 0)) {
		return math.NaN(), nil
	}
	sq, sqErr := a.sq.Float64()
	if err != nil || sqErr != nil || math.IsInf(sq, 0) {
		return 0, pgerr.Newf(pgerr.NumericValueOutOfRange, "value out of range: overflow")
	}
	sum := exactly(&a.sum)
	v := exactly(&a.sq)
	v.Sub(v.Mul(v, newFloat().SetInt64(n)), sum.Mul(sum, sum))
	v.Quo(v, newFloat().SetInt(a.divisor(n)))
	f, _ := v.Float64()
	return max(f, 0), nil
}

// newFloat has digits for a difference of squares of exactly's results, in
// which all but the last few may cancel.
func newFloat() *big.Float { return new(big.Float).SetPrec(1024) }

// exactly gives a sum to more than 400 bits, without changing it.
func exactly(s *types.FloatSum) *big.Float {
	rest, out := *s, newFloat()
	for range 8 {
		f, err := rest.Float64()
		if err != nil || f == 0 {
			break
		}
		out.Add(out, newFloat().SetFloat64(f))
		rest.Add(f, -1)
	}
	return out
}
