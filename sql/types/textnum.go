package types

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

const hexDigits = "0123456789abcdef"

// isSpace is C's isspace().
func isSpace(c byte) bool { return c == ' ' || c-'\t' < 5 }

func trimSpace(s []byte) []byte {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func toLower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold compares with a lower-case word, ignoring ASCII case.
func equalFold(s []byte, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range s {
		if toLower(s[i]) != word[i] {
			return false
		}
	}
	return true
}

// parseInt parses an int2, int4 or int8.
func parseInt(t OID, text []byte) (int64, error) {
	s := text
	if len(s) == 0 || isSpace(s[0]) || isSpace(s[len(s)-1]) {
		s = trimSpace(s)
	}
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, errSyntax(t.String(), text)
	}
	var v uint64
	over := false
	for _, c := range s {
		d := uint64(c - '0')
		if c-'0' > 9 {
			return 0, errSyntax(t.String(), text)
		}
		if v > (math.MaxUint64-9)/10 {
			over = true
		}
		v = v*10 + d
	}
	limit := uint64(1)<<(uint(t.Size())*8-1) - 1
	if neg {
		limit++
	}
	if over || v > limit {
		return 0, errValueRange(t, text)
	}
	if neg {
		return -int64(v), nil
	}
	return int64(v), nil
}

func errValueRange(t OID, text []byte) error {
	return pgerr.Newf(pgerr.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", text, t)
}

// parseOID parses an oid; as in PostgreSQL a minus sign counts modulo 2^32.
func parseOID(text []byte) (uint32, error) {
	s := trimSpace(text)
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, errSyntax("oid", text)
	}
	var v uint64
	for _, c := range s {
		if c-'0' > 9 {
			return 0, errSyntax("oid", text)
		}
		v = min(v*10+uint64(c-'0'), 1<<40)
	}
	if neg && v <= 1<<31 {
		return -uint32(v), nil
	}
	if neg || v > math.MaxUint32 {
		return 0, errValueRange(OIDType, text)
	}
	return uint32(v), nil
}

// parseBool takes any unambiguous beginning of true, false, yes, no, on, off,
// and 1, 0.
func parseBool(text []byte) (bool, error) {
	s := trimSpace(text)
	if len(s) == 1 {
		switch toLower(s[0]) {
		case 't', 'y', '1':
			return true, nil
		case 'f', 'n', '0':
			return false, nil
		}
	}
	for _, w := range [...]struct {
		word  string
		least int
		v     bool
	}{{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false}, {"on", 2, true}, {"off", 2, false}} {
		if len(s) >= w.least && len(s) <= len(w.word) && equalFold(s, w.word[:len(s)]) {
			return w.v, nil
		}
	}
	return false, errSyntax("boolean", text)
}

// parseFloat parses a float8 or float4, with strtod's grammar but hexadecimal
// payloads of NaN.
func parseFloat(text []byte, bitSize int) (float64, error) {
	s := text
	if len(s) == 0 || isSpace(s[0]) || isSpace(s[len(s)-1]) {
		s = trimSpace(s)
	}
	typ := Float8
	if bitSize == 32 {
		typ = Float4
	}
	if !plainFloat(s) {
		if v, ok := specialFloat(s); ok {
			return v, nil
		}
		if bytes.IndexByte(s, '_') >= 0 {
			return 0, errSyntax(typ.String(), text)
		}
		s = completeHexFloat(s)
	}
	v, err := strconv.ParseFloat(string(s), bitSize)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && v == 0 && nonZeroDigits(s):
		return 0, pgerr.Newf(pgerr.NumericValueOutOfRange, "\"%s\" is out of range for type %s", text, typ)
	case err != nil:
		return 0, errSyntax(typ.String(), text)
	}
	return v, nil
}

// plainFloat reports whether s holds only what a decimal number may.
func plainFloat(s []byte) bool {
	for _, c := range s {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return true
}

func specialFloat(s []byte) (float64, bool) {
	sign := 1
	w := s
	if len(w) > 0 && (w[0] == '-' || w[0] == '+') {
		if w[0] == '-' {
			sign = -1
		}
		w = w[1:]
	}
	switch {
	case equalFold(w, "infinity"), equalFold(w, "inf"):
		return math.Inf(sign), true
	case equalFold(w, "nan"):
		return math.NaN(), true
	}
	return 0, false
}

// completeHexFloat adds the exponent that strtod does without.
func completeHexFloat(s []byte) []byte {
	if bytes.ContainsAny(s, "xX") && !bytes.ContainsAny(s, "pP") {
		return append(bytes.Clone(s), "p0"...)
	}
	return s
}

// nonZeroDigits reports whether the mantissa has a digit other than 0, so
// that a result of 0 is an underflow.
func nonZeroDigits(s []byte) bool {
	hex := bytes.ContainsAny(s, "xX")
	for _, c := range s {
		switch {
		case c-'1' < 9, hex && toLower(c)-'a' < 6:
			return true
		case c == 'e' || c == 'E' || c == 'p' || c == 'P':
			return false
		}
	}
	return false
}

// AppendFloat8Text appends the shortest text that reads back as f, as
// PostgreSQL prints it with extra_float_digits ≥ 1.
func AppendFloat8Text(dst []byte, f float64) []byte { return appendFloat(dst, f, 64, 15) }

// AppendFloat4Text is the same for float4.
func AppendFloat4Text(dst []byte, f float32) []byte { return appendFloat(dst, float64(f), 32, 6) }

// appendFloat prints fixed where −4 ≤ exponent < fixedBelow.
func appendFloat(dst []byte, f float64, bitSize, fixedBelow int) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case f > math.MaxFloat64:
		return append(dst, "Infinity"...)
	case f < -math.MaxFloat64:
		return append(dst, "-Infinity"...)
	}
	abs := math.Abs(f)
	if abs < 1e15 && bitSize == 64 && f == math.Trunc(f) && (f != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	off := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bitSize)
	if bitSize == 64 && abs >= 1<<53 && abs < 1e41 || bitSize == 32 && abs >= 1<<22 && abs < 1e20 {
		dst = keepInside(dst, off, f, bitSize)
	}
	exp := 0
	for i := len(dst) - 1; ; i-- {
		if dst[i] == 'e' {
			exp, _ = strconv.Atoi(string(dst[i+1:]))
			break
		}
	}
	if exp < -4 || exp >= fixedBelow {
		return dst
	}
	return strconv.AppendFloat(dst[:off], f, 'f', -1, bitSize)
}

// keepInside lengthens a shortest text that lies exactly half-way between two
// floats: it reads back right by the rule of round-half-to-even only, and
// PostgreSQL does not print such texts.
func keepInside(dst []byte, off int, f float64, bitSize int) []byte {
	next, prev := math.Nextafter(f, math.Inf(1)), math.Nextafter(f, math.Inf(-1))
	if bitSize == 32 {
		next = float64(math.Nextafter32(float32(f), float32(math.Inf(1))))
		prev = float64(math.Nextafter32(float32(f), float32(math.Inf(-1))))
	}
	half := big.NewRat(1, 2)
	middle := func(nb float64) *big.Rat {
		m := new(big.Rat).Add(new(big.Rat).SetFloat64(f), new(big.Rat).SetFloat64(nb))
		return m.Mul(m, half)
	}
	above, below := middle(next), middle(prev)
	inside := func(text []byte) bool {
		r, ok := new(big.Rat).SetString(string(text))
		return ok && r.Cmp(below) > 0 && r.Cmp(above) < 0
	}
	for digits := 0; !inside(dst[off:]); digits++ {
		dst = strconv.AppendFloat(dst[:off], f, 'e', digits, bitSize)
	}
	return dst
}
