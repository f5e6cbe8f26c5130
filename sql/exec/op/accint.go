package op

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/helios-sql/helios-sql/sql/types"
)

// An int128 is a signed integer of two words, enough for the sum of any
// int64 that a relation can hold.
type int128 struct {
	hi int64
	lo uint64
}

// addMul adds a × b.
func (s *int128) addMul(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// Two's complement: the product of the unsigned readings is too large by these.
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi += int64(hi + carry)
}

// int64 gives the value and whether it fits.
func (s *int128) int64() (int64, bool) { return int64(s.lo), s.hi == int64(s.lo)>>63 }

func (s *int128) big() *big.Int {
	b := big.NewInt(s.hi)
	return b.Add(b.Lsh(b, 64), new(big.Int).SetUint64(s.lo))
}

func (s *int128) save(dst []byte) []byte {
	if v, ok := s.int64(); ok {
		return binary.AppendVarint(append(dst, 0), v)
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(append(dst, 1), uint64(s.hi)), s.lo)
}

func (s *int128) load(b []byte) (rest []byte) {
	if b[0] == 0 {
		v, k := binary.Varint(b[1:])
		s.hi, s.lo = v>>63, uint64(v)
		return b[1+k:]
	}
	s.hi, s.lo = int64(binary.BigEndian.Uint64(b[1:])), binary.BigEndian.Uint64(b[9:])
	return b[17:]
}

// numeric appends the payload of a numeric without fraction.
func (s *int128) numeric(dst []byte) ([]byte, error) {
	if v, ok := s.int64(); ok {
		return types.NumericFromInt64(dst, v), nil
	}
	return types.NumericParse(dst, s.big().Append(nil, 10))
}

// An intAcc is sum or avg of integers. State: their number and exact sum.
type intAcc struct {
	arg, ret types.OID
	avg      bool
	n        int64
	sum      int128
	buf, num []byte
}

func (a *intAcc) reset() { a.n, a.sum = 0, int128{} }

func (a *intAcc) load(s []byte) {
	n, k := binary.Varint(s)
	a.n = n
	a.sum.load(s[k:])
}

func (a *intAcc) save(dst []byte) []byte { return a.sum.save(binary.AppendVarint(dst, a.n)) }

func (a *intAcc) add(payload []byte, w int64) {
	a.n += w
	a.sum.addMul(types.Decode(a.arg, payload).I, w)
}

func (a *intAcc) result(dst []byte) ([]byte, error) {
	if a.n == 0 {
		return types.AppendNull(dst), nil
	}
	if a.ret == types.Int8 {
		v, ok := a.sum.int64()
		if !ok {
			return dst, types.ErrOutOfRange(types.Int8)
		}
		return types.AppendFixed8(dst, uint64(v)), nil
	}
	var err error
	if a.buf, err = a.sum.numeric(a.buf[:0]); err != nil {
		return dst, err
	}
	if !a.avg {
		return types.AppendValue(dst, a.buf), nil
	}
	return appendAverage(dst, a.buf, a.n, &a.num)
}
