package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// The payload of a numeric is a header byte and, for finite values, a scale
// (digits behind the point, PostgreSQL's display scale) and a coefficient:
//
//	00, 01, 02         −Infinity, +Infinity, NaN
//	03                 uvarint scale, zigzag varint coefficient; scale ≥ 64
//	04, 05             uvarint scale, big-endian magnitude; positive, negative
//	0x10 + scale       zigzag varint coefficient; scale < 64
//
// The big forms hold only what does not fit an int64, without leading zeros,
// so equal value and scale means equal bytes.
const (
	numNegInf   = 0x00
	numPosInf   = 0x01
	numNaN      = 0x02
	numSmall    = 0x03
	numBigPos   = 0x04
	numBigNeg   = 0x05
	numScaled   = 0x10
	numScaleMax = 64 // scales below this live in the header
)

// PostgreSQL's limits of a numeric.
const (
	numericMaxIntDigits = 131072 // before the point
	numericMaxScale     = 16383  // behind it
)

// A num is a decoded numeric: kind numSmall with coef, kind numBigPos with
// big (signed, of either sign), or one of the three specials.
type num struct {
	kind  byte
	scale int32
	coef  int64
	big   *big.Int
}

func decodeNum(p []byte) num {
	h := p[0]
	if h >= numScaled {
		v, _ := binary.Varint(p[1:])
		return num{kind: numSmall, scale: int32(h - numScaled), coef: v}
	}
	switch h {
	case numSmall, numBigPos, numBigNeg:
		scale, n := binary.Uvarint(p[1:])
		p = p[1+n:]
		if h == numSmall {
			v, _ := binary.Varint(p)
			return num{kind: numSmall, scale: int32(scale), coef: v}
		}
		b := new(big.Int).SetBytes(p)
		if h == numBigNeg {
			b.Neg(b)
		}
		return num{kind: numBigPos, scale: int32(scale), big: b}
	}
	return num{kind: h}
}

func (n *num) special() bool { return n.kind < numSmall }

// sign gives −1, 0 or 1; NaN is 1.
func (n *num) sign() int {
	switch n.kind {
	case numNegInf:
		return -1
	case numPosInf, numNaN:
		return 1
	case numSmall:
		return compareInt64(n.coef, 0)
	}
	return n.big.Sign()
}

// bigCoef gives the coefficient as a big.Int that must not be changed.
func (n *num) bigCoef() *big.Int {
	if n.kind == numSmall {
		return big.NewInt(n.coef)
	}
	return n.big
}

// AppendNumericSmall appends the payload of coef × 10^−scale.
func AppendNumericSmall(dst []byte, coef int64, scale int) []byte {
	if scale < numScaleMax {
		dst = append(dst, byte(numScaled+scale))
	} else {
		dst = binary.AppendUvarint(append(dst, numSmall), uint64(scale))
	}
	return binary.AppendVarint(dst, coef)
}

// appendNumBig appends the payload of b × 10^−scale.
func appendNumBig(dst []byte, b *big.Int, scale int) []byte {
	if b.IsInt64() {
		return AppendNumericSmall(dst, b.Int64(), scale)
	}
	h := byte(numBigPos)
	if b.Sign() < 0 {
		h = numBigNeg
	}
	dst = binary.AppendUvarint(append(dst, h), uint64(scale))
	n := (b.BitLen() + 7) / 8
	off := len(dst)
	dst = append(dst, make([]byte, n)...)
	b.FillBytes(dst[off:])
	return dst
}

// appendNumChecked is appendNumBig with PostgreSQL's check of the limits.
func appendNumChecked(dst []byte, b *big.Int, scale int) ([]byte, error) {
	if scale > numericMaxScale || digitsOver(b, numericMaxIntDigits+scale) {
		return dst, errNumericFormat()
	}
	return appendNumBig(dst, b, scale), nil
}

// digitsOver reports whether b has more than n decimal digits.
func digitsOver(b *big.Int, n int) bool {
	bl := b.BitLen()
	if float64(bl) < float64(n)*math.Log2(10)-1 {
		return false
	}
	return b.CmpAbs(pow10Big(n)) >= 0
}

func errNumericFormat() error {
	return pgerr.Newf(pgerr.NumericValueOutOfRange, "value overflows numeric format")
}

// pow10 holds the powers of ten that fit an int64.
var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

var bigTen = big.NewInt(10)

// pow10Big gives 10^n, n ≥ 0.
func pow10Big(n int) *big.Int {
	if n < len(pow10) {
		return big.NewInt(pow10[n])
	}
	return new(big.Int).Exp(bigTen, big.NewInt(int64(n)), nil)
}

func absInt64(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// mulPow10 gives v × 10^n and whether that fits an int64.
func mulPow10(v int64, n int) (int64, bool) {
	if v == 0 || n == 0 {
		return v, true
	}
	if n >= len(pow10) {
		return 0, false
	}
	return mulInt64(v, pow10[n])
}

func mulInt64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(absInt64(a), absInt64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

func addInt64(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// NumericFromInt64 appends the payload of an integer.
func NumericFromInt64(dst []byte, v int64) []byte { return AppendNumericSmall(dst, v, 0) }

// NumericFromFloat64 appends the payload of a float as PostgreSQL casts it:
// 15 significant digits.
func NumericFromFloat64(dst []byte, f float64) []byte { return numericFromFloat(dst, f, 15) }

// NumericFromFloat32 is the same for float4: 6 significant digits.
func NumericFromFloat32(dst []byte, f float32) []byte { return numericFromFloat(dst, float64(f), 6) }

func numericFromFloat(dst []byte, f float64, digits int) []byte {
	switch {
	case f != f:
		return append(dst, numNaN)
	case math.IsInf(f, 1):
		return append(dst, numPosInf)
	case math.IsInf(f, -1):
		return append(dst, numNegInf)
	}
	var buf [32]byte
	dst, err := NumericParse(dst, strconv.AppendFloat(buf[:0], f, 'g', digits, 64))
	if err != nil {
		panic("numeric: a float's own text does not parse: " + err.Error())
	}
	return dst
}

// NumericToFloat64 gives the nearest float8.
func NumericToFloat64(p []byte) (float64, error) {
	n := decodeNum(p)
	switch n.kind {
	case numNaN:
		return math.NaN(), nil
	case numPosInf:
		return math.Inf(1), nil
	case numNegInf:
		return math.Inf(-1), nil
	case numSmall:
		// Both operands are exact, so the quotient is rounded once.
		if absInt64(n.coef) <= 1<<53 && n.scale < 19 {
			return float64(n.coef) / float64(pow10[n.scale]), nil
		}
	}
	return parseFloat(AppendNumericText(nil, p), 64)
}

// NumericToFloat32 gives the nearest float4.
func NumericToFloat32(p []byte) (float32, error) {
	switch p[0] {
	case numNaN:
		return float32(math.NaN()), nil
	case numPosInf:
		return float32(math.Inf(1)), nil
	case numNegInf:
		return float32(math.Inf(-1)), nil
	}
	var buf [64]byte
	f, err := parseFloat(AppendNumericText(buf[:0], p), 32)
	return float32(f), err
}

// NumericToInt64 rounds half away from zero to a bigint.
func NumericToInt64(p []byte) (int64, error) { return NumericToInt(Int8, p) }

// NumericToInt rounds half away from zero to an int2, int4 or int8, as
// PostgreSQL's casts do.
func NumericToInt(t OID, p []byte) (int64, error) {
	n := decodeNum(p)
	if n.special() {
		what := "infinity"
		if n.kind == numNaN {
			what = "NaN"
		}
		return 0, pgerr.Newf(pgerr.FeatureNotSupported, "cannot convert %s to %s", what, t)
	}
	var v int64
	if n.kind == numSmall {
		v = roundSmall(n.coef, int(n.scale))
	} else {
		b := roundBig(n.big, int(n.scale))
		if !b.IsInt64() {
			return 0, ErrOutOfRange(t)
		}
		v = b.Int64()
	}
	if !IntInRange(t, v) {
		return 0, ErrOutOfRange(t)
	}
	return v, nil
}

// IntInRange reports whether v is a value of the integer type.
func IntInRange(t OID, v int64) bool {
	switch t {
	case Int2:
		return v == int64(int16(v))
	case Int4:
		return v == int64(int32(v))
	case OIDType, RegProc, RegClass, RegType, RegNamespace:
		return v == int64(uint32(v))
	}
	return true
}

// ErrOutOfRange is PostgreSQL's 22003 of an integer type's arithmetic and
// casts: "integer out of range".
func ErrOutOfRange(t OID) error {
	return pgerr.Newf(pgerr.NumericValueOutOfRange, "%s out of range", t)
}

// roundSmall divides by 10^n, rounding half away from zero.
func roundSmall(v int64, n int) int64 {
	if n <= 0 {
		return v
	}
	if n >= len(pow10) {
		// |v| < 9.3e18: half of 10^19 is the only threshold in reach.
		if n == len(pow10) && absInt64(v) >= 5_000_000_000_000_000_000 {
			return int64(compareInt64(v, 0))
		}
		return 0
	}
	q, r := v/pow10[n], v%pow10[n]
	if absInt64(r) >= uint64(pow10[n]+1)/2 {
		q += int64(compareInt64(v, 0))
	}
	return q
}

// roundBig divides by 10^n, rounding half away from zero.
func roundBig(v *big.Int, n int) *big.Int {
	if n <= 0 {
		return v
	}
	d := pow10Big(n)
	q, r := new(big.Int).QuoRem(v, d, new(big.Int))
	if r.Lsh(r.Abs(r), 1).Cmp(d) >= 0 {
		q.Add(q, big.NewInt(int64(v.Sign())))
	}
	return q
}

// NumericScale gives the display scale, 0 for NaN and infinities.
func NumericScale(p []byte) int {
	h := p[0]
	if h >= numScaled {
		return int(h - numScaled)
	}
	if h < numSmall {
		return 0
	}
	s, _ := binary.Uvarint(p[1:])
	return int(s)
}

// NumericIsNaN and NumericIsInf tell the special values.
func NumericIsNaN(p []byte) bool { return p[0] == numNaN }

// NumericIsInf reports whether p is an infinity of the sign; of either for 0.
func NumericIsInf(p []byte, sign int) bool {
	return p[0] == numPosInf && sign >= 0 || p[0] == numNegInf && sign <= 0
}

// NumericSign gives −1, 0 or 1; NaN is 1.
func NumericSign(p []byte) int {
	n := decodeNum(p)
	return n.sign()
}

// NumericCmp orders by value; NaN equals itself and is the greatest.
func NumericCmp(a, b []byte) int {
	x, y := decodeNum(a), decodeNum(b)
	if x.special() || y.special() {
		return compareInt64(int64(x.rank()), int64(y.rank()))
	}
	return x.cmp(&y)
}

// rank orders the specials around the finite values.
func (n *num) rank() int {
	switch n.kind {
	case numNegInf:
		return 0
	case numPosInf:
		return 2
	case numNaN:
		return 3
	}
	return 1
}

// cmp compares finite values.
func (n *num) cmp(m *num) int {
	if n.kind == numSmall && m.kind == numSmall {
		a, b := n.coef, m.coef
		var ok bool
		if n.scale < m.scale {
			a, ok = mulPow10(a, int(m.scale-n.scale))
		} else {
			b, ok = mulPow10(b, int(n.scale-m.scale))
		}
		if ok {
			return compareInt64(a, b)
		}
	}
	if s, t := n.sign(), m.sign(); s != t {
		return compareInt64(int64(s), int64(t))
	}
	a, b, _ := alignBig(n, m)
	return a.Cmp(b)
}

// alignBig gives both coefficients at the greater of the two scales.
func alignBig(n, m *num) (a, b *big.Int, scale int) {
	a, b = n.bigCoef(), m.bigCoef()
	switch {
	case n.scale < m.scale:
		a = new(big.Int).Mul(a, pow10Big(int(m.scale-n.scale)))
	case n.scale > m.scale:
		b = new(big.Int).Mul(b, pow10Big(int(n.scale-m.scale)))
	}
	return a, b, int(max(n.scale, m.scale))
}

// Classes of numerics in keys, in SQL's order.
const (
	numKeyNegInf = 1 + iota
	numKeyNeg
	numKeyZero
	numKeyPos
	numKeyPosInf
	numKeyNaN
)

// appendKeyNumeric appends a class byte and, for finite values but zero, 3
// bytes of decimal exponent and pairs of digits: value + 1 per byte, trailing
// zeros cut, 00 at the end. All bytes behind the class of a negative value are
// inverted.
func appendKeyNumeric(dst []byte, p []byte) []byte {
	n := decodeNum(p)
	switch n.kind {
	case numNegInf:
		return append(dst, numKeyNegInf)
	case numPosInf:
		return append(dst, numKeyPosInf)
	case numNaN:
		return append(dst, numKeyNaN)
	}
	sign := n.sign()
	if sign == 0 {
		return append(dst, numKeyZero)
	}
	var buf [24]byte
	var digits []byte
	if n.kind == numSmall {
		digits = strconv.AppendUint(buf[:0], absInt64(n.coef), 10)
	} else {
		digits = n.big.Append(nil, 10)
		if sign < 0 {
			digits = digits[1:]
		}
	}
	exp := len(digits) - int(n.scale) + 1<<22
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	class, inv := byte(numKeyPos), byte(0)
	if sign < 0 {
		class, inv = numKeyNeg, 0xff
	}
	dst = append(dst, class, byte(exp>>16)^inv, byte(exp>>8)^inv, byte(exp)^inv)
	for i := 0; i < len(digits); i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, (pair+1)^inv)
	}
	return append(dst, inv)
}

func skipKeyNumeric(key []byte, off int) int {
	class := key[off]
	off++
	end := byte(0)
	switch class {
	case numKeyPos:
	case numKeyNeg:
		end = 0xff
	default:
		return off
	}
	off += 3
	for key[off] != end {
		off++
	}
	return off + 1
}
