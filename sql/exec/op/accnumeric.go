package op

import (
	"math/big"
	"strings"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A numericAcc is sum or avg of numerics. State: their exact sum, which knows
// their number.
type numericAcc struct {
	avg      bool
	sum      types.NumericSum
	buf, num []byte
}

func (a *numericAcc) reset()                      { a.sum.Reset() }
func (a *numericAcc) load(s []byte)               { a.sum.LoadState(s) }
func (a *numericAcc) save(dst []byte) []byte      { return a.sum.AppendState(dst) }
func (a *numericAcc) add(payload []byte, w int64) { a.sum.Add(payload, w) }

func (a *numericAcc) result(dst []byte) ([]byte, error) {
	n := a.sum.Count()
	if n == 0 {
		return types.AppendNull(dst), nil
	}
	var err error
	if a.buf, err = a.sum.AppendSum(a.buf[:0]); err != nil {
		return dst, err
	}
	if !a.avg {
		return types.AppendValue(dst, a.buf), nil
	}
	return appendAverage(dst, a.buf, n, &a.num)
}

// appendAverage appends the numeric sum / n as a value.
func appendAverage(dst, sum []byte, n int64, scratch *[]byte) ([]byte, error) {
	var count [16]byte
	var err error
	*scratch, err = types.NumericDiv((*scratch)[:0], sum, types.NumericFromInt64(count[:0], n))
	if err != nil {
		return dst, err
	}
	return types.AppendValue(dst, *scratch), nil
}

// A spread says which of variance and standard deviation is wanted.
type spread struct{ root, sample bool }

// undefined reports whether there are too few values.
func (s spread) undefined(n int64) bool { return n == 0 || s.sample && n == 1 }

// divisor is what the sum of squared deviations, times n, is divided by.
func (s spread) divisor(n int64) *big.Int {
	d := big.NewInt(n)
	if s.sample {
		return d.Mul(d, big.NewInt(n-1))
	}
	return d.Mul(d, d)
}

// A numericSpread is the variance or standard deviation of numerics or
// integers. State: the exact sums of the values and of their squares. Its result has PostgreSQL's
// digits: (n Σx² − (Σx)²) / (n (n−1)) as its numeric division gives it.
type numericSpread struct {
	spread
	arg     types.OID
	sum, sq types.NumericSum
	x, xx   []byte
}

func (a *numericSpread) reset() {
	a.sum.Reset()
	a.sq.Reset()
}

func (a *numericSpread) load(s []byte) {
	first, rest := cut(s)
	a.sum.LoadState(first)
	a.sq.LoadState(rest)
}

func (a *numericSpread) save(dst []byte) []byte {
	a.x = a.sum.AppendState(a.x[:0])
	return a.sq.AppendState(appendCut(dst, a.x))
}

func (a *numericSpread) add(payload []byte, w int64) {
	if a.arg != types.Numeric {
		a.x = types.NumericFromInt64(a.x[:0], types.Decode(a.arg, payload).I)
		payload = a.x
	}
	a.sum.Add(payload, w)
	var err error
	if a.xx, err = types.NumericMul(a.xx[:0], payload, payload); err != nil {
		// The square has too many digits: no result, as if there were a NaN.
		a.xx, _ = types.NumericParse(a.xx[:0], []byte("NaN"))
	}
	a.sq.Add(a.xx, w)
}

func (a *numericSpread) result(dst []byte) ([]byte, error) {
	n := a.sum.Count()
	if a.undefined(n) {
		return types.AppendNull(dst), nil
	}
	v, err := a.variance(n)
	if err != nil {
		return dst, err
	}
	if a.root && types.NumericSign(v) > 0 && !types.NumericIsNaN(v) {
		if v, err = numericRoot(v); err != nil {
			return dst, err
		}
	}
	return types.AppendValue(dst, v), nil
}

func (a *numericSpread) variance(n int64) ([]byte, error) {
	sum, err := a.sum.AppendSum(nil)
	if err != nil {
		return nil, err
	}
	sq, err := a.sq.AppendSum(nil)
	if err != nil {
		return nil, err
	}
	if types.NumericIsNaN(sq) || types.NumericIsInf(sq, 0) {
		return types.NumericParse(nil, []byte("NaN"))
	}
	if sum, err = types.NumericMul(nil, sum, sum); err != nil {
		return nil, err
	}
	if sq, err = types.NumericMul(nil, types.NumericFromInt64(nil, n), sq); err != nil {
		return nil, err
	}
	if sq, err = types.NumericSub(nil, sq, sum); err != nil {
		return nil, err
	}
	if types.NumericSign(sq) <= 0 {
		return types.NumericFromInt64(nil, 0), nil
	}
	by, err := types.NumericParse(nil, a.divisor(n).Append(nil, 10))
	if err != nil {
		return nil, err
	}
	return types.NumericDiv(nil, sq, by)
}

// numericRoot gives the square root of a finite, positive numeric at its own
// scale.
func numericRoot(p []byte) ([]byte, error) {
	scale := types.NumericScale(p)
	text := strings.Replace(string(types.AppendNumericText(nil, p)), ".", "", 1)
	v, _ := new(big.Int).SetString(text, 10)
	// One digit more than wanted, for rounding.
	v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale+2)), nil))
	v.Sqrt(v)
	v.Quo(v.Add(v, big.NewInt(5)), big.NewInt(10))
	digits := v.String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	i := len(digits) - scale
	if scale > 0 {
		digits = digits[:i] + "." + digits[i:]
	}
	return types.NumericParse(nil, []byte(digits))
}
