package types

import (
	"encoding/binary"
	"math/big"
)

// Signs of PostgreSQL's binary numeric.
const (
	numBinNeg    = 0x4000
	numBinNaN    = 0xc000
	numBinPosInf = 0xd000
	numBinNegInf = 0xf000
)

// appendNumericBinary appends four words (number of digits, weight of the
// first, sign, scale) and the digits, to the base 10000 without zeros at
// either end.
func appendNumericBinary(dst, p []byte) []byte {
	n := decodeNum(p)
	sign := uint16(0)
	switch n.kind {
	case numNaN:
		sign = numBinNaN
	case numPosInf:
		sign = numBinPosInf
	case numNegInf:
		sign = numBinNegInf
	}
	if sign != 0 {
		scale := uint64(0)
		if sign != numBinNaN {
			scale = 0x20 // what PostgreSQL sends with infinities
		}
		return binary.BigEndian.AppendUint64(dst, uint64(sign)<<16|scale)
	}
	if n.sign() < 0 {
		sign = numBinNeg
	}
	// Align the coefficient so that the point falls between two digits.
	pad := (4 - int(n.scale)%4) % 4
	groups := (int(n.scale) + pad) / 4 // behind the point
	var buf [8]uint16
	digits := buf[:0] // least first
	if v, ok := mulPow10(n.coef, pad); n.kind == numSmall && ok {
		for u := absInt64(v); u > 0; u /= 10000 {
			digits = append(digits, uint16(u%10000))
		}
	} else {
		text := new(big.Int).Mul(new(big.Int).Abs(n.bigCoef()), pow10Big(pad)).Append(nil, 10)
		for end := len(text); end > 0; end -= 4 {
			v := uint16(0)
			for _, c := range text[max(end-4, 0):end] {
				v = v*10 + uint16(c-'0')
			}
			digits = append(digits, v)
		}
	}
	weight := len(digits) - groups - 1
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		weight = 0
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(digits)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(weight))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(n.scale))
	for i := len(digits) - 1; i >= 0; i-- {
		dst = binary.BigEndian.AppendUint16(dst, digits[i])
	}
	return dst
}

// numericFromBinary gives the payload of a numeric in binary form.
func numericFromBinary(bin []byte, mod int32) ([]byte, error) {
	if len(bin) < 8 {
		return nil, errShortBinary()
	}
	ndigits := int(binary.BigEndian.Uint16(bin))
	weight := int(int16(binary.BigEndian.Uint16(bin[2:])))
	sign := binary.BigEndian.Uint16(bin[4:])
	scale := int(binary.BigEndian.Uint16(bin[6:]))
	bin = bin[8:]
	if len(bin) < 2*ndigits {
		return nil, errShortBinary()
	}
	var p []byte
	switch sign {
	case numBinNaN:
		p = []byte{numNaN}
	case numBinPosInf:
		p = []byte{numPosInf}
	case numBinNegInf:
		p = []byte{numNegInf}
	case 0, numBinNeg:
	default:
		return nil, errBinary("invalid sign in external \"numeric\" value")
	}
	if scale > numericMaxScale {
		return nil, errBinary("invalid scale in external \"numeric\" value")
	}
	if len(bin) > 2*ndigits {
		return nil, errBinary("incorrect binary data format")
	}
	text := make([]byte, 0, 4*ndigits+1)
	for ; len(bin) > 0; bin = bin[2:] {
		d := binary.BigEndian.Uint16(bin)
		if d >= 10000 {
			return nil, errBinary("invalid digit in external \"numeric\" value")
		}
		text = append(text, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	if p == nil {
		var err error
		if p, err = numericFromGroups(text, weight, scale, sign == numBinNeg); err != nil {
			return nil, err
		}
	}
	return NumericApplyMod(nil, p, mod)
}

// numericFromGroups reads digits whose first group of four has the weight,
// cut to the scale.
func numericFromGroups(text []byte, weight, scale int, neg bool) ([]byte, error) {
	have := len(text) - 4*(weight+1) // digits behind the point
	switch {
	case have > scale:
		text = text[:max(len(text)-(have-scale), 0)]
	case have < scale && len(text) > 0:
		text = append(text, make([]byte, scale-have)...)
		for i := len(text) - (scale - have); i < len(text); i++ {
			text[i] = '0'
		}
	}
	if len(text) == 0 {
		text = append(text, '0')
	}
	return appendNumDigits(nil, text, scale, neg)
}
