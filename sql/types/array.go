package types

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// An Array is an array taken apart. Elements are in row-major order, each as
// the datum of the element type.
type Array struct {
	Elem  OID
	Dims  []ArrayDim // empty for the empty array
	Elems []Datum
}

// An ArrayDim is the length and the lower bound of one dimension.
type ArrayDim struct{ Len, Lower int32 }

// PostgreSQL's limits of an array.
const (
	maxArrayDims  = 6
	maxArrayElems = 0x7fffffff / 8
)

// ParseArray parses an array's text.
func (f *Format) ParseArray(elem Type, text []byte) (*Array, error) {
	p := arrayParser{f: f, elem: elem, text: text, rest: text}
	return p.parse()
}

// DecodeArray takes the payload of an array apart.
func DecodeArray(elem OID, p []byte) *Array {
	a, err := utcFormat.ParseArray(T(elem), p)
	if err != nil {
		panic(fmt.Sprintf("array: stored text %q does not parse: %v", p, err))
	}
	return a
}

// AppendArray appends the payload of an array: its text, time zones in UTC.
func AppendArray(dst []byte, a *Array) []byte { return utcFormat.AppendArrayText(dst, a) }

// parseArray appends the canonical text of an array's input text.
func (f *Format) parseArray(dst []byte, elem Type, text []byte) ([]byte, error) {
	a, err := f.ParseArray(elem, text)
	if err != nil {
		return dst, err
	}
	return AppendArray(dst, a), nil
}

// appendArrayIn prints a stored array in the session's format.
func (f *Format) appendArrayIn(dst []byte, elem OID, p []byte) []byte {
	return f.AppendArrayText(dst, DecodeArray(elem, p))
}

// applyModArray applies an element modifier to each element.
func applyModArray(dst []byte, elem Type, p []byte, explicit bool) ([]byte, error) {
	a := DecodeArray(elem.OID, p)
	for i, d := range a.Elems {
		if d.Null {
			continue
		}
		raw := AppendDatum(nil, elem.OID, d)
		s, _ := next(raw, 0)
		v, err := ApplyMod(nil, elem, raw[s.Off:], explicit)
		if err != nil {
			return dst, err
		}
		s, _ = next(v, 0)
		a.Elems[i] = DecodeSpan(elem.OID, v, s)
	}
	return AppendArray(dst, a), nil
}

// AppendArrayText appends an array's output text.
func (f *Format) AppendArrayText(dst []byte, a *Array) []byte {
	if len(a.Dims) == 0 {
		return append(dst, '{', '}')
	}
	for _, d := range a.Dims {
		if d.Lower != 1 {
			for _, d := range a.Dims {
				dst = strconv.AppendInt(append(dst, '['), int64(d.Lower), 10)
				dst = strconv.AppendInt(append(dst, ':'), int64(d.Lower)+int64(d.Len)-1, 10)
				dst = append(dst, ']')
			}
			dst = append(dst, '=')
			break
		}
	}
	elems := a.Elems
	return f.appendArrayDim(dst, a, 0, &elems)
}

func (f *Format) appendArrayDim(dst []byte, a *Array, dim int, elems *[]Datum) []byte {
	dst = append(dst, '{')
	for i := range a.Dims[dim].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dim+1 < len(a.Dims) {
			dst = f.appendArrayDim(dst, a, dim+1, elems)
			continue
		}
		d := (*elems)[0]
		*elems = (*elems)[1:]
		if d.Null {
			dst = append(dst, "NULL"...)
			continue
		}
		dst = appendArrayElem(dst, f.DatumText(a.Elem, d))
	}
	return append(dst, '}')
}

// appendArrayElem appends an element, quoted where its text needs it.
func appendArrayElem(dst []byte, s string) []byte {
	quote := s == "" || equalFold([]byte(s), "null")
	for i := 0; i < len(s) && !quote; i++ {
		switch c := s[i]; c {
		case '"', '\\', '{', '}', ',':
			quote = true
		default:
			quote = isSpace(c)
		}
	}
	if !quote {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// An arrayParser reads [l:u]…={…}.
type arrayParser struct {
	f          *Format
	elem       Type
	text, rest []byte
	a          Array
	buf        []byte
}

func (p *arrayParser) fail(detail string, args ...any) error {
	return pgerr.Newf(pgerr.InvalidTextRepresentation, "malformed array literal: \"%s\"", p.text).WithDetail(detail, args...)
}

func (p *arrayParser) skipSpace() {
	for len(p.rest) > 0 && isSpace(p.rest[0]) {
		p.rest = p.rest[1:]
	}
}

func (p *arrayParser) peek() byte {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

func (p *arrayParser) parse() (*Array, error) {
	p.a.Elem = p.elem.OID
	p.skipSpace()
	bounds, err := p.bounds()
	if err != nil {
		return nil, err
	}
	if p.peek() != '{' {
		if bounds != nil {
			return nil, p.fail("Array contents must start with \"{\".")
		}
		return nil, p.fail("Array value must start with \"{\" or dimension information.")
	}
	if err := p.dim(0); err != nil {
		return nil, err
	}
	p.skipSpace()
	if len(p.rest) > 0 {
		return nil, p.fail("Junk after closing right brace.")
	}
	if len(p.a.Elems) == 0 {
		p.a.Dims = nil
		if bounds != nil {
			return nil, p.fail("Specified array dimensions do not match array contents.")
		}
		return &p.a, nil
	}
	if bounds != nil {
		if len(bounds) != len(p.a.Dims) {
			return nil, p.fail("Specified array dimensions do not match array contents.")
		}
		for i, b := range bounds {
			if b.Len != p.a.Dims[i].Len {
				return nil, p.fail("Specified array dimensions do not match array contents.")
			}
		}
		p.a.Dims = bounds
	}
	return &p.a, nil
}

// bounds reads the optional dimension decoration.
func (p *arrayParser) bounds() ([]ArrayDim, error) {
	var dims []ArrayDim
	for p.peek() == '[' {
		p.rest = p.rest[1:]
		if len(dims) == maxArrayDims {
			return nil, pgerr.Newf(pgerr.ProgramLimitExceeded,
				"number of array dimensions (%d) exceeds the maximum allowed (%d)", len(dims)+1, maxArrayDims)
		}
		lower, ok := p.integer()
		upper := lower
		if ok && p.peek() == ':' {
			p.rest = p.rest[1:]
			upper, ok = p.integer()
		} else {
			lower = 1
		}
		if !ok {
			return nil, p.fail("\"[\" must introduce explicitly-specified array dimensions.")
		}
		if p.peek() != ']' {
			return nil, p.fail("Missing \"%s\" after array dimensions.", "]")
		}
		p.rest = p.rest[1:]
		if upper < lower {
			return nil, pgerr.Newf("2202E", "upper bound cannot be less than lower bound")
		}
		if upper-lower >= maxArrayElems {
			return nil, pgerr.Newf(pgerr.ProgramLimitExceeded,
				"array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		dims = append(dims, ArrayDim{int32(upper - lower + 1), int32(lower)})
		p.skipSpace()
	}
	if dims == nil {
		return nil, nil
	}
	if p.peek() != '=' {
		return nil, p.fail("Missing \"%s\" after array dimensions.", "=")
	}
	p.rest = p.rest[1:]
	p.skipSpace()
	return dims, nil
}

func (p *arrayParser) integer() (int, bool) {
	n := 0
	if c := p.peek(); c == '-' || c == '+' {
		n++
	}
	for n < len(p.rest) && p.rest[n]-'0' <= 9 {
		n++
	}
	v, err := strconv.ParseInt(string(p.rest[:n]), 10, 32)
	p.rest = p.rest[n:]
	return int(v), err == nil
}

// dim reads one level of braces; the first sibling fixes the length of all.
func (p *arrayParser) dim(depth int) error {
	if depth == maxArrayDims {
		return pgerr.Newf(pgerr.ProgramLimitExceeded,
			"number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, maxArrayDims)
	}
	p.rest = p.rest[1:]
	first := len(p.a.Dims) == depth
	if first {
		if len(p.a.Elems) > 0 {
			return p.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		p.a.Dims = append(p.a.Dims, ArrayDim{Lower: 1})
	}
	n := int32(0)
	p.skipSpace()
	if p.peek() == '}' {
		if depth > 0 {
			return p.fail("Unexpected \"%c\" character.", '}')
		}
		p.rest = p.rest[1:]
		return nil
	}
	for {
		p.skipSpace()
		if len(p.rest) == 0 {
			return p.fail("Unexpected end of input.")
		}
		var err error
		if p.rest[0] == '{' {
			if n > 0 && len(p.a.Dims) == depth+1 {
				return p.fail("Unexpected \"%c\" character.", '{')
			}
			err = p.dim(depth + 1)
		} else {
			if len(p.a.Dims) > depth+1 {
				return p.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			err = p.element()
		}
		if err != nil {
			return err
		}
		n++
		p.skipSpace()
		switch p.peek() {
		case ',':
			p.rest = p.rest[1:]
			continue
		case '}':
			p.rest = p.rest[1:]
		case 0:
			return p.fail("Unexpected end of input.")
		default:
			return p.fail("Unexpected array element.")
		}
		break
	}
	if first {
		p.a.Dims[depth].Len = n
	} else if p.a.Dims[depth].Len != n {
		return p.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	return nil
}

// element reads one quoted or plain element.
func (p *arrayParser) element() error {
	buf, quoted := p.buf[:0], false
	keep := 0 // trailing white space counts only up to here
	i := 0
loop:
	for ; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '\\':
			i++
			if i == len(p.rest) {
				return p.fail("Unexpected end of input.")
			}
			buf = append(buf, p.rest[i])
			keep = len(buf)
		case c == '"':
			if quoted || len(buf) > 0 {
				return p.fail("Unexpected array element.")
			}
			quoted = true
			for i++; i < len(p.rest) && p.rest[i] != '"'; i++ {
				if p.rest[i] == '\\' {
					i++
					if i == len(p.rest) {
						break
					}
				}
				buf = append(buf, p.rest[i])
			}
			if i >= len(p.rest) {
				return p.fail("Unexpected end of input.")
			}
			keep = len(buf)
		case c == '{':
			return p.fail("Unexpected \"%c\" character.", c)
		case c == ',' || c == '}':
			break loop
		default:
			if quoted && !isSpace(c) {
				return p.fail("Unexpected array element.")
			}
			buf = append(buf, c)
			if !isSpace(c) {
				keep = len(buf)
			}
		}
	}
	plain := i > 0 && !quoted && keep > 0
	if i == 0 || keep == 0 && !quoted {
		return p.fail("Unexpected \"%c\" character.", p.peekAt(i))
	}
	escaped := plain && keep != len(trimSpace(p.rest[:i]))
	p.rest = p.rest[i:]
	p.buf = buf
	buf = buf[:keep]
	if plain && !escaped && equalFold(buf, "null") {
		p.a.Elems = append(p.a.Elems, NullDatum)
		return nil
	}
	d, err := p.f.ParseDatum(p.elem, string(buf))
	if err != nil {
		return err
	}
	p.a.Elems = append(p.a.Elems, d)
	return nil
}

func (p *arrayParser) peekAt(i int) byte {
	if i < len(p.rest) {
		return p.rest[i]
	}
	return 0
}

// appendKeyArray orders as PostgreSQL: by elements, then by their number,
// then by dimensions, then by lower bounds.
func appendKeyArray(dst []byte, elem OID, payload []byte) []byte {
	a := DecodeArray(elem, payload)
	for _, d := range a.Elems {
		dst = AppendKeyDatum(dst, elem, d)
	}
	dst = append(dst, 0, byte(len(a.Dims)))
	for _, d := range a.Dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Len))
	}
	for _, d := range a.Dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Lower)^1<<31)
	}
	return dst
}

func skipKeyArray(key []byte, off int, elem OID) int {
	for key[off] != 0 {
		off = skipKeyValue(key, off, elem)
	}
	return off + 2 + 8*int(key[off+1])
}
