package eval

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math/bits"
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// byteaFuncs are the functions of bytea.
var byteaFuncs = map[string]impl{
	"length(bytea)": fn1(octetLength), "octet_length(bytea)": fn1(octetLength), "bit_length(bytea)": fn1(bitLength),
	"bit_count(bytea)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		n := 0
		for _, c := range a.B {
			n += bits.OnesCount8(c)
		}
		return types.DInt(int64(n)), nil
	}),
	"byteacat(bytea,bytea)": fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return f.keep(append(append(f.out(), a.B...), b.B...)), nil
	}),
	"substring(bytea,int4)": fn2(substrBytesFrom), "substr(bytea,int4)": fn2(substrBytesFrom),
	"substring(bytea,int4,int4)": fn3(substrBytes), "substr(bytea,int4,int4)": fn3(substrBytes),
	"position(bytea,bytea)": fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		return types.DInt(int64(bytes.Index(a.B, b.B)) + 1), nil
	}),
	"btrim(bytea,bytea)": trimBytes(true, true), "ltrim(bytea,bytea)": trimBytes(true, false), "rtrim(bytea,bytea)": trimBytes(false, true),
	"overlay(bytea,bytea,int4)": fn3(func(f *Frame, a, b, from types.Datum) (types.Datum, error) {
		return overlayBytes(f, a, b, from.I, int64(len(b.B)))
	}),
	"overlay(bytea,bytea,int4,int4)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		return overlayBytes(f, args[0], args[1], args[2].I, args[3].I)
	}),
	"get_byte(bytea,int4)": fn2(func(_ *Frame, a, n types.Datum) (types.Datum, error) {
		if err := checkIndex(a.B, n.I); err != nil {
			return a, err
		}
		return types.DInt(int64(a.B[n.I])), nil
	}),
	"set_byte(bytea,int4,int4)": fn3(func(f *Frame, a, n, v types.Datum) (types.Datum, error) {
		if err := checkIndex(a.B, n.I); err != nil {
			return a, err
		}
		out := append(f.out(), a.B...)
		out[n.I] = byte(v.I)
		return f.keep(out), nil
	}),
	"get_bit(bytea,int8)": fn2(func(_ *Frame, a, n types.Datum) (types.Datum, error) {
		if err := checkBit(a.B, n.I); err != nil {
			return a, err
		}
		return types.DInt(int64(a.B[n.I/8] >> (n.I % 8) & 1)), nil
	}),
	"set_bit(bytea,int8,int4)": fn3(func(f *Frame, a, n, v types.Datum) (types.Datum, error) {
		if err := checkBit(a.B, n.I); err != nil {
			return a, err
		}
		if v.I != 0 && v.I != 1 {
			return a, pgerr.Newf(pgerr.InvalidParameterValue, "new bit must be 0 or 1")
		}
		out := append(f.out(), a.B...)
		out[n.I/8] = out[n.I/8]&^(1<<(n.I%8)) | byte(v.I)<<(n.I%8)
		return f.keep(out), nil
	}),
	"convert_from(bytea,name)": fn2(func(_ *Frame, a, name types.Datum) (types.Datum, error) {
		if err := checkEncoding("source", name.B); err != nil {
			return a, err
		}
		return a, types.CheckUTF8(a.B)
	}),
	"convert_to(text,name)": fn2(func(_ *Frame, a, name types.Datum) (types.Datum, error) {
		return a, checkEncoding("destination", name.B)
	}),
	"sha224(bytea)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		sum := sha256.Sum224(a.B)
		return f.keep(append(f.out(), sum[:]...)), nil
	}),
	"sha256(bytea)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		sum := sha256.Sum256(a.B)
		return f.keep(append(f.out(), sum[:]...)), nil
	}),
	"sha384(bytea)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		sum := sha512.Sum384(a.B)
		return f.keep(append(f.out(), sum[:]...)), nil
	}),
	"sha512(bytea)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		sum := sha512.Sum512(a.B)
		return f.keep(append(f.out(), sum[:]...)), nil
	}),
	"encode(bytea,text)": fn2(encode), "decode(text,text)": fn2(decode),
}

func checkIndex(b []byte, i int64) error {
	if i < 0 || i >= int64(len(b)) {
		return pgerr.Newf("2202E", "index %d out of valid range, 0..%d", i, len(b)-1)
	}
	return nil
}

func checkBit(b []byte, i int64) error {
	if i < 0 || i >= 8*int64(len(b)) {
		return pgerr.Newf("2202E", "index %d out of valid range, 0..%d", i, 8*int64(len(b))-1)
	}
	return nil
}

// otherEncodings are PostgreSQL's encodings but UTF8, by their names without punctuation.
var otherEncodings = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
		abc alt big5 euccn eucjis2004 eucjp euckr euctw gb18030 gbk iso88591 iso885910 iso885913 iso885914 iso885915 iso885916
		iso88592 iso88593 iso88594 iso88595 iso88596 iso88597 iso88598 iso88599 johab koi8 koi8r koi8u latin1 latin10 latin2 latin3
		latin4 latin5 latin6 latin7 latin8 latin9 mskanji muleinternal shiftjis shiftjis2004 sjis sqlascii tcvn tcvn5712 uhc vscii
		win win1250 win1251 win1252 win1253 win1254 win1255 win1256 win1257 win1258 win866 win874 win932 win936 win949 win950
		windows1250 windows1251 windows1252 windows1253 windows1254 windows1255 windows1256 windows1257 windows1258 windows866
		windows874 windows932 windows936 windows949 windows950
	`) {
		m[w] = true
	}
	return m
}()

// checkEncoding accepts the names of UTF8.
func checkEncoding(side string, name []byte) error {
	var plain []byte
	for _, c := range name {
		if isAlnum(c) {
			plain = append(plain, asciiLower(c))
		}
	}
	switch s := string(plain); {
	case s == "utf8" || s == "unicode":
		return nil
	case otherEncodings[s]:
		return pgerr.Unsupported(0, "encoding \"%s\"", name)
	}
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid %s encoding name \"%s\"", side, name)
}

func substrBytesFrom(_ *Frame, a, from types.Datum) (types.Datum, error) {
	return types.Datum{B: a.B[min(max(from.I-1, 0), int64(len(a.B))):]}, nil
}

func substrBytes(_ *Frame, a, from, n types.Datum) (types.Datum, error) {
	if n.I < 0 {
		return a, errNegativeSubstring
	}
	size := int64(len(a.B))
	start := min(max(from.I-1, 0), size)
	end := min(max(from.I-1+n.I, start), size)
	return types.Datum{B: a.B[start:end]}, nil
}

func trimBytes(left, right bool) fn2 {
	return func(_ *Frame, a, set types.Datum) (types.Datum, error) {
		s := a.B
		for left && len(s) > 0 && bytes.IndexByte(set.B, s[0]) >= 0 {
			s = s[1:]
		}
		for right && len(s) > 0 && bytes.IndexByte(set.B, s[len(s)-1]) >= 0 {
			s = s[:len(s)-1]
		}
		return types.Datum{B: s}, nil
	}
}

func overlayBytes(f *Frame, a, b types.Datum, from, n int64) (types.Datum, error) {
	if from <= 0 {
		return a, errNegativeSubstring
	}
	if int64(int32(from+n)) != from+n {
		return a, types.ErrOutOfRange(types.Int4)
	}
	head, _ := substrBytes(f, a, types.DInt(1), types.DInt(from-1))
	tail, _ := substrBytesFrom(f, a, types.DInt(from+n))
	return f.keep(append(append(append(f.out(), head.B...), b.B...), tail.B...)), nil
}

func errEncoding(name []byte) error {
	return pgerr.Newf(pgerr.InvalidParameterValue, "unrecognized encoding: \"%s\"", name)
}

func encode(f *Frame, a, format types.Datum) (types.Datum, error) {
	out := f.out()
	switch strings.ToLower(string(format.B)) {
	case "hex":
		return f.keep(hex.AppendEncode(out, a.B)), nil
	case "base64":
		for s := a.B; len(s) > 0; {
			line := s[:min(57, len(s))]
			s = s[len(line):]
			out = base64.StdEncoding.AppendEncode(out, line)
			if len(s) > 0 {
				out = append(out, '\n')
			}
		}
		return f.keep(out), nil
	case "escape":
		for _, c := range a.B {
			switch {
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				out = append(out, '\\', '\\')
			default:
				out = append(out, c)
			}
		}
		return f.keep(out), nil
	}
	return a, errEncoding(format.B)
}

func decode(f *Frame, a, format types.Datum) (types.Datum, error) {
	switch strings.ToLower(string(format.B)) {
	case "hex":
		return decodeHex(f, a.B)
	case "base64":
		return decodeBase64(f, a.B)
	case "escape":
		return decodeEscape(f, a.B)
	}
	return a, errEncoding(format.B)
}

func decodeHex(f *Frame, s []byte) (types.Datum, error) {
	out := f.out()
	high := -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		if high < 0 && (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			continue
		}
		v := strings.IndexByte("0123456789abcdef", asciiLower(c))
		switch {
		case v < 0:
			return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[i:i+runeOffset(s[i:], 1)])
		case high < 0:
			high = v
		default:
			out, high = append(out, byte(high<<4|v)), -1
		}
	}
	if high >= 0 {
		return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
	}
	return f.keep(out), nil
}

// decodeBase64 reads groups of four digits; blanks are skipped, = ends the data.
func decodeBase64(f *Frame, s []byte) (types.Datum, error) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	out := f.out()
	var buf uint32
	pos, end := 0, 0
	for i, c := range s {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		v := 0
		if c == '=' {
			if end == 0 {
				switch pos {
				case 2:
					end = 1
				case 3:
					end = 2
				default:
					return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "unexpected \"=\" while decoding base64 sequence")
				}
			}
		} else if v = strings.IndexByte(digits, c); v < 0 {
			return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "invalid symbol \"%s\" found while decoding base64 sequence", s[i:i+runeOffset(s[i:], 1)])
		}
		buf = buf<<6 | uint32(v)
		if pos++; pos == 4 {
			out = append(out, byte(buf>>16))
			if end == 0 || end > 1 {
				out = append(out, byte(buf>>8))
			}
			if end == 0 || end > 2 {
				out = append(out, byte(buf))
			}
			buf, pos = 0, 0
		}
	}
	if pos != 0 {
		return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return f.keep(out), nil
}

func decodeEscape(f *Frame, s []byte) (types.Datum, error) {
	out := f.out()
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		octal := func(j int, top byte) bool { return j < len(s) && '0' <= s[j] && s[j] <= top }
		switch {
		case octal(i+1, '3') && octal(i+2, '7') && octal(i+3, '7'):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		default:
			return types.Datum{}, pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return f.keep(out), nil
}
