package eval

import "math"

// The exponentials and logarithms of floats are computed in pairs of floats
// (about 32 digits) and rounded once. Go's own are off by several units in the last
// place, and differ between machines; PostgreSQL's, of glibc, hardly ever by one.

// A pair is the unevaluated sum of two floats, the second less than half a
// unit in the last place of the first.
type pair struct{ hi, lo float64 }

var (
	pairLn2  = pair{0.6931471805599453, 2.3190468138462996e-17}
	pairLn10 = pair{2.302585092994046, -2.1707562233822494e-16}
)

// fastSum is a + b for |a| ≥ |b|.
func fastSum(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

func (p pair) add(q pair) pair {
	s := p.hi + q.hi
	t := s - p.hi
	err := (p.hi - (s - t)) + (q.hi - t)
	return fastSum(s, err+p.lo+q.lo)
}

func (p pair) mul(q pair) pair {
	h := p.hi * q.hi
	return fastSum(h, math.FMA(p.hi, q.hi, -h)+p.hi*q.lo+p.lo*q.hi)
}

func (p pair) div(q pair) pair {
	h := p.hi / q.hi
	r := p.add(q.mul(pair{-h, 0}))
	return fastSum(h, (r.hi+r.lo)/q.hi)
}

// expPair gives e^x as m × 2^k, for |x| below 800.
func expPair(x pair) (m pair, k int) {
	n := math.RoundToEven(x.hi / math.Ln2)
	r := x.add(pairLn2.mul(pair{-n, 0}))
	const halvings = 9
	r.hi, r.lo = math.Ldexp(r.hi, -halvings), math.Ldexp(r.lo, -halvings)
	term, sum := r, r // e^r − 1 by its series
	for i := 2.0; i < 10; i++ {
		term = term.mul(r).div(pair{i, 0})
		sum = sum.add(term)
	}
	for range halvings {
		sum = sum.add(sum).add(sum.mul(sum))
	}
	return pair{1, 0}.add(sum), int(n)
}

// logPair gives the natural logarithm of a positive finite float.
func logPair(x float64) pair {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	y := math.Log(m)
	ex, k := expPair(pair{-y, 0})
	ex.hi, ex.lo = math.Ldexp(ex.hi, k), math.Ldexp(ex.lo, k)
	d := ex.mul(pair{m, 0}).add(pair{-1, 0}) // m e^−y − 1, tiny: one Newton step
	d = d.add(d.mul(d).mul(pair{-0.5, 0}))
	return pairLn2.mul(pair{float64(e), 0}).add(pair{y, 0}.add(d))
}

func expOf(x pair) float64 {
	switch {
	case x.hi > 710:
		return math.Inf(1)
	case x.hi < -746:
		return 0
	}
	m, k := expPair(x)
	return math.Ldexp(m.hi, k)
}

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

// exp, ln, log10 and pow are the functions of C.
func exp(x float64) float64 {
	if !finite(x) || x == 0 {
		return math.Exp(x)
	}
	return expOf(pair{x, 0})
}

func ln(x float64) float64 {
	if !finite(x) || x <= 0 || x == 1 {
		return math.Log(x)
	}
	return logPair(x).hi
}

func log10(x float64) float64 {
	if !finite(x) || x <= 0 || x == 1 {
		return math.Log10(x)
	}
	return logPair(x).div(pairLn10).hi
}

func pow(x, y float64) float64 {
	if !finite(x) || !finite(y) || x == 0 || y == 0 || math.Abs(x) == 1 {
		return math.Pow(x, y)
	}
	l := logPair(math.Abs(x))
	if math.Abs(l.hi*y) > 800 {
		return math.Pow(x, y) // beyond the range: infinity or zero
	}
	v := expOf(l.mul(pair{y, 0}))
	if x < 0 && math.Abs(math.Mod(y, 2)) == 1 {
		v = -v
	}
	return v
}
