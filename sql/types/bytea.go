package types

import (
	"encoding/hex"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// appendByteaText appends bytea in hex, as bytea_output = hex.
func appendByteaText(dst, p []byte) []byte {
	return hex.AppendEncode(append(dst, '\\', 'x'), p)
}

func hexValue(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case toLower(c)-'a' < 6:
		return toLower(c) - 'a' + 10
	}
	return 0xff
}

// parseBytea appends the bytes of bytea's hex or escape text.
func parseBytea(dst, text []byte) ([]byte, error) {
	if len(text) >= 2 && text[0] == '\\' && text[1] == 'x' {
		return parseByteaHex(dst, text[2:])
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		switch {
		case i+1 < len(text) && text[i+1] == '\\':
			dst = append(dst, '\\')
			i++
		case i+3 < len(text) && text[i+1]-'0' <= 3 && text[i+2]-'0' <= 7 && text[i+3]-'0' <= 7:
			dst = append(dst, (text[i+1]-'0')<<6|(text[i+2]-'0')<<3|(text[i+3]-'0'))
			i += 3
		default:
			return dst, pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return dst, nil
}

// parseByteaHex reads pairs of hex digits; white space may stand between.
func parseByteaHex(dst, s []byte) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			continue
		}
		hi := hexValue(s[i])
		if hi == 0xff {
			return dst, errHexDigit(s[i:])
		}
		i++
		if i == len(s) {
			return dst, pgerr.Newf(pgerr.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo := hexValue(s[i])
		if lo == 0xff {
			return dst, errHexDigit(s[i:])
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, nil
}

func errHexDigit(s []byte) error {
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[:max(runeOffset(s, 1), 1)])
}

// appendUUIDText appends a uuid in its 8-4-4-4-12 form.
func appendUUIDText(dst, p []byte) []byte {
	for i, c := range p[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// appendUUID parses a uuid and appends it as a value: 32 hex digits, a hyphen
// allowed after every fourth, braces allowed around all.
func appendUUID(dst, text []byte) ([]byte, error) {
	s := text
	braces := len(s) > 0 && s[0] == '{'
	if braces {
		s = s[1:]
	}
	off := len(dst)
	dst = append(dst, 16+2)
	for i := range 16 {
		if len(s) < 2 {
			return dst[:off], errSyntax("uuid", text)
		}
		hi, lo := hexValue(s[0]), hexValue(s[1])
		if hi == 0xff || lo == 0xff {
			return dst[:off], errSyntax("uuid", text)
		}
		dst = append(dst, hi<<4|lo)
		s = s[2:]
		if len(s) > 0 && s[0] == '-' && i%2 == 1 && i < 15 {
			s = s[1:]
		}
	}
	if braces {
		if len(s) == 0 || s[0] != '}' {
			return dst[:off], errSyntax("uuid", text)
		}
		s = s[1:]
	}
	if len(s) != 0 {
		return dst[:off], errSyntax("uuid", text)
	}
	return dst, nil
}
