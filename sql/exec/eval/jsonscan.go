package eval

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/types"
)

// JSON values are read in place: a value is the bytes of its text, which is
// known to be well-formed.

// jsonSkip gives the offset behind the value at i.
func jsonSkip(s []byte, i int) int {
	switch s[i] {
	case '"':
		for i++; s[i] != '"'; i++ {
			if s[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		depth := 0
		for ; ; i++ {
			switch s[i] {
			case '"':
				i = jsonSkip(s, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i < len(s) && bytes.IndexByte([]byte(" \t\r\n,]}:"), s[i]) < 0 {
		i++
	}
	return i
}

func jsonSpace(s []byte, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

func jsonTrim(s []byte) []byte { return bytes.Trim(s, " \t\r\n") }

// jsonItems yields the members of an object, or the elements of an array with a nil key.
func jsonItems(s []byte) func(func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		object := s[0] == '{'
		for i := jsonSpace(s, 1); s[i] != '}' && s[i] != ']'; {
			var key []byte
			if object {
				end := jsonSkip(s, i)
				key = s[i:end]
				i = jsonSpace(s, jsonSpace(s, end)+1)
			}
			end := jsonSkip(s, i)
			if !yield(key, s[i:end]) {
				return
			}
			if i = jsonSpace(s, end); s[i] == ',' {
				i = jsonSpace(s, i+1)
			}
		}
	}
}

// jsonCount counts the members or elements.
func jsonCount(s []byte) int {
	n := 0
	for range jsonItems(s) {
		n++
	}
	return n
}

// jsonField finds the last member of a name.
func jsonField(s, name []byte) (value []byte, ok bool) {
	if s[0] != '{' {
		return nil, false
	}
	for k, v := range jsonItems(s) {
		if jsonIs(k, name) {
			value, ok = v, true
		}
	}
	return value, ok
}

// jsonElement finds an element, counted from the end if i is negative.
func jsonElement(s []byte, i int64) (value []byte, ok bool) {
	if s[0] != '[' {
		return nil, false
	}
	if i < 0 {
		if i += int64(jsonCount(s)); i < 0 {
			return nil, false
		}
	}
	for _, v := range jsonItems(s) {
		if i == 0 {
			return v, true
		}
		i--
	}
	return nil, false
}

// jsonIs reports whether a JSON string stands for a text.
func jsonIs(quoted, text []byte) bool {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return bytes.Equal(inner, text)
	}
	return bytes.Equal(jsonUnquote(nil, quoted), text)
}

// jsonUnquote appends the text that a JSON string stands for.
func jsonUnquote(dst, quoted []byte) []byte {
	s := quoted[1 : len(quoted)-1]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if r >= 0xd800 && r < 0xdc00 && i+6 < len(s)+0 && s[i+1] == '\\' {
				r = 0x10000 + (r-0xd800)<<10 + (hex4(s[i+3:]) - 0xdc00)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

func hex4(s []byte) rune {
	v, err := strconv.ParseUint(string(s[:4]), 16, 32)
	if err != nil {
		panic("eval: malformed JSON escape")
	}
	return rune(v)
}

// jsonKind names the type of a value.
func jsonKind(s []byte) string {
	switch s[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func jsonContainer(s []byte) bool { return s[0] == '{' || s[0] == '[' }

// jsonSameScalar compares two scalars of jsonb.
func jsonSameScalar(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if jsonKind(a) != "number" || jsonKind(b) != "number" {
		return false
	}
	x, err1 := types.NumericParse(nil, a)
	y, err2 := types.NumericParse(nil, b)
	return err1 == nil && err2 == nil && types.NumericCmp(x, y) == 0
}

// jsonContains is jsonb's @>. A scalar at the top counts as an array of itself.
func jsonContains(a, b []byte, top bool) bool {
	switch {
	case a[0] == '{' && b[0] == '{':
		for k, v := range jsonItems(b) {
			w, ok := jsonMember(a, k)
			if !ok || jsonKind(v) != jsonKind(w) {
				return false
			}
			if jsonContainer(v) && !jsonContains(w, v, false) || !jsonContainer(v) && !jsonSameScalar(w, v) {
				return false
			}
		}
		return true
	case a[0] == '{' || b[0] == '{':
		return false
	case a[0] != '[':
		return top && b[0] != '[' && jsonSameScalar(a, b)
	case b[0] != '[':
		return top && jsonHas(a, b)
	}
	for _, v := range jsonItems(b) {
		if !jsonHas(a, v) {
			return false
		}
	}
	return true
}

// jsonHas reports whether an array has an element that equals or contains v.
func jsonHas(a, v []byte) bool {
	for _, w := range jsonItems(a) {
		if jsonContainer(v) && jsonContainer(w) && jsonContains(w, v, false) ||
			!jsonContainer(v) && !jsonContainer(w) && jsonSameScalar(w, v) {
			return true
		}
	}
	return false
}

// jsonMember finds the member of a jsonb object by its quoted key.
func jsonMember(s, quoted []byte) ([]byte, bool) {
	for k, v := range jsonItems(s) {
		if bytes.Equal(k, quoted) {
			return v, true
		}
	}
	return nil, false
}

// jsonExists is jsonb's ?.
func jsonExists(s, name []byte) bool {
	switch s[0] {
	case '{':
		_, ok := jsonField(s, name)
		return ok
	case '[':
		for _, v := range jsonItems(s) {
			if v[0] == '"' && jsonIs(v, name) {
				return true
			}
		}
	case '"':
		return jsonIs(s, name)
	}
	return false
}
