package eval

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// textFuncs are the functions of text. As in PostgreSQL's C locale, letters
// and their case are those of ASCII.
var textFuncs = map[string]impl{
	"length(text)": fn1(charLength), "char_length(text)": fn1(charLength), "character_length(text)": fn1(charLength),
	"length(bpchar)": fn1(blankLength), "char_length(bpchar)": fn1(blankLength), "character_length(bpchar)": fn1(blankLength),
	"octet_length(text)": fn1(octetLength), "octet_length(bpchar)": fn1(octetLength),
	"bit_length(text)": fn1(bitLength),
	"lower(text)":      mapBytes(asciiLower), "upper(text)": mapBytes(asciiUpper), "initcap(text)": fn1(initcap),
	"concat(any...)":         builder(concat),
	"concat_ws(text,any...)": builder(concatWS),
	"textcat(text,text)": fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return f.keep(append(append(f.out(), a.B...), b.B...)), nil
	}),
	"textanycat(text,anyelement)": builder(concatAny), "anytextcat(anyelement,text)": builder(concatAny),
	"substring(text,int4)": fn2(substrFrom), "substr(text,int4)": fn2(substrFrom),
	"substring(text,int4,int4)": fn3(substrFor), "substr(text,int4,int4)": fn3(substrFor),
	"left(text,int4)": fn2(func(_ *Frame, a, n types.Datum) (types.Datum, error) {
		return types.Datum{B: a.B[:runeOffset(a.B, fromEnd(a.B, n.I))]}, nil
	}),
	"right(text,int4)": fn2(right),
	"lpad(text,int4)":  fn2(func(f *Frame, a, n types.Datum) (types.Datum, error) { return pad(f, a, n, blank, true) }),
	"rpad(text,int4)":  fn2(func(f *Frame, a, n types.Datum) (types.Datum, error) { return pad(f, a, n, blank, false) }),
	"lpad(text,int4,text)": fn3(func(f *Frame, a, n, fill types.Datum) (types.Datum, error) {
		return pad(f, a, n, fill, true)
	}),
	"rpad(text,int4,text)": fn3(func(f *Frame, a, n, fill types.Datum) (types.Datum, error) {
		return pad(f, a, n, fill, false)
	}),
	"btrim(text)": trimText(true, true), "ltrim(text)": trimText(true, false), "rtrim(text)": trimText(false, true),
	"btrim(text,text)": trimSet(true, true), "ltrim(text,text)": trimSet(true, false), "rtrim(text,text)": trimSet(false, true),
	"replace(text,text,text)": fn3(replace), "translate(text,text,text)": fn3(translate),
	"reverse(text)": fn1(reverse), "repeat(text,int4)": fn2(repeat),
	"split_part(text,text,int4)": fn3(splitPart),
	"strpos(text,text)":          fn2(strpos), "position(text,text)": fn2(strpos),
	"starts_with(text,text)": fn2(startsWith), "text_starts_with(text,text)": fn2(startsWith),
	"ascii(text)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		if len(a.B) == 0 {
			return types.DInt(0), nil
		}
		r, _ := utf8.DecodeRune(a.B)
		return types.DInt(int64(r)), nil
	}),
	"chr(int4)": fn1(chr),
	"md5(text)": fn1(md5Hex), "md5(bytea)": fn1(md5Hex),
	"overlay(text,text,int4)": fn3(func(f *Frame, a, b, from types.Datum) (types.Datum, error) {
		return overlayText(f, a, b, from.I, int64(utf8.RuneCount(b.B)))
	}),
	"overlay(text,text,int4,int4)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		return overlayText(f, args[0], args[1], args[2].I, args[3].I)
	}),
	"num_nulls(any...)":    countNulls(true),
	"num_nonnulls(any...)": countNulls(false),
}

var blank = types.Datum{B: []byte(" ")}

func charLength(_ *Frame, a types.Datum) (types.Datum, error) {
	return types.DInt(int64(utf8.RuneCount(a.B))), nil
}

func blankLength(f *Frame, a types.Datum) (types.Datum, error) {
	a, _ = trimBlanks(f, a)
	return charLength(f, a)
}

func octetLength(_ *Frame, a types.Datum) (types.Datum, error) {
	return types.DInt(int64(len(a.B))), nil
}

func bitLength(_ *Frame, a types.Datum) (types.Datum, error) {
	return types.DInt(8 * int64(len(a.B))), nil
}

func asciiLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func asciiUpper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

func mapBytes(m func(byte) byte) fn1 {
	return func(f *Frame, a types.Datum) (types.Datum, error) {
		out := append(f.out(), a.B...)
		for i, c := range out {
			out[i] = m(c)
		}
		return f.keep(out), nil
	}
}

func initcap(f *Frame, a types.Datum) (types.Datum, error) {
	out := append(f.out(), a.B...)
	inWord := false
	for i, c := range out {
		if inWord {
			out[i] = asciiLower(c)
		} else {
			out[i] = asciiUpper(c)
		}
		c = asciiLower(c)
		inWord = 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	}
	return f.keep(out), nil
}

// castText appends a value as its cast to text does.
func castText(f *Frame, dst []byte, t types.OID, d types.Datum) []byte {
	switch t {
	case types.Bool:
		if d.I != 0 {
			return append(dst, textTrue...)
		}
		return append(dst, textFalse...)
	case types.BPChar:
		d, _ = trimBlanks(f, d)
		return append(dst, d.B...)
	case types.Text, types.VarChar, types.Name:
		return append(dst, d.B...)
	}
	return f.appendText(dst, t, d)
}

func concatAny(c *compiler, call *scalar.Call) (impl, error) {
	lt, rt := call.Args[0].Type().OID, call.Args[1].Type().OID
	if lt.Elem() != 0 || rt.Elem() != 0 {
		return nil, pgerr.Unsupported(call.Pos, "|| of an array")
	}
	return fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return f.keep(castText(f, castText(f, f.out(), lt, a), rt, b)), nil
	}), nil
}

func argTypes(args []scalar.Expr) []types.OID {
	ts := make([]types.OID, len(args))
	for i, a := range args {
		ts[i] = a.Type().OID
	}
	return ts
}

func concat(c *compiler, call *scalar.Call) (impl, error) {
	ts := argTypes(call.Args)
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		out := f.out()
		for i, a := range args {
			if !a.Null {
				out = f.appendText(out, ts[i], a)
			}
		}
		return f.keep(out), nil
	}), nil
}

func concatWS(c *compiler, call *scalar.Call) (impl, error) {
	ts := argTypes(call.Args)
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		if args[0].Null {
			return types.NullDatum, nil
		}
		out, first := f.out(), true
		for i, a := range args[1:] {
			if a.Null {
				continue
			}
			if !first {
				out = append(out, args[0].B...)
			}
			out, first = f.appendText(out, ts[i+1], a), false
		}
		return f.keep(out), nil
	}), nil
}

func countNulls(nulls bool) fnN {
	return func(_ *Frame, args []types.Datum) (types.Datum, error) {
		var n int64
		for _, a := range args {
			if a.Null == nulls {
				n++
			}
		}
		return types.DInt(n), nil
	}
}

// runeOffset gives the offset of the n-th character, or the length.
func runeOffset(s []byte, n int) int {
	off := 0
	for ; n > 0 && off < len(s); n-- {
		if s[off] < utf8.RuneSelf {
			off++
			continue
		}
		_, w := utf8.DecodeRune(s[off:])
		off += w
	}
	return off
}

// fromEnd turns a count of characters, negative for all but the last −n, into one from the start.
func fromEnd(s []byte, n int64) int {
	if n < 0 {
		n = max(0, int64(utf8.RuneCount(s))+n)
	}
	return int(n)
}

func right(_ *Frame, a, n types.Datum) (types.Datum, error) {
	skip := -n.I
	switch {
	case n.I == math.MinInt32: // -n is n there, in C
		skip = 0
	case n.I >= 0:
		skip = max(0, int64(utf8.RuneCount(a.B))-n.I)
	}
	return types.Datum{B: a.B[runeOffset(a.B, int(skip)):]}, nil
}

var errNegativeSubstring = pgerr.Newf(pgerr.SubstringError, "negative substring length not allowed")

func substrFrom(_ *Frame, a, from types.Datum) (types.Datum, error) {
	return types.Datum{B: a.B[runeOffset(a.B, int(from.I)-1):]}, nil
}

func substrFor(_ *Frame, a, from, n types.Datum) (types.Datum, error) {
	if n.I < 0 {
		return a, errNegativeSubstring
	}
	end := from.I + n.I // one past the last, from 1
	if end < 1 {
		return types.Datum{B: a.B[:0]}, nil
	}
	rest := a.B[runeOffset(a.B, int(from.I)-1):]
	if end > math.MaxInt32 {
		return types.Datum{B: rest}, nil
	}
	return types.Datum{B: rest[:runeOffset(rest, int(end-max(from.I, 1)))]}, nil
}

func overlayText(f *Frame, a, b types.Datum, from, n int64) (types.Datum, error) {
	if from <= 0 {
		return a, errNegativeSubstring
	}
	if from+n > math.MaxInt32 || from+n < math.MinInt32 {
		return a, types.ErrOutOfRange(types.Int4)
	}
	head := a.B[:runeOffset(a.B, int(from-1))]
	tail := a.B[runeOffset(a.B, int(from+n-1)):]
	return f.keep(append(append(append(f.out(), head...), b.B...), tail...)), nil
}

var errTooLong = pgerr.Newf(pgerr.ProgramLimitExceeded, "requested length too large")

// maxText is the longest text that a function makes, PostgreSQL's MaxAllocSize.
const maxText = 0x3fffffff

func pad(f *Frame, a, n, fill types.Datum, before bool) (types.Datum, error) {
	want := int(max(n.I, 0))
	have := utf8.RuneCount(a.B)
	s := a.B
	if have > want {
		s, have = a.B[:runeOffset(a.B, want)], want
	}
	if len(fill.B) == 0 {
		want = have
	}
	if want*4+4 > maxText {
		return a, errTooLong
	}
	out := f.out()
	if !before {
		out = append(out, s...)
	}
	for rest := fill.B; have < want; have++ {
		if len(rest) == 0 {
			rest = fill.B
		}
		_, w := utf8.DecodeRune(rest)
		out = append(out, rest[:w]...)
		rest = rest[w:]
	}
	if before {
		out = append(out, s...)
	}
	return f.keep(out), nil
}

func trimText(left, right bool) fn1 {
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		return types.Datum{B: trim(a.B, blank.B, left, right)}, nil
	}
}

func trimSet(left, right bool) fn2 {
	return func(_ *Frame, a, set types.Datum) (types.Datum, error) {
		return types.Datum{B: trim(a.B, set.B, left, right)}, nil
	}
}

func trim(s, set []byte, left, right bool) []byte {
	for left && len(s) > 0 {
		_, w := utf8.DecodeRune(s)
		if !hasChar(set, s[:w]) {
			break
		}
		s = s[w:]
	}
	for right && len(s) > 0 {
		_, w := utf8.DecodeLastRune(s)
		if !hasChar(set, s[len(s)-w:]) {
			break
		}
		s = s[:len(s)-w]
	}
	return s
}

func hasChar(set, c []byte) bool { return bytes.Contains(set, c) }

func replace(f *Frame, a, from, to types.Datum) (types.Datum, error) {
	if len(from.B) == 0 {
		return a, nil
	}
	out, s := f.out(), a.B
	for {
		i := bytes.Index(s, from.B)
		if i < 0 {
			return f.keep(append(out, s...)), nil
		}
		out = append(append(out, s[:i]...), to.B...)
		s = s[i+len(from.B):]
	}
}

func translate(f *Frame, a, from, to types.Datum) (types.Datum, error) {
	out := f.out()
	for s := a.B; len(s) > 0; {
		_, w := utf8.DecodeRune(s)
		c := s[:w]
		s = s[w:]
		i := bytes.Index(from.B, c)
		if i < 0 {
			out = append(out, c...)
			continue
		}
		rest := to.B[runeOffset(to.B, utf8.RuneCount(from.B[:i])):]
		_, w = utf8.DecodeRune(rest)
		out = append(out, rest[:w]...)
	}
	return f.keep(out), nil
}

func reverse(f *Frame, a types.Datum) (types.Datum, error) {
	out := f.out()
	for s := a.B; len(s) > 0; {
		_, w := utf8.DecodeLastRune(s)
		out = append(out, s[len(s)-w:]...)
		s = s[:len(s)-w]
	}
	return f.keep(out), nil
}

func repeat(f *Frame, a, n types.Datum) (types.Datum, error) {
	if n.I <= 0 || len(a.B) == 0 {
		return types.Datum{B: a.B[:0]}, nil
	}
	if n.I*int64(len(a.B)) > maxText-4 {
		return a, errTooLong
	}
	out := f.out()
	for range n.I {
		out = append(out, a.B...)
	}
	return f.keep(out), nil
}

func splitPart(_ *Frame, a, sep, n types.Datum) (types.Datum, error) {
	if n.I == 0 {
		return a, pgerr.Newf(pgerr.InvalidParameterValue, "field position must not be zero")
	}
	s := a.B
	if len(sep.B) == 0 {
		if n.I == 1 || n.I == -1 {
			return a, nil
		}
		return types.Datum{B: s[:0]}, nil
	}
	i := n.I
	if i < 0 {
		i += int64(bytes.Count(s, sep.B)) + 2
		if i <= 0 {
			return types.Datum{B: s[:0]}, nil
		}
	}
	for ; i > 1; i-- {
		j := bytes.Index(s, sep.B)
		if j < 0 {
			return types.Datum{B: s[:0]}, nil
		}
		s = s[j+len(sep.B):]
	}
	if j := bytes.Index(s, sep.B); j >= 0 {
		s = s[:j]
	}
	return types.Datum{B: s}, nil
}

func strpos(_ *Frame, a, b types.Datum) (types.Datum, error) {
	i := bytes.Index(a.B, b.B)
	if i < 0 {
		return types.DInt(0), nil
	}
	return types.DInt(int64(utf8.RuneCount(a.B[:i])) + 1), nil
}

func startsWith(_ *Frame, a, b types.Datum) (types.Datum, error) {
	return types.DBool(bytes.HasPrefix(a.B, b.B)), nil
}

func chr(f *Frame, a types.Datum) (types.Datum, error) {
	var text string
	switch {
	case a.I < 0:
		return a, pgerr.Newf(pgerr.InvalidParameterValue, "character number must be positive")
	case a.I == 0:
		text = "null character not permitted"
	case a.I > utf8.MaxRune:
		return a, pgerr.Newf(pgerr.ProgramLimitExceeded, "requested character too large for encoding: %d", a.I)
	case 0xd800 <= a.I && a.I <= 0xdfff:
		return a, pgerr.Newf(pgerr.ProgramLimitExceeded, "requested character not valid for encoding: %d", a.I)
	default:
		return f.keep(utf8.AppendRune(f.out(), rune(a.I))), nil
	}
	return a, pgerr.Newf(pgerr.ProgramLimitExceeded, "%s", text)
}

func md5Hex(f *Frame, a types.Datum) (types.Datum, error) {
	sum := md5.Sum(a.B)
	return f.keep(hex.AppendEncode(f.out(), sum[:])), nil
}

// reservedWords are the keywords that quote_ident quotes: all that are not unreserved.
var reservedWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
		all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
		cast char character check coalesce collate collation column concurrently constraint create cross
		current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
		decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
		freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
		interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural
		nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay
		placing position precision primary real references returning right row select session_user setof similar
		smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true union
		unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
		xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
	`) {
		m[w] = true
	}
	return m
}()
