package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A FloatSum is an exact sum of floats under retraction: the order of
// additions does not matter, and adding with weight −1 leaves no trace. The
// result is rounded once. It is a fixed-point number of unit 2^−1074 in two's
// complement, of which it holds the limbs that are in use. The zero value is
// the empty sum.
type FloatSum struct {
	nan, posInf, negInf int64
	negZeros, others    int64 // a sum of nothing but −0 is −0
	lo, hi              int   // limbs[lo:hi] are held; below are zeros, above the sign goes on
	limbs               [floatLimbs]uint64
}

// floatLimbs holds 2^1024 × 2^63 × 2^63 in units of 2^−1074, and a sign.
const floatLimbs = (1074+1024+63+63)/64 + 3

// Reset empties the sum.
func (s *FloatSum) Reset() {
	clear(s.limbs[s.lo:s.hi])
	*s = FloatSum{limbs: s.limbs}
}

// Add adds f, weight times.
func (s *FloatSum) Add(f float64, weight int64) {
	u := math.Float64bits(f)
	exp := int(u >> 52 & 0x7ff)
	mant := u & (1<<52 - 1)
	neg := u>>63 != 0
	if exp == 0x7ff {
		switch {
		case mant != 0:
			s.nan += weight
		case neg:
			s.negInf += weight
		default:
			s.posInf += weight
		}
		return
	}
	if u == 1<<63 {
		s.negZeros += weight
		return
	}
	s.others += weight
	if exp > 0 {
		mant |= 1 << 52
		exp--
	}
	if mant == 0 || weight == 0 {
		return
	}
	hi, lo := bits.Mul64(mant, absInt64(weight))
	s.add(hi, lo, exp, neg != (weight < 0))
}

// add adds ±(hi:lo) × 2^pos units.
func (s *FloatSum) add(hi, lo uint64, pos int, neg bool) {
	i, shift := pos/64, uint(pos%64)
	s.hold(i, i+4)
	v := [3]uint64{lo << shift, hi<<shift | lo>>1>>(63-shift), hi >> 1 >> (63 - shift)}
	var c uint64
	if neg {
		for k, w := range v {
			s.limbs[i+k], c = bits.Sub64(s.limbs[i+k], w, c)
		}
		for k := i + 3; k < s.hi; k++ {
			s.limbs[k], c = bits.Sub64(s.limbs[k], 0, c)
		}
	} else {
		for k, w := range v {
			s.limbs[i+k], c = bits.Add64(s.limbs[i+k], w, c)
		}
		for k := i + 3; k < s.hi; k++ {
			s.limbs[k], c = bits.Add64(s.limbs[k], 0, c)
		}
	}
	// The top limb is sign alone: hold one more before it carries digits.
	if top := s.limbs[s.hi-1]; top != 0 && top != math.MaxUint64 && s.hi < floatLimbs {
		s.hold(s.lo, s.hi+1)
	}
}

// hold makes limbs[lo:hi] present.
func (s *FloatSum) hold(lo, hi int) {
	if s.lo == s.hi {
		s.lo, s.hi = lo, hi
		return
	}
	s.lo = min(s.lo, lo)
	if hi > s.hi {
		ext := s.signLimb()
		for ; s.hi < hi; s.hi++ {
			s.limbs[s.hi] = ext
		}
	}
}

func (s *FloatSum) signLimb() uint64 {
	if s.lo == s.hi {
		return 0
	}
	return uint64(int64(s.limbs[s.hi-1]) >> 63)
}

// trim drops limbs that say nothing.
func (s *FloatSum) trim() {
	for s.hi-s.lo > 1 {
		top, below := s.limbs[s.hi-1], s.limbs[s.hi-2]
		if top != uint64(int64(below)>>63) {
			break
		}
		s.hi--
		s.limbs[s.hi] = 0
	}
	for s.lo < s.hi && s.limbs[s.lo] == 0 {
		s.lo++
	}
	if s.lo == s.hi {
		s.lo, s.hi = 0, 0
	}
}

// Count gives the number of inputs.
func (s *FloatSum) Count() int64 { return s.nan + s.posInf + s.negInf + s.negZeros + s.others }

// Float64 gives the sum rounded to nearest even; 22003 if it overflows.
func (s *FloatSum) Float64() (float64, error) { return s.round(53, 1024) }

// Float32 gives the sum rounded to a float4.
func (s *FloatSum) Float32() (float32, error) {
	f, err := s.round(24, 128)
	return float32(f), err
}

// round gives the sum with a mantissa of prec bits, less below the least
// normal value, and an exponent below maxExp.
func (s *FloatSum) round(prec, maxExp int) (float64, error) {
	switch {
	case s.nan != 0 || s.posInf != 0 && s.negInf != 0:
		return math.NaN(), nil
	case s.posInf != 0:
		return math.Inf(1), nil
	case s.negInf != 0:
		return math.Inf(-1), nil
	case s.negZeros != 0 && s.others == 0:
		return math.Copysign(0, -1), nil
	}
	s.trim()
	if s.lo == s.hi {
		return 0, nil
	}
	var mag [floatLimbs]uint64
	copy(mag[s.lo:s.hi], s.limbs[s.lo:s.hi])
	neg := s.signLimb() != 0
	if neg {
		c := uint64(1)
		for k := s.lo; k < s.hi; k++ {
			mag[k], c = bits.Add64(^mag[k], 0, c)
		}
	}
	top := s.hi - 1
	for mag[top] == 0 {
		top--
	}
	msb := top*64 + 63 - bits.LeadingZeros64(mag[top]) // in units of 2^−1074
	// The last bit kept: prec bits from the top, but none below the least denormal.
	least := 0
	if prec == 24 {
		least = 1074 - 149
	}
	last := max(msb-prec+1, least)
	mant := bitsAt(&mag, last)
	if last > 0 && bitsAt(&mag, last-1)&1 != 0 {
		if mant&1 != 0 || anyBelow(&mag, last-1) {
			mant++
		}
	}
	f := math.Ldexp(float64(mant), last-1074)
	if math.IsInf(f, 0) || f >= math.Ldexp(1, maxExp-1)*2 {
		return 0, pgerr.Newf(pgerr.NumericValueOutOfRange, "value out of range: overflow")
	}
	if neg {
		f = -f
	}
	return f, nil
}

// bitsAt gives the 64 bits from position pos up.
func bitsAt(mag *[floatLimbs]uint64, pos int) uint64 {
	i, shift := pos/64, uint(pos%64)
	v := mag[i] >> shift
	if i+1 < floatLimbs {
		v |= mag[i+1] << 1 << (63 - shift)
	}
	return v
}

// anyBelow reports whether a bit below pos is set.
func anyBelow(mag *[floatLimbs]uint64, pos int) bool {
	i := pos / 64
	for k := range i {
		if mag[k] != 0 {
			return true
		}
	}
	return mag[i]&(1<<uint(pos%64)-1) != 0
}

// AppendState appends the sum's bytes: equal states have equal bytes.
//
//	byte: number of limbs, with 0x80 if three varints of counts of NaN, Infinity, −Infinity follow
//	varints of counts of −0 and of other finite values; byte: first limb; limbs, little-endian
func (s *FloatSum) AppendState(dst []byte) []byte {
	s.trim()
	head := byte(s.hi - s.lo)
	special := s.nan != 0 || s.posInf != 0 || s.negInf != 0
	if special {
		head |= 0x80
	}
	dst = append(dst, head)
	if special {
		dst = binary.AppendVarint(dst, s.nan)
		dst = binary.AppendVarint(dst, s.posInf)
		dst = binary.AppendVarint(dst, s.negInf)
	}
	dst = binary.AppendVarint(dst, s.negZeros)
	dst = binary.AppendVarint(dst, s.others)
	dst = append(dst, byte(s.lo))
	for _, w := range s.limbs[s.lo:s.hi] {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// LoadState replaces the sum by one that AppendState wrote, as all of p.
func (s *FloatSum) LoadState(p []byte) {
	s.Reset()
	state := p
	varint := func() int64 {
		v, n := binary.Varint(p)
		if n <= 0 {
			panic(fmt.Sprintf("float sum: corrupt state %x", state))
		}
		p = p[n:]
		return v
	}
	head := p[0]
	p = p[1:]
	if head&0x80 != 0 {
		s.nan, s.posInf, s.negInf = varint(), varint(), varint()
	}
	s.negZeros, s.others = varint(), varint()
	s.lo = int(p[0])
	s.hi = s.lo + int(head&0x7f)
	for i, k := 1, s.lo; k < s.hi; i, k = i+8, k+1 {
		s.limbs[k] = binary.LittleEndian.Uint64(p[i:])
	}
}
