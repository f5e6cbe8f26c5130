package types

import (
	"encoding/binary"
	"fmt"
)

// Tags of jsonb values in keys, in PostgreSQL's order: at the top an empty
// array sorts before all scalars; elsewhere containers sort behind them.
const (
	jsonKeyEmptyTop = 1 + iota
	jsonKeyNull
	jsonKeyString
	jsonKeyNumber
	jsonKeyFalse
	jsonKeyTrue
	jsonKeyArray
	jsonKeyObject
)

// appendKeyJSONB appends a tag and then: a string's bytes, a number as a
// numeric, an array's length and elements, an object's length, keys and
// values. p is canonical text.
func appendKeyJSONB(dst, p []byte) []byte {
	if string(p) == "[]" {
		return append(dst, jsonKeyEmptyTop)
	}
	dst, rest := appendKeyJSONValue(dst, p)
	if len(rest) != 0 {
		panic(fmt.Sprintf("jsonb: stored text %q is not canonical", p))
	}
	return dst
}

func appendKeyJSONValue(dst, s []byte) (key, rest []byte) {
	switch s[0] {
	case 'n':
		return append(dst, jsonKeyNull), s[4:]
	case 'f':
		return append(dst, jsonKeyFalse), s[5:]
	case 't':
		return append(dst, jsonKeyTrue), s[4:]
	case '"':
		return appendKeyJSONString(append(dst, jsonKeyString), s)
	case '[':
		return appendKeyJSONContainer(append(dst, jsonKeyArray), s, ']')
	case '{':
		return appendKeyJSONContainer(append(dst, jsonKeyObject), s, '}')
	}
	end := 0
	for end < len(s) && isWord(s[end]) {
		end++
	}
	var buf [64]byte
	n, err := NumericParse(buf[:0], s[:end])
	if err != nil {
		panic(fmt.Sprintf("jsonb: stored text %q is not canonical: %v", s, err))
	}
	return appendKeyNumeric(append(dst, jsonKeyNumber), n), s[end:]
}

func appendKeyJSONString(dst, s []byte) (key, rest []byte) {
	end := 1
	for s[end] != '"' {
		if s[end] == '\\' {
			end++
		}
		end++
	}
	end++
	var buf [64]byte
	return appendKeyString(dst, jsonUnquote(buf[:0], s[:end])), s[end:]
}

// appendKeyJSONContainer appends the number of members, then each.
func appendKeyJSONContainer(dst, s []byte, closing byte) (key, rest []byte) {
	count := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	n := uint32(0)
	for s = s[1:]; s[0] != closing; n++ {
		if n > 0 {
			s = s[2:] // ", "
		}
		if closing == '}' {
			dst, s = appendKeyJSONString(dst, s)
			s = s[2:] // ": "
		}
		dst, s = appendKeyJSONValue(dst, s)
	}
	binary.BigEndian.PutUint32(dst[count:], n)
	return dst, s[1:]
}

func skipKeyJSONB(key []byte, off int) int {
	tag := key[off]
	off++
	switch tag {
	case jsonKeyString:
		return skipKeyString(key, off)
	case jsonKeyNumber:
		return skipKeyNumeric(key, off)
	case jsonKeyArray, jsonKeyObject:
		n := binary.BigEndian.Uint32(key[off:])
		off += 4
		for range n {
			if tag == jsonKeyObject {
				off = skipKeyString(key, off)
			}
			off = skipKeyJSONB(key, off)
		}
	}
	return off
}
