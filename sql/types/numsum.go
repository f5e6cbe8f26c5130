package types

import (
	"encoding/binary"
	"fmt"
	"math/big"
)

// A NumericSum is a sum of numerics under retraction: adding a value with
// weight −1 undoes having added it with 1. It keeps how many inputs of each
// scale it holds, since a sum's scale is the greatest of its inputs', and
// counts NaN and the infinities. The zero value is the empty sum.
type NumericSum struct {
	nan, posInf, negInf int64
	coef                int64    // the sum at scale, while big is nil
	big                 *big.Int // owned
	scale               int      // no scale in scales is greater
	scales              []scaleCount
}

type scaleCount struct {
	scale int
	n     int64
}

// Reset empties the sum and keeps its memory.
func (s *NumericSum) Reset() { *s = NumericSum{scales: s.scales[:0]} }

// Add adds p, weight times. It does not allocate while the sum fits an int64
// at its scale.
func (s *NumericSum) Add(p []byte, weight int64) {
	n := decodeNum(p)
	switch n.kind {
	case numNaN:
		s.nan += weight
	case numPosInf:
		s.posInf += weight
	case numNegInf:
		s.negInf += weight
	case numSmall:
		s.addSmall(n.coef, int(n.scale), weight)
	default:
		s.count(int(n.scale), weight)
		s.addBig(n.big, int(n.scale), weight)
	}
}

// AddInt64 adds an integer, weight times.
func (s *NumericSum) AddInt64(v, weight int64) { s.addSmall(v, 0, weight) }

func (s *NumericSum) addSmall(v int64, scale int, weight int64) {
	s.count(scale, weight)
	if s.big == nil {
		sum, ok := s.coef, true
		if scale > s.scale {
			if sum, ok = mulPow10(sum, scale-s.scale); ok {
				s.coef, s.scale = sum, scale
			}
		}
		if ok {
			d, ok := mulInt64(v, weight)
			if ok {
				d, ok = mulPow10(d, s.scale-scale)
			}
			if ok {
				if sum, ok := addInt64(s.coef, d); ok || d == 0 {
					s.coef = sum
					return
				}
			}
		}
	}
	s.addBig(big.NewInt(v), scale, weight)
}

func (s *NumericSum) addBig(v *big.Int, scale int, weight int64) {
	if s.big == nil {
		s.big = big.NewInt(s.coef)
	}
	if scale > s.scale {
		s.big.Mul(s.big, pow10Big(scale-s.scale))
		s.scale = scale
	}
	d := new(big.Int).Mul(v, big.NewInt(weight))
	if scale < s.scale {
		d.Mul(d, pow10Big(s.scale-scale))
	}
	s.big.Add(s.big, d)
}

// count adds to the inputs of a scale.
func (s *NumericSum) count(scale int, weight int64) {
	for i := range s.scales {
		if s.scales[i].scale == scale {
			s.scales[i].n += weight
			return
		}
	}
	s.scales = append(s.scales, scaleCount{scale, weight})
}

// Count gives the number of inputs.
func (s *NumericSum) Count() int64 {
	n := s.nan + s.posInf + s.negInf
	for _, c := range s.scales {
		n += c.n
	}
	return n
}

// settle drops scales without inputs and brings the sum to the scale of those
// left: without its inputs of greater scale the sum is a multiple.
func (s *NumericSum) settle() {
	keep, scale := s.scales[:0], 0
	for _, c := range s.scales {
		if c.n != 0 {
			keep = append(keep, c)
			scale = max(scale, c.scale)
		}
	}
	s.scales = keep
	for i := 1; i < len(keep); i++ {
		for j := i; j > 0 && keep[j].scale < keep[j-1].scale; j-- {
			keep[j], keep[j-1] = keep[j-1], keep[j]
		}
	}
	if drop := s.scale - scale; drop > 0 {
		if s.big == nil && drop < len(pow10) {
			s.coef /= pow10[drop]
		} else if s.big == nil {
			s.coef = 0
		} else {
			s.big.Quo(s.big, pow10Big(drop))
		}
	}
	s.scale = scale
	if s.big != nil && s.big.IsInt64() {
		s.coef, s.big = s.big.Int64(), nil
	}
}

// AppendSum appends the payload of the sum; the sum of no input is 0.
func (s *NumericSum) AppendSum(dst []byte) ([]byte, error) {
	switch {
	case s.nan != 0 || s.posInf != 0 && s.negInf != 0:
		return append(dst, numNaN), nil
	case s.posInf != 0:
		return append(dst, numPosInf), nil
	case s.negInf != 0:
		return append(dst, numNegInf), nil
	}
	s.settle()
	if s.big == nil {
		return AppendNumericSmall(dst, s.coef, s.scale), nil
	}
	return appendNumChecked(dst, s.big, s.scale)
}

// AppendState appends the sum's bytes: equal states have equal bytes.
//
//	uvarint n, n × (uvarint scale, varint count); n is doubled, and odd if
//	three varints of counts of NaN, Infinity, −Infinity follow; the sum as a numeric
func (s *NumericSum) AppendState(dst []byte) []byte {
	s.settle()
	n := uint64(len(s.scales)) << 1
	special := s.nan != 0 || s.posInf != 0 || s.negInf != 0
	if special {
		n |= 1
	}
	dst = binary.AppendUvarint(dst, n)
	for _, c := range s.scales {
		dst = binary.AppendUvarint(dst, uint64(c.scale))
		dst = binary.AppendVarint(dst, c.n)
	}
	if special {
		dst = binary.AppendVarint(dst, s.nan)
		dst = binary.AppendVarint(dst, s.posInf)
		dst = binary.AppendVarint(dst, s.negInf)
	}
	if s.big == nil {
		return AppendNumericSmall(dst, s.coef, s.scale)
	}
	return appendNumBig(dst, s.big, s.scale)
}

// LoadState replaces the sum by one that AppendState wrote, as all of p.
func (s *NumericSum) LoadState(p []byte) {
	s.Reset()
	uvarint := func() uint64 {
		v, n := binary.Uvarint(p)
		if n <= 0 {
			panic(fmt.Sprintf("numeric sum: corrupt state %x", p))
		}
		p = p[n:]
		return v
	}
	varint := func() int64 {
		v := uvarint()
		return int64(v>>1) ^ -int64(v&1)
	}
	n := uvarint()
	for range n >> 1 {
		scale := uvarint()
		s.scales = append(s.scales, scaleCount{int(scale), varint()})
	}
	if n&1 != 0 {
		s.nan, s.posInf, s.negInf = varint(), varint(), varint()
	}
	v := decodeNum(p)
	s.coef, s.big, s.scale = v.coef, v.big, int(v.scale)
}
